"""Filters on files: find the faces of pictures and videos, filter them, and write the results."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.detector import Face, KeypointDetector
from facial_keypoints.filters.apply import PictureFilter
from facial_keypoints.filters.lasting import COVERED_S, lasting
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder, Target
from facial_keypoints.prediction.batch import Tally, each
from facial_keypoints.prediction.lost_pages import remove_lost_pages
from facial_keypoints.prediction.messages import tell_faults, telling_removed, warn, watched
from facial_keypoints.prediction.picture_files import write_picture
from facial_keypoints.prediction.standard_output import print_picture
from facial_keypoints.prediction.tracks import FaceTracker
from facial_keypoints.video.reading import Frame, FrameReader, open_video
from facial_keypoints.video.sound import Container
from facial_keypoints.video.writing import frame_writer

HIDING = ("blur", "pixelate")
"""Filters that hide faces."""


@dataclass(frozen=True)
class Job:
    """What to do with every source."""

    detector: KeypointDetector
    name: str
    """Name of the filter, which also stands in the names of what is written."""
    apply: PictureFilter
    output: OutputFolder | None
    """None is standard output, for one picture."""
    every: bool
    """Whether all faces are filtered, or only the largest of each picture or frame."""
    container: Container | None = None
    """Container of videos that are written; None is .mp4."""
    bare: list[Source] = field(default_factory=list)
    """Sources in which faces should be hidden and none was found; filled as they are met."""


def filter_files(job: Job, sources: Sequence[Source]) -> Tally:
    """Write <name>_<filter>.jpg, .mp4 or .webm for each source, or a numbered crop for each of its faces.

    Nothing but pixels is carried over: no location, camera or preview image of the original. Crops of faces that only
    an earlier run found are removed. Raises OSError where nothing can be written.
    """
    with telling_removed(job.output):
        tally = each(
            sources,
            label=job.name,
            on_picture=lambda source, picture: _picture(job, source, picture),
            on_video=lambda source: _video(job, source),
        )
        if job.output:
            remove_lost_pages(job.output, sources, tally.failed, rf"_{job.name}(_\d+)?\.(jpg|png)")
    tally.unhidden = len(job.bare)
    return tally


def _picture(job: Job, source: Source, picture: np.ndarray) -> int:
    faces = _wanted(job, dict(enumerate(job.detector(picture), start=1)))
    made = job.apply(picture, [_points(face) for face in faces.values()])
    # A crop has the number that its face has for `predict`, too.
    counts = [f"_{number}" for number in faces] if job.name == "crop" else [""]
    if job.output:
        with _target(job.output, job, source) as target:
            for count, part in zip(counts, made, strict=True):
                write_picture(target, part, count)
            if job.name == "crop":
                target.remove_outdated(r"_\d+\.(jpg|png)")
    else:
        print_picture(source, made)
    if job.name in HIDING and not faces:
        _warn_of_none(job, source)
    return len(faces)


def _target(output: OutputFolder, job: Job, source: Source) -> AbstractContextManager[Target]:
    return output.claimed_target(source.name, source.origin, f"_{job.name}")


def _warn_of_none(job: Job, source: Source) -> None:
    job.bare.append(source)
    warn(f"no face was found in {source.shown}, so nothing is hidden")


def _video(job: Job, source: Source) -> int:
    """Filter a video; returns how many different faces were seen. Raises DataError for crops and damaged videos."""
    assert source.path is not None
    assert job.output is not None
    if job.name == "crop":
        raise DataError(f"{source.shown} is a video, of which crop makes nothing; give pictures")
    video = open_video(source.path)
    reader, follow = FrameReader(video), FaceTracker(job.detector, every_frame=job.name in HIDING)
    seen: set[int] = set()

    def faces_of(frame: Frame) -> Mapping[int, Face]:
        faces = follow(frame.image, frame.time_s)
        seen.update(faces)
        return faces

    followed = ((frame, faces_of(frame)) for frame in watched(reader, source))
    shown: Iterable[tuple[Frame, Collection[Face]]] = ((frame, faces.values()) for frame, faces in followed)
    if job.name in HIDING:
        shown = lasting(followed, COVERED_S, job.detector, job.output.path)
    done = bare = 0
    with _target(job.output, job, source) as target, frame_writer(target, video, job.container) as write:
        for frame, faces in shown:
            write(frame._replace(image=_filtered(job, frame.image, faces)))
            done, bare = done + 1, bare + (not faces)
    if job.name in HIDING and not seen:
        _warn_of_none(job, source)
    elif job.name in HIDING and bare:
        warn(f"no face is hidden in {bare} of {done} frames of {source.shown}: look at them before you publish it")
    tell_faults(source, done, reader, write)
    return len(seen)


def _filtered(job: Job, image: np.ndarray, faces: Iterable[Face]) -> np.ndarray:
    points = [_points(face) for face in _wanted(job, dict(enumerate(faces))).values()]
    return image if job.name == "swap" and len(points) < 2 else job.apply(image, points)[0]


def _wanted(job: Job, faces: Mapping[int, Face]) -> Mapping[int, Face]:
    """The numbered faces that the job asks for: all of them or the largest."""
    if job.every or not faces:
        return faces
    number = max(faces, key=lambda number: faces[number].box[2] * faces[number].box[3])
    return {number: faces[number]}


def _points(face: Face) -> np.ndarray:
    return face.keypoints.astype(np.float64)
