"""Faces of a video that stay hidden a little before they are found and after they are lost."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facial_keypoints.detector import MIN_SCORE, Face, KeypointDetector
from facial_keypoints.finding.candidates import upright_candidates
from facial_keypoints.finding.windows import to_gray, windows_of_points
from facial_keypoints.video.frame_buffer import FrameBuffer
from facial_keypoints.video.reading import Frame
from facial_keypoints.video.times import ROUNDING_S

COVERED_S = 0.5
"""How long a face stays hidden before it was found and after it was lost: longer than from search to search."""


class _Waiting(NamedTuple):
    """A frame that is not released yet, since a face found later may have to be hidden in it."""

    held: int
    frame: Frame
    """Without its image, which is kept under the number `held`."""
    faces: list[Face]


class _Seen(NamedTuple):
    """Where a face was found last."""

    face: Face
    number: int
    """Number of the frame, from 0."""
    time_s: float
    """Time of the frame."""


def lasting(
    followed: Iterable[tuple[Frame, Mapping[int, Face]]],
    reach_s: float,
    look: KeypointDetector,
    folder: Path | None = None,
) -> Iterator[tuple[Frame, list[Face]]]:
    """Yield the frames, each face also for a while before it was found and after it was lost, at least for one frame.

    After it was lost a face stays where it was. Before it was found it is where `look` sees it, going backwards frame
    by frame, or saw it last. Frames are held back for so long. What has scored less than MIN_SCORE so far is hidden in
    its own frames alone: half of what is no face comes from lasting glimpses of that kind (`benchmarks.hiding`).

    Args:
        followed: frames of a video and their faces by number.
        reach_s: for how long faces last, seconds.
        look: finds a face near where it is in the next frame.
        folder: where frames wait that memory does not hold.
    """
    waiting = deque[_Waiting]()
    known: dict[int, _Seen] = {}
    with FrameBuffer(folder) as images:
        for number, (frame, faces) in enumerate(followed):
            oldest_s = frame.time_s - reach_s - ROUNDING_S
            while len(waiting) > 1 and waiting[0].frame.time_s < oldest_s:
                yield _released(waiting, images)
            for name, face in faces.items():
                if name not in known and face.score < MIN_SCORE:
                    continue
                unseen = number - 1 - known[name].number if name in known else len(waiting)
                _cover_before(face, islice(reversed(waiting), unseen), images, look)
                known[name] = _Seen(face, number, frame.time_s)
            known = {name: seen for name, seen in known.items() if seen.number >= number - 1 or seen.time_s >= oldest_s}
            blank = frame._replace(image=np.empty(0, np.uint8))
            suspected = [face for name, face in faces.items() if name not in known]
            shown = suspected + [seen.face for seen in known.values()]
            waiting.append(_Waiting(images.keep(frame.image), blank, shown))
        while waiting:
            yield _released(waiting, images)


def _released(waiting: deque[_Waiting], images: FrameBuffer) -> tuple[Frame, list[Face]]:
    held, frame, faces = waiting.popleft()
    return frame._replace(image=images.take(held)), faces


def _cover_before(face: Face, earlier: Iterable[_Waiting], images: FrameBuffer, look: KeypointDetector) -> None:
    """Add a face to the frames before the one in which it was found, of which the last comes first."""
    for held, _, faces in earlier:
        window = windows_of_points(face.keypoints.astype(np.float64)[None])
        near = look.faces_in([to_gray(images[held])], [upright_candidates(window)])[0][0]
        if near.score >= look.min_score:
            face = near
        faces.append(face)
