"""What is said while many pictures and videos are looked at."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import counted
from facial_keypoints.detector import MIN_SCORE
from facial_keypoints.inputs.search import Inputs
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.video.reading import Frame, FrameReader
from facial_keypoints.video.writing import FrameWriter


def announce(inputs: Inputs, *, one_file: bool = False) -> None:
    """Tell which arguments, and which files of folders, are not looked at, and which have another name in the output.

    `one_file`: the results of all go to one, which tells of each what it is of.
    """
    for problem in inputs.problems:
        skipped(problem)
    for line in inputs.lines_left_out() + ([] if one_file else inputs.lines_renamed()):
        tell(line)


def skipped(error: DataError) -> None:
    """Tell in one line why something is left out."""
    tell(f"skipped: {error}")


def warn(text: str) -> None:
    """Tell in one line what may be wrong with a result."""
    tell(f"warning: {text}")


def warn_of_no_face(source: Source, lowest: Sequence[float]) -> None:
    """Warn where the user says that faces are and the network sees none.

    `lowest`: score of the least likely of them, in each frame. Of a video, half of the frames may be so.
    """
    if lowest and (score := sorted(lowest)[(len(lowest) - 1) // 2]) < MIN_SCORE:
        warn(f"the model sees no face where it is told to look in {source.shown} (score {score:.2f})")


@contextmanager
def telling_removed(output: OutputFolder | None) -> Iterator[None]:
    """At the end, tell in one line which files of an earlier run were removed inside."""
    try:
        yield
    finally:
        if output and output.removed:
            tell(f"removed files of an earlier run that this one no longer makes: {counted(output.removed)}")


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
