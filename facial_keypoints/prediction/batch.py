"""Predict on many pictures and videos; what is broken is told and skipped."""

import errno
import os
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError, PipelineError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import brief, counted
from facial_keypoints.detector import Face, KeypointDetector
from facial_keypoints.inputs.decoder import Decoder
from facial_keypoints.inputs.search import Inputs
from facial_keypoints.inputs.source import Source
from facial_keypoints.inputs.standard_input import read_standard_input
from facial_keypoints.outputs.output_folder import OutputFolder, Target
from facial_keypoints.prediction.formats import About, Format
from facial_keypoints.prediction.overlay import draw_faces, picture_overlay
from facial_keypoints.prediction.result_files import FaceWriter, face_writer, write_picture
from facial_keypoints.prediction.standard_output import PrintedPoints
from facial_keypoints.prediction.tracks import FaceTracker, KnownFaces
from facial_keypoints.video.reading import Frame, FrameReader, open_video
from facial_keypoints.video.sound import Container
from facial_keypoints.video.writing import FrameWriter, frame_writer

Find = Callable[[np.ndarray], Sequence[Face]]
"""(H, W, 3) uint8 RGB -> its faces."""

_LARGE_BYTES = 100_000_000
"""Size of a picture, in memory, beside which no other one is read ahead."""
_REASON_LENGTH = 200
_OF_ONE_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EINVAL, errno.EILSEQ, errno.ELOOP)
)
"""Errors of writing that lie in the name of one file; others, such as a full disk, concern all that follow."""


@dataclass(frozen=True)
class Job:
    """What to do with every source."""

    detector: KeypointDetector
    output: OutputFolder | None
    """None is standard output, which takes no overlays."""
    form: Format
    overlay: bool
    """Whether pictures and videos are written with the faces drawn on them."""
    smooth: bool
    """Whether the points of videos are smoothed over time."""
    find: Find | None = None
    """Predicts where faces are known to be, so that they are neither searched nor tracked; None where they are not."""
    container: Container | None = None
    """File format of overlay videos; None is mp4."""


@dataclass
class Tally:
    """How many pictures, videos and faces were looked at."""

    pictures: int = 0
    videos: int = 0
    faces: int = 0
    skipped: int = 0
    unhidden: int = 0
    """Sources in which a filter that hides faces hid nothing."""

    def __str__(self) -> str:
        looked_at = [_counted(self.pictures, "picture")] if self.pictures or not self.videos else []
        looked_at += [_counted(self.videos, "video")] if self.videos else []
        rest = f"; nothing hidden in {self.unhidden}" if self.unhidden else ""
        rest += f"; {self.skipped} skipped" if self.skipped else ""
        return f"{_counted(self.faces, 'face')} in {' and '.join(looked_at)}{rest}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def run(job: Job, sources: Sequence[Source]) -> Tally:
    """Predict on all sources and write what is found. Raises OSError where it cannot be written."""
    printed = PrintedPoints(job.form)
    with telling_removed(job.output):
        return each(
            sources, label="predict", on_picture=partial(_picture, job, printed), on_video=partial(_video, job, printed)
        )


@contextmanager
def telling_removed(output: OutputFolder | None) -> Iterator[None]:
    """At the end, tell in one line which files of an earlier run were removed inside."""
    try:
        yield
    finally:
        if output and output.removed:
            tell(f"removed files of an earlier run that this one no longer makes: {counted(output.removed)}")


def each(
    sources: Sequence[Source],
    *,
    label: str,
    on_picture: Callable[[Source, np.ndarray], int],
    on_video: Callable[[Source], int],
) -> Tally:
    """Do something with every source, in order; one that fails is told in a line and skipped.

    Args:
        label: what the work is called beside its progress.
        on_picture: takes a source and its (H, W, 3) uint8 RGB picture; returns how many faces it has.
        on_video: takes a source that is a video; returns how many different faces it has.

    Raises what every source would meet: OSError where nothing can be written, PipelineError such as ModelError.
    """
    tally = Tally()
    with closing(_read_ahead(sources)) as read:
        for source, picture in progress(read, label=label, total=len(sources), unit="files"):
            try:
                if isinstance(picture, Exception):
                    raise picture
                if picture is None:
                    tally.faces += on_video(source)
                    tally.videos += 1
                else:
                    tally.faces += on_picture(source, picture)
                    tally.pictures += 1
            except Exception as error:  # every file stands for itself
                told = _fault(source, error)
                tally.skipped += 1
                skipped(told)
    return tally


def _fault(source: Source, error: Exception) -> DataError:
    """What is wrong with one source. What the next one would meet too is raised instead."""
    if isinstance(error, DataError):
        told = _by_its_address(source, str(error))
        return DataError(told if told.startswith(source.shown) else f"{source.shown}: {told}")
    if isinstance(error, PipelineError) or (isinstance(error, OSError) and error.errno not in _OF_ONE_NAME):
        raise error
    if isinstance(error, OSError):
        fault = "so long a name that none is left for" if error.errno == errno.ENAMETOOLONG else "no name that suits"
        return DataError(f"{source.shown} has {fault} what is written ({error.strerror}); change it")
    reason = brief(" ".join(str(error).split()), _REASON_LENGTH)
    if isinstance(error, MemoryError | cv2.error):
        return DataError(f"{source.shown} is more than can be looked at here ({reason or 'memory'}); make it smaller")
    where = traceback.extract_tb(error.__traceback__)[-1]
    told = f"{type(error).__name__}: {reason}, in {os.path.basename(where.filename)} line {where.lineno}"
    return DataError(f"{source.shown} cannot be looked at ({told}); convert it, or report this")


