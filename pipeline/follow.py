"""Follow faces through a video: where a face was, it is looked for first, and it keeps its number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.boxes import boxes_of_points, distinct, overlaps
from pipeline.detector import SAME_FACE, Face, KeypointDetector, make_face
from pipeline.framing import to_gray, windows_of_points
from pipeline.smoothing import OneEuro

_SEARCH_EVERY_S = 0.4
_REMEMBERED_S = 1.5
"""A face that is gone for longer comes back under a new number."""
_MOVED_FRAC = 0.06
"""Shift or growth, over the side of the window, from which a face is looked at again in its new place."""


@dataclass
class _Track:
    number: int
    smoother: OneEuro
    points: np.ndarray
    """(68, 2) pixels, not smoothed: the next frame is searched where the face is."""
    seen: int
    """Frame in which the face was last found."""
    shown: Face = field(init=False)


class FaceFollower:
    """Faces of one video, frame after frame. Not to be shared between threads."""

    def __init__(self, detector: KeypointDetector, fps: float, smooth: bool = True) -> None:
        self._detector, self._fps, self._smooth = detector, fps, smooth
        self._search_every = max(1, round(_SEARCH_EVERY_S * fps))
        self._tracks: list[_Track] = []
        self._frame, self._last_number = -1, 0

    def __call__(self, image: np.ndarray) -> dict[int, Face]:
        """Faces of the next (H, W, 3) RGB frame by their number; numbers count from 1 and come once."""
        self._frame += 1
        gray = to_gray(image)
        active = [track for track in self._tracks if track.seen == self._frame - 1]
        self._look_again(gray, active)
        lost = any(track.seen < self._frame for track in active)
        if lost or self._frame % self._search_every == 0:
            self._search(image)
        memory = _REMEMBERED_S * self._fps
        self._tracks = [track for track in self._tracks if self._frame - track.seen <= memory]
        return {track.number: track.shown for track in self._tracks if track.seen == self._frame}

    def _look_again(self, gray: np.ndarray, tracks: list[_Track]) -> None:
        """Find the faces of the last frame near where they were."""
        if not tracks:
            return
        windows = windows_of_points(np.stack([track.points for track in tracks]))
        points, scores = self._points(gray, windows)
        better = windows_of_points(points)
        moved = np.abs(better - windows)[:, :3].max(1) > _MOVED_FRAC * windows[:, 2]
        if moved.any():
            points[moved], scores[moved] = self._points(gray, better[moved])
        kept = distinct(boxes_of_points(points), scores, SAME_FACE)
        for row in kept:
            if scores[row] >= self._detector.min_score:
                self._update(tracks[row], points[row], float(scores[row]))

    def _points(self, gray: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._detector.points_and_scores([gray], np.zeros(len(windows), int), windows)

    def _search(self, image: np.ndarray) -> None:
        """Find faces anywhere; one near a face lost of late is that face."""
        for face in self._detector(image):
            here = [track for track in self._tracks if track.seen == self._frame]
            if any(_overlap(face, track) > SAME_FACE / 2 for track in here):
                continue
            gone = [track for track in self._tracks if track.seen < self._frame and _near(face, track)]
            track = max(gone, key=lambda track: _overlap(face, track)) if gone else self._new_track(face)
            self._update(track, face.keypoints.astype(np.float64), face.score)

    def _new_track(self, face: Face) -> _Track:
        self._last_number += 1
        points = face.keypoints.astype(np.float64)
        track = _Track(self._last_number, OneEuro(self._fps), points, self._frame)
        self._tracks.append(track)
        return track

    def _update(self, track: _Track, points: np.ndarray, score: float) -> None:
        if track.seen < self._frame - 1:
            track.smoother = OneEuro(self._fps)  # it must not glide in from where it was lost
        track.points, track.seen = points, self._frame
        track.shown = make_face(track.smoother(points) if self._smooth else points, score)


class KnownFaces:
    """Faces of one video whose places are known in every frame: their order gives their numbers."""

    def __init__(self, find: Callable[[np.ndarray], Sequence[Face]], fps: float, smooth: bool = True) -> None:
        self._find, self._fps, self._smooth = find, fps, smooth
        self._smoothers: dict[int, OneEuro] = {}

    def __call__(self, image: np.ndarray) -> dict[int, Face]:
        faces = dict(enumerate(self._find(image), start=1))
        if not self._smooth:
            return faces
        for number, face in faces.items():
            smoother = self._smoothers.setdefault(number, OneEuro(self._fps))
            faces[number] = make_face(smoother(face.keypoints.astype(np.float64)), face.score)
        return faces


def _overlap(face: Face, track: _Track) -> float:
    return float(overlaps(np.array([face.box]), boxes_of_points(track.points[None]))[0, 0])


def _near(face: Face, track: _Track) -> bool:
    """Whether the middles lie within a face of each other and the sizes are alike."""
    (x, y, width, height), old = face.box, boxes_of_points(track.points[None])[0]
    size, old_size = np.sqrt(width * height), np.sqrt(old[2] * old[3])
    apart = np.hypot(x + width / 2 - old[0] - old[2] / 2, y + height / 2 - old[1] - old[3] / 2)
    return bool(apart < old_size and 0.6 < size / old_size < 1.7)
