"""Filters on pictures and videos: faces found, filtered, and what comes of it written beside the others."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.batch import Tally, check_whole, each, naming
from pipeline.detector import Face, KeypointDetector
from pipeline.errors import DataError
from pipeline.filters.apply import PictureFilter
from pipeline.follow import FaceFollower
from pipeline.framing import to_gray, windows_of_points
from pipeline.inputs import Source
from pipeline.output_folder import OutputFolder, Target
from pipeline.outputs import write_picture
from pipeline.progress import progress
from pipeline.video import Container, frame_writer, open_video, read_frames

COVERED_S = 0.5
"""How long before it was found and after it was lost a face of a video stays hidden: longer than between searches."""
_HIDING = ("blur", "pixelate")


@dataclass(frozen=True)
class Job:
    """What to do with every source."""

    detector: KeypointDetector
    name: str
    """Of the filter, in the names of what is written."""
    apply: PictureFilter
    output: OutputFolder
    every: bool
    """All faces, or the largest of a picture or frame."""
    container: Container | None = None
    """Of videos; None is the one that browsers play."""


def filter_files(job: Job, sources: Sequence[Source]) -> Tally:
    """Write <name>_<filter>.jpg, .mp4 or .webm for each source, crops with a number; OSError where that cannot be.

    Nothing but pixels goes over: no place, camera or small preview that an original may carry.
    """
    return each(
        sources,
        label=job.name,
        on_picture=lambda source, picture: _picture(job, source, picture),
        on_video=lambda source: _video(job, source),
    )


def _picture(job: Job, source: Source, picture: np.ndarray) -> int:
    faces = _wanted(job, job.detector(picture))
    with naming(source):
        made = job.apply(picture, [_points(face) for face in faces])
        for number, part in enumerate(made, start=1):
            write_picture(_target(job, source), part, f"_{number}" if job.name == "crop" else "")
    return len(faces)


def _target(job: Job, source: Source) -> Target:
    return job.output.target(f"{source.name}_{job.name}", source.path)


def _video(job: Job, source: Source) -> int:
    """Returns how many different faces were seen."""
    assert source.path is not None
    if job.name == "crop":
        raise DataError(f"{source.shown} is a video, of which crop makes nothing; give pictures")
    video = open_video(source.path)
    follow = FaceFollower(job.detector, video.fps)
    seen: set[int] = set()

    def faces_of(frame: np.ndarray) -> Mapping[int, Face]:
        faces = follow(frame)
        seen.update(faces)
        return faces

    frames = progress(read_frames(video), label=source.name, total=video.frames, unit="frames")
    followed = ((frame, faces_of(frame)) for frame in frames)
    shown: Iterable[tuple[np.ndarray, Collection[Face]]] = ((frame, faces.values()) for frame, faces in followed)
    if job.name in _HIDING:
        shown = lasting(followed, max(1, round(COVERED_S * video.fps)), job.detector)
    done = 0
    with frame_writer(_target(job, source), video, job.container) as write:
        for frame, faces in shown:
            points = [_points(face) for face in _wanted(job, faces)]
            write(frame if job.name == "swap" and len(points) < 2 else job.apply(frame, points)[0])
            done += 1
    check_whole(source, done, video)
    return len(seen)


def lasting(
    followed: Iterable[tuple[np.ndarray, Mapping[int, Face]]], reach: int, look: KeypointDetector
) -> Iterator[tuple[np.ndarray, list[Face]]]:
    """The same frames and faces, each face also in `reach` frames before it was found and after it was lost.

    After: where it was. Before: where `look` sees it, going back frame by frame, or saw it last. Holds `reach` frames.
    """
    waiting: deque[tuple[np.ndarray, list[Face]]] = deque()
    known: dict[int, tuple[Face, int]] = {}
    for number, (frame, faces) in enumerate(followed):
        for name, face in faces.items():
            unseen = number - 1 - known[name][1] if name in known else len(waiting)
            _cover_before(face, list(waiting)[::-1][:unseen], look)
        known |= {name: (face, number) for name, face in faces.items()}
        known = {name: kept for name, kept in known.items() if number - kept[1] <= reach}
        waiting.append((frame, [face for face, _ in known.values()]))
        if len(waiting) > reach:
            yield waiting.popleft()
    yield from waiting


def _cover_before(face: Face, earlier: list[tuple[np.ndarray, list[Face]]], look: KeypointDetector) -> None:
    """Add a face to frames before the one in which it is, the last first."""
    for frame, covered in earlier:
        near = look.faces_in([to_gray(frame)], [windows_of_points(_points(face)[None])])[0][0]
        if near.score >= look.min_score:
            face = near
        covered.append(face)


def _wanted(job: Job, faces: Iterable[Face]) -> list[Face]:
    by_size = sorted(faces, key=lambda face: face.box[2] * face.box[3])
    return by_size if job.every else by_size[-1:]


def _points(face: Face) -> np.ndarray:
    return face.keypoints.astype(np.float64)