def _by_its_address(source: Source, text: str) -> str:
    """The text with a fetched file called by its address, not by its temporary name."""
    return text.replace(str(source.path), source.shown) if source.address else text


def announce(inputs: Inputs) -> None:
    """Tell which arguments, and which files of folders, are not looked at."""
    for problem in inputs.problems:
        skipped(problem)
    for line in inputs.lines_left_out():
        tell(line)


def skipped(error: DataError) -> None:
    """Tell in one line why something is left out."""
    tell(f"skipped: {error}")


def warn(text: str) -> None:
    """Tell in one line what may be wrong with a result."""
    tell(f"warning: {text}")


def _read_ahead(sources: Sequence[Source]) -> Generator[tuple[Source, np.ndarray | Exception | None], None, None]:
    """Sources with their picture, or what is wrong with it, or None for a video.

    The next picture is read meanwhile, but not beside one so large that both may be too much for the memory, nor from
    standard input, where waiting could not be interrupted.
    """
    with ThreadPoolExecutor(1) as reader, Decoder() as decoder:  # the decoder ends first, so that the reader ends too
        coming: Future[np.ndarray | Exception | None] | None = None
        for index, source in enumerate(sources):
            picture = coming.result() if coming else _read(decoder, source)
            large = picture is not None and not isinstance(picture, Exception) and picture.size > _LARGE_BYTES
            following = sources[index + 1 : index + 2] if not large else []
            coming = next((reader.submit(_read, decoder, later) for later in following if later.path), None)
            yield source, picture


def _read(decoder: Decoder, source: Source) -> np.ndarray | Exception | None:
    try:
        if source.is_video:
            return None
        return decoder.read(source.path or read_standard_input(), source.page or 0)
    except Exception as error:  # raised by the caller, once the sources before it are done
        return error


def _picture(job: Job, printed: PrintedPoints, source: Source, picture: np.ndarray) -> int:
    """Returns how many faces there are."""
    faces = (job.find or job.detector)(picture)
    network = job.detector.network
    about = About(source.shown, picture.shape[1], picture.shape[0], network.digest, network.scheme.count)
    with _target(job, source) as target:
        with _points(job, printed, target, about) as write:
            write(0, 0.0, dict(enumerate(faces, start=1)))
        if target and job.overlay:
            write_picture(target, picture_overlay(picture, faces, range(1, len(faces) + 1) if len(faces) > 1 else ()))
    return len(faces)


def _video(job: Job, printed: PrintedPoints, source: Source) -> int:
    """Returns how many different faces were seen."""
    assert source.path is not None
    video = open_video(source.path)
    network = job.detector.network
    about = About(source.shown, video.width, video.height, network.digest, network.scheme.count, is_video=True)
    look = FaceTracker(job.detector, job.smooth) if job.find is None else KnownFaces(job.find, job.smooth)
    seen: set[int] = set()
    done = 0
    reader = FrameReader(video)
    with ExitStack() as files:
        target = files.enter_context(_target(job, source))
        write = files.enter_context(_points(job, printed, target, about))
        show = files.enter_context(frame_writer(target, video, job.container)) if target and job.overlay else None
        for done, frame in enumerate(watched(reader, source), start=1):
            faces = look(frame.image, frame.time_s)
            seen |= set(faces)
            write(done - 1, frame.time_s, faces)
            if show:
                show(frame._replace(image=draw_faces(frame.image, list(faces.values()), list(faces))))
    tell_faults(source, done, reader, show)
    return len(seen)


def _target(job: Job, source: Source) -> AbstractContextManager[Target | None]:
    """Where the files of a source go; None on standard output."""
    return job.output.claimed_target(source.name, source.origin) if job.output else nullcontext()


def _points(
    job: Job, printed: PrintedPoints, target: Target | None, about: About
) -> AbstractContextManager[FaceWriter]:
    """Where the points of a source go."""
    return face_writer(target, job.form, about) if target else printed.writer(about)


def watched(reader: FrameReader, source: Source) -> Iterator[Frame]:
    """The frames of a video, whose progress is shown."""
    return progress(reader, label=source.name, total=reader.frame_count, unit="frames")


def tell_faults(source: Source, done: int, reader: FrameReader, writer: FrameWriter | None) -> None:
    """Warn of sound that got lost. Raises DataError for a video of which not all could be decoded."""
    if writer and writer.sound_faults:
        warn(f"sound of {source.shown} is damaged or missing in what is written ({'; '.join(writer.sound_faults)})")
    if reader.shortfall and not reader.faults:
        warn(f"{source.shown} may be cut off: {reader.shortfall}; if it is, copy it anew")
    if reader.faults:
        raise DataError(
            f"{source.shown} is damaged ({'; '.join(reader.faults)}); {done} frames of it are written; "
            "copy or convert it anew"
        )
