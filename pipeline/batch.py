"""Look at many pictures and videos; what is broken is told and skipped."""

import errno
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from pipeline.detector import Face, KeypointDetector
from pipeline.draw import draw_faces
from pipeline.errors import DataError
from pipeline.follow import FaceFollower, KnownFaces
from pipeline.inputs import Source
from pipeline.output_folder import OutputFolder
from pipeline.outputs import About, Format, face_writer, write_picture
from pipeline.progress import progress
from pipeline.reading import read_picture
from pipeline.sound import Container
from pipeline.terminal import tell
from pipeline.video import Frame, FrameReader, open_video
from pipeline.video_writing import FrameWriter, frame_writer

Find = Callable[[np.ndarray], Sequence[Face]]
"""(H, W, 3) uint8 RGB -> its faces."""


@dataclass(frozen=True)
class Job:
    """What to do with every source."""

    detector: KeypointDetector
    output: OutputFolder
    form: Format
    overlay: bool
    smooth: bool
    find: Find | None = None
    """Where faces are known to be, so that they are neither searched nor followed."""
    container: Container | None = None
    """Of overlay videos; None is .mp4."""


@dataclass
class Tally:
    pictures: int = 0
    videos: int = 0
    faces: int = 0
    skipped: int = 0
    unhidden: int = 0
    """Of which a filter that hides faces hid nothing."""

    def __str__(self) -> str:
        looked_at = [_counted(self.pictures, "picture")] if self.pictures or not self.videos else []
        looked_at += [_counted(self.videos, "video")] if self.videos else []
        rest = f"; nothing hidden in {self.unhidden}" if self.unhidden else ""
        rest += f"; {self.skipped} skipped" if self.skipped else ""
        return f"{_counted(self.faces, 'face')} in {' and '.join(looked_at)}{rest}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def run(job: Job, sources: Sequence[Source]) -> Tally:
    """Look at all sources and write what is found; OSError where it cannot be written."""
    return each(sources, label="predict", on_picture=partial(_picture, job), on_video=partial(_video, job))


def each(
    sources: Sequence[Source],
    *,
    label: str,
    on_picture: Callable[[Source, np.ndarray], int],
    on_video: Callable[[Source], int],
) -> Tally:
    """Do something with every source; both answer how many faces there were, or raise DataError to skip it."""
    tally = Tally()
    for source, picture in progress(_read_ahead(sources), label=label, total=len(sources), unit="files"):
        try:
            if isinstance(picture, DataError):
                raise picture
            if picture is None:
                tally.faces += on_video(source)
                tally.videos += 1
            else:
                tally.faces += on_picture(source, picture)
                tally.pictures += 1
        except (DataError, OSError, MemoryError, cv2.error) as error:
            told = _fault(source, error)
            tally.skipped += 1
            skipped(told)
    return tally


def _fault(source: Source, error: Exception) -> DataError:
    """What is wrong with a source. An OSError of another kind than its name is raised: the next would meet it too."""
    if isinstance(error, DataError):
        return error
    if not isinstance(error, OSError):
        reason = " ".join(str(error).split()) or "not enough memory"
        return DataError(f"{source.shown} is more than can be looked at here ({reason}); make it smaller")
    if error.errno != errno.ENAMETOOLONG:
        raise error
    return DataError(f"{source.shown} has so long a name that none is left for what is written; shorten it")


def skipped(error: DataError) -> None:
    """Tell in one line why something is left out."""
    tell(f"skipped: {error}")


def warn(text: str) -> None:
    """Tell in one line what is doubtful in what is done."""
    tell(f"warning: {text}")


def _read_ahead(sources: Sequence[Source]) -> Iterator[tuple[Source, np.ndarray | DataError | None]]:
    """Sources with their picture, or what is wrong with it, or None for a video; the next one is read meanwhile."""
    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(_read, source) for source in sources[:1]]
        for index, source in enumerate(sources):
            picture = coming.pop().result()
            coming += [reader.submit(_read, later) for later in sources[index + 1 : index + 2]]
            yield source, picture


def _read(source: Source) -> np.ndarray | DataError | None:
    try:
        return None if source.is_video else read_picture(source.picture_source())
    except DataError as error:
        return error
    except MemoryError:
        return DataError(f"{source.shown} is larger than the memory left; make it smaller")


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """What is wrong with a picture or frame is told with the source that it is of."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{source.shown}: {error}") from None


def _picture(job: Job, source: Source, picture: np.ndarray) -> int:
    with naming(source):
        faces = (job.find or job.detector)(picture)
    target = job.output.target(source.name, source.path)
    about = About(source.shown, picture.shape[1], picture.shape[0], job.detector.digest)
    with face_writer(target, job.form, about) as write:
        write(0, 0.0, dict(enumerate(faces, start=1)))
    if job.overlay:
        with naming(source):
            write_picture(target, draw_faces(picture, faces))
    return len(faces)


def _video(job: Job, source: Source) -> int:
    """Returns how many different faces were seen."""
    assert source.path is not None
    video = open_video(source.path)
    target = job.output.target(source.name, source.path)
    about = About(source.shown, video.width, video.height, job.detector.digest, is_video=True)
    look = FaceFollower(job.detector, job.smooth) if job.find is None else KnownFaces(job.find, job.smooth)
    seen: set[int] = set()
    done = 0
    reader = FrameReader(video)
    with ExitStack() as files:
        write = files.enter_context(face_writer(target, job.form, about))
        show = files.enter_context(frame_writer(target, video, job.container)) if job.overlay else None
        for done, frame in enumerate(watched(reader, source), start=1):
            with naming(source):
                faces = look(frame.image, frame.time_s)
            seen |= set(faces)
            write(done - 1, frame.time_s, faces)
            if show:
                show(frame._replace(image=draw_faces(frame.image, list(faces.values()), list(faces))))
    tell_faults(source, done, reader, show)
    return len(seen)


def watched(reader: FrameReader, source: Source) -> Iterator[Frame]:
    """The frames of a video, with the progress shown."""
    return progress(reader, label=source.name, total=reader.frame_count, unit="frames")


def tell_faults(source: Source, done: int, reader: FrameReader, writer: FrameWriter | None) -> None:
    """Warn of sound that got lost. Raises DataError for a video of which not all could be decoded."""
    if writer and writer.sound_faults:
        warn(f"sound of {source.shown} is damaged or missing in what is written ({'; '.join(writer.sound_faults)})")
    if reader.doubt and not reader.faults:
        warn(f"{source.shown} may be cut off: {reader.doubt}; if it is, copy it anew")
    if reader.faults:
        raise DataError(
            f"{source.shown} is damaged ({'; '.join(reader.faults)}); {done} frames of it are written; "
            "copy or convert it anew"
        )
