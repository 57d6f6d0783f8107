"""Track faces through a video: a face is looked for where it was, and keeps its number."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from facial_keypoints.core.boxes import SAME_FACE, boxes_of_points, distinct, overlaps
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import shown
from facial_keypoints.detector import Face, KeypointDetector, checked_picture, make_face
from facial_keypoints.finding.windows import to_gray, windows_of_points
from facial_keypoints.prediction.smoothing import OneEuro
from facial_keypoints.video.times import ROUNDING_S

_SEARCH_EVERY_S = 0.4
_SEARCH_EVERY_FRAMES = 30
"""The whole frame is searched anew after so many seconds or frames, whichever comes first: a file may crowd all its
frames into a moment."""
_LOST_S = 0.4
"""Seconds for which each frame is searched for a face that is lost; it is most often hidden for a moment."""
_REMEMBERED_S = 1.5
"""Seconds; a face that is gone for longer comes back under a new number."""


@dataclass
class _Track:
    """A face on its way through a video."""

    number: int
    smoother: OneEuro
    points: np.ndarray
    """(K, 2) float64 pixels of the frame, not smoothed: the next frame is searched where the face is."""
    seen: int
    """Frame in which the face was last found."""
    seen_s: float
    """Time of that frame in seconds."""
    shown: Face = field(init=False)
    """The face as it is shown, smoothed if that is wanted."""


class FaceTracker:
    """Tracks the faces of one video, frame after frame. Not to be shared between threads."""

    def __init__(self, detector: KeypointDetector, smooth: bool = True, every_frame: bool = False) -> None:
        """`smooth`: smooth the points over time; `every_frame`: search each frame, so that nobody new is missed."""
        self._detector, self._smooth, self._every_frame = detector, smooth, every_frame
        self._tracks: list[_Track] = []
        self._frame, self._time_s, self._last_number = -1, 0.0, 0
        self._searched, self._searched_s = -_SEARCH_EVERY_FRAMES, 0.0

    def __repr__(self) -> str:
        return f"FaceTracker({self._detector!r}, smooth={self._smooth}, every_frame={self._every_frame})"

    def __call__(self, image: np.ndarray, time_s: float) -> dict[int, Face]:
        """Faces, by number from 1, of the next frame, (H, W, 3) RGB or (H, W) gray, uint8.

        Raises DataError for another shape or type, and where `time_s` is not later than the frame before.
        """
        checked_picture(image)
        if not (isinstance(time_s, Real) and math.isfinite(time_s)):
            raise DataError(f"the time of the frame is {shown(time_s)} but should be a number of seconds")
        time_s = float(time_s)
        if self._frame >= 0 and time_s <= self._time_s:
            raise DataError(
                f"the frame at {time_s:g} s is not later than the one before, at {self._time_s:g} s; give them in order"
            )
        self._frame, self._time_s = self._frame + 1, time_s
        gray = to_gray(image)
        self._look_again(gray, [track for track in self._tracks if track.seen == self._frame - 1])
        lost = any(map(self._just_lost, self._tracks))
        if lost or self._every_frame or self._is_due():
            self._search(image)
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= _REMEMBERED_S]
        return {track.number: track.shown for track in self._tracks if track.seen == self._frame}

    def _just_lost(self, track: _Track) -> bool:
        """Whether a face is not found any more, since the last frame or for less than _LOST_S."""
        missed = self._frame - track.seen
        return missed == 1 or (missed > 1 and self._time_s - track.seen_s < _LOST_S + ROUNDING_S)

    def _is_due(self) -> bool:
        """Whether it is time to search the whole frame; a search because of a lost face does not put it off."""
        if (
            self._frame - self._searched < _SEARCH_EVERY_FRAMES
            and self._time_s - self._searched_s < _SEARCH_EVERY_S - ROUNDING_S
        ):
            return False
        self._searched, self._searched_s = self._frame, self._time_s
        return True

    def _look_again(self, gray: np.ndarray, tracks: list[_Track]) -> None:
        """Find the faces of the last frame near where they were."""
        if not tracks:
            return
        windows = windows_of_points(np.stack([track.points for track in tracks]))
        points, scores, radii = self._detector.points_and_scores([gray], np.zeros(len(windows), int), windows)
        kept = distinct(boxes_of_points(points), scores, SAME_FACE)
        for row in kept:
            if scores[row] >= self._detector.min_score:
                self._update(tracks[row], points[row], float(scores[row]), radii[row])

    def _search(self, image: np.ndarray) -> None:
        """Find faces anywhere in the frame; one near a face that was lost recently continues its track."""
        here = [track for track in self._tracks if track.seen == self._frame]
        for face in _unmatched(self._detector(image), here):
            gone = [track for track in self._tracks if track.seen < self._frame and _near(face, track)]
            track = max(gone, key=lambda track: _overlap(face, track)) if gone else self._new_track(face)
            self._update(track, face.keypoints.astype(np.float64), face.score, face.radii)

    def _new_track(self, face: Face) -> _Track:
        self._last_number += 1
        points = face.keypoints.astype(np.float64)
        track = _Track(self._last_number, OneEuro(), points, self._frame, self._time_s)
        self._tracks.append(track)
        return track

    def _update(self, track: _Track, points: np.ndarray, score: float, radii: np.ndarray | None) -> None:
        if track.seen < self._frame - 1:
            track.smoother = OneEuro()  # it must not glide in from where it was lost
        track.points, track.seen, track.seen_s = points, self._frame, self._time_s
        raw = make_face(points, score, radii=radii)
        track.shown = _smoothed(raw, points, track.smoother, self._time_s) if self._smooth else raw


class KnownFaces:
    """Faces of one video whose places are known in every frame; their order gives their numbers."""

    def __init__(self, find: Callable[[np.ndarray], Sequence[Face]], smooth: bool = True) -> None:
        """`find`: the faces of an (H, W, 3) uint8 RGB frame, in the same order in every frame."""
        self._find, self._smooth = find, smooth
        self._smoothers: dict[int, OneEuro] = {}

    def __call__(self, image: np.ndarray, time_s: float) -> dict[int, Face]:
        """Faces of the next frame, by number, counted from 1."""
        faces = dict(enumerate(self._find(image), start=1))
        if not self._smooth:
            return faces
        for number, face in faces.items():
            smoother = self._smoothers.setdefault(number, OneEuro())
            faces[number] = _smoothed(face, face.keypoints.astype(np.float64), smoother, time_s)
        return faces


def _smoothed(face: Face, points: np.ndarray, smoother: OneEuro, time_s: float) -> Face:
    """The face with its points, (K, 2) float64, smoothed; its radii are those of the frame."""
    return make_face(smoother(points, time_s, face.radii), face.score, face.scheme, face.radii)


def _unmatched(faces: Sequence[Face], tracks: Sequence[_Track]) -> list[Face]:
    """The faces that are none of the tracks: each track is at most one face, the one that overlaps it most.

    Of faces that a detector tells apart, though they overlap, none is lost so.
    """
    shared = np.array([[_overlap(face, track) for track in tracks] for face in faces]).reshape(len(faces), len(tracks))
    left = set(range(len(faces)))
    while shared.size and shared.max() > SAME_FACE:
        face, track = np.unravel_index(shared.argmax(), shared.shape)
        left.discard(int(face))
        shared[face], shared[:, track] = 0, 0
    return [faces[face] for face in sorted(left)]


def _overlap(face: Face, track: _Track) -> float:
    """Overlap of a face and the last place of a track: area in common over area together, 0..1."""
    return float(overlaps(np.array([face.box]), boxes_of_points(track.points[None]))[0, 0])


def _near(face: Face, track: _Track) -> bool:
    """Whether a face lies less than its size away from the last place of a track, and the sizes are alike."""
    (x, y, width, height), old = face.box, boxes_of_points(track.points[None])[0]
    size, old_size = np.sqrt(width * height), np.sqrt(old[2] * old[3])
    apart = np.hypot(x + width / 2 - old[0] - old[2] / 2, y + height / 2 - old[1] - old[3] / 2)
    return bool(apart < old_size and 0.6 < size / old_size < 1.7)
