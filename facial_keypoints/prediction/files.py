"""Predict on files: find the faces of pictures and videos, and write their points and overlays."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.terminal import tell
from facial_keypoints.detector import Convention, Face, KeypointDetector
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder, Target
from facial_keypoints.prediction.annotations.journal_file import open_journal
from facial_keypoints.prediction.annotations.run_file import RunFile
from facial_keypoints.prediction.batch import Tally, each
from facial_keypoints.prediction.formats import About, FaceWriter, Format, RunFormat
from facial_keypoints.prediction.lost_pages import remove_lost_pages
from facial_keypoints.prediction.messages import tell_faults, telling_removed, warn_of_no_face, watched
from facial_keypoints.prediction.overlay import draw_faces, picture_overlay
from facial_keypoints.prediction.picture_files import write_picture
from facial_keypoints.prediction.point_files import face_writer
from facial_keypoints.prediction.standard_output import PrintedPoints
from facial_keypoints.prediction.tracks import FaceTracker, KnownFaces
from facial_keypoints.video.reading import FrameReader, open_video
from facial_keypoints.video.sound import Container
from facial_keypoints.video.writing import frame_writer

Find = Callable[[np.ndarray], Sequence[Face]]
"""(H, W, 3) uint8 RGB -> its faces."""


@dataclass(frozen=True)
class Job:
    """What to do with every source."""

    detector: KeypointDetector
    output: OutputFolder | None
    """None is standard output, which takes no overlays."""
    form: Format | RunFormat
    overlay: bool
    """Whether pictures and videos are written with the faces drawn on them."""
    smooth: bool
    """Whether the points of videos are smoothed over time."""
    find: Find | None = None
    """Predicts where faces are known to be, so that they are neither searched nor tracked; None where they are not."""
    container: Container | None = None
    """File format of overlay videos; None is mp4."""
    inputs: str = ""
    """Tells what is looked at from other inputs, where one file holds all results."""
    options: str = ""
    """What else shapes the results: a run goes on where one with the same inputs, options and model was interrupted."""
    convention: Convention = "symmetric"
    """Of the points, for what is written about them."""

    @property
    def knows_faces(self) -> bool:
        """Whether the user says where faces are, and the score of one says whether that is so."""
        return self.find is not None and self.detector.network.scheme == IBUG_68


Points = Callable[[Source, Target | None, About], AbstractContextManager[FaceWriter]]
"""Opens the place where the faces of a source are written."""


def predict_files(job: Job, sources: Sequence[Source]) -> Tally:
    """Predict on all sources and write what is found. Raises OSError where it cannot be written."""
    with telling_removed(job.output):
        if job.form == "coco" or job.form == "cvat":
            tally = _into_one_file(job, job.form, sources) if sources else Tally()
        else:
            tally = _into_files(job, job.form, sources)
        tally.thing = job.detector.network.scheme.thing
        if job.output:
            remove_lost_pages(job.output, sources, tally.failed, _endings(job))
    return tally


def _endings(job: Job) -> str:
    """A regular expression of what follows the name of a picture in what is made of it."""
    points = {"json": [r"\.json"], "csv": [r"\.csv"], "pts": [r"(\.face\d+)?\.pts"]}.get(job.form, [])
    return "|".join([*points, *([r"\.(jpg|png)"] if job.overlay else [])])


def _into_files(job: Job, form: Format, sources: Sequence[Source]) -> Tally:
    """Predict and write the points of each source on its own, or print them."""
    printed = PrintedPoints(form)

    def points(source: Source, target: Target | None, about: About) -> AbstractContextManager[FaceWriter]:
        return face_writer(target, form, about) if target else printed.writer(about)

    return _each(job, points, sources)


def _each(
    job: Job, points: Points, sources: Sequence[Source], on_done: Callable[[Source, int], None] | None = None
) -> Tally:
    return each(
        sources,
        label="predict",
        on_picture=partial(_picture, job, points),
        on_video=partial(_video, job, points),
        on_done=on_done,
    )


def _into_one_file(job: Job, form: RunFormat, sources: Sequence[Source]) -> Tally:
    """Predict on the sources that an interrupted run left, and write one file of all."""
    network, folder = job.detector.network, job.output.path if job.output else None
    info = {"model_sha256": network.digest, "convention": job.convention}
    with open_journal(folder, f"{job.inputs} {job.options} {network.digest}") as journal:
        file = RunFile(journal, sources, network.scheme, info, radii=network.tells_radii)
        if file.kept:
            tell(f"{len(file.kept)} pictures and videos were done by an interrupted run; the others follow")
        left = [source for source in sources if source not in file.kept]
        tally = _each(job, lambda source, _, about: file.writing(source, about), left, on_done=file.finish)
        for source, faces in file.kept.items():
            tally.add(source.is_video, faces)
        tally.file = file.write(form, job.output, job.inputs)
    return tally


def _picture(job: Job, points: Points, source: Source, picture: np.ndarray) -> int:
    """Returns how many faces there are."""
    faces = (job.find or job.detector)(picture)
    network = job.detector.network
    about = About(
        source.recorded,
        picture.shape[1],
        picture.shape[0],
        network.digest,
        job.convention,
        network.scheme.count,
        page=source.page,
        radii=network.tells_radii,
    )
    with _target(job, source) as target:
        with points(source, target, about) as write:
            write(0, 0.0, dict(enumerate(faces, start=1)))
        if target and job.overlay:
            write_picture(target, picture_overlay(picture, faces, range(1, len(faces) + 1) if len(faces) > 1 else ()))
    if job.knows_faces:
        warn_of_no_face(source, [min((face.score for face in faces), default=1.0)])
    return len(faces)


def _video(job: Job, points: Points, source: Source) -> int:
    """Returns how many different faces were seen."""
    assert source.path is not None
    video = open_video(source.path)
    network = job.detector.network
    about = About(
        source.recorded,
        video.width,
        video.height,
        network.digest,
        job.convention,
        network.scheme.count,
        is_video=True,
        radii=network.tells_radii,
    )
    look = FaceTracker(job.detector, job.smooth) if job.find is None else KnownFaces(job.find, job.smooth)
    seen: set[int] = set()
    lowest: list[float] = []
    done = 0
    reader = FrameReader(video)
    with ExitStack() as files:
        target = files.enter_context(_target(job, source))
        write = files.enter_context(points(source, target, about))
        show = files.enter_context(frame_writer(target, video, job.container)) if target and job.overlay else None
        for done, frame in enumerate(watched(reader, source), start=1):
            faces = look(frame.image, frame.time_s)
            seen |= set(faces)
            lowest += [min(face.score for face in faces.values())] if faces and job.knows_faces else []
            write(done - 1, frame.time_s, faces)
            if show:
                show(frame._replace(image=draw_faces(frame.image, list(faces.values()), list(faces))))
    warn_of_no_face(source, lowest)
    tell_faults(source, done, reader, show)
    return len(seen)


def _target(job: Job, source: Source) -> AbstractContextManager[Target | None]:
    """Where the files of a source go; None on standard output."""
    return job.output.claimed_target(source.name, source.origin) if job.output else nullcontext()
