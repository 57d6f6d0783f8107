"""Look at many pictures and videos, one after another; what is broken is told and skipped."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import interruption
from facial_keypoints.core.progress import progress
from facial_keypoints.core.text import amount
from facial_keypoints.inputs.decoder import Decoder
from facial_keypoints.inputs.source import Source
from facial_keypoints.inputs.standard_input import read_standard_input
from facial_keypoints.prediction.faults import fault_of
from facial_keypoints.prediction.messages import skipped

_LARGE_BYTES = 100_000_000
"""Size of a picture, in memory, beside which no other one is read ahead."""


@dataclass
class Tally:
    """How many pictures, videos and faces were looked at."""

    pictures: int = 0
    videos: int = 0
    faces: int = 0
    skipped: int = 0
    failed: list[Source] = field(default_factory=list)
    """Sources that are among those skipped."""
    unhidden: int = 0
    """Sources in which a filter that hides faces hid nothing."""
    thing: str = "face"
    """What was found, in the singular."""
    file: Path | None = None
    """The one file of all results, where there is one."""

    @property
    def done(self) -> int:
        """Number of pictures and videos."""
        return self.pictures + self.videos

    def add(self, is_video: bool, faces: int) -> None:
        """Count a picture or video with so many faces."""
        self.videos += is_video
        self.pictures += not is_video
        self.faces += faces

    def __str__(self) -> str:
        looked_at = [amount(self.pictures, "picture")] if self.pictures or not self.videos else []
        looked_at += [amount(self.videos, "video")] if self.videos else []
        rest = f"; nothing hidden in {self.unhidden}" if self.unhidden else ""
        rest += f"; {self.skipped} skipped" if self.skipped else ""
        return f"{amount(self.faces, self.thing)} in {' and '.join(looked_at)}{rest}"


def each(
    sources: Sequence[Source],
    *,
    label: str,
    on_picture: Callable[[Source, np.ndarray], int],
    on_video: Callable[[Source], int],
    on_done: Callable[[Source, int], None] | None = None,
) -> Tally:
    """Do something with every source, in order; one that fails is told in a line and skipped.

    Args:
        label: what the work is called beside its progress.
        on_picture: takes a source and its (H, W, 3) uint8 RGB picture; returns how many faces it has.
        on_video: takes a source that is a video; returns how many different faces it has.
        on_done: takes a source that did not fail, and how many faces it has.

    Raises what every source would meet: OSError where nothing can be written, KeypointsError such as ModelError.
    """
    tally = Tally()
    with closing(_read_ahead(sources)) as read:
        for source, picture in progress(read, label=label, total=len(sources), unit="files"):
            try:
                if isinstance(picture, Exception):
                    raise picture
                faces = on_video(source) if picture is None else on_picture(source, picture)
                tally.add(picture is None, faces)
                if on_done:
                    on_done(source, faces)
            except Exception as error:  # every file stands for itself
                if interruption(error):
                    raise
                told = fault_of(source, error)
                tally.skipped += 1
                tally.failed.append(source)
                skipped(told)
    return tally


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
