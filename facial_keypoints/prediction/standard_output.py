"""What was found, on standard output for another program: points as text of one format, or one picture."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.terminal import write_output
from facial_keypoints.inputs.source import Source
from facial_keypoints.prediction.formats import (
    About,
    Faces,
    FaceWriter,
    Format,
    csv_header,
    csv_rows,
    json_line,
    pts_text,
)
from facial_keypoints.prediction.picture_files import encoded_picture


class PrintedPoints:
    """Prints the faces of sources, one after another.

    JSON: a line for each picture, as its file would hold it, and for each frame of a video, which repeats what its
    file says once. CSV: one table. pts: the text of one face; check the sources with `refuse_all_but_one_picture`.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        self._begun = form != "csv"  # only a table has a header

    @contextmanager
    def writer(self, about: About) -> Iterator[FaceWriter]:
        """The writer of the faces of one source; OSError and ReaderLeftError where standard output takes no more."""
        if not self._begun:
            _print(csv_header(about))
            self._begun = True

        def write(frame: int, time_s: float, faces: Faces) -> None:
            _print(self._text(about, frame, time_s, faces))

        yield write

    def _text(self, about: About, frame: int, time_s: float, faces: Faces) -> str:
        if self._form == "csv":
            return csv_rows(about, frame, time_s, faces)
        if self._form == "pts":
            return _only_face(about, faces)
        return json_line(about, frame, time_s, faces)


def _only_face(about: About, faces: Faces) -> str:
    if len(faces) != 1:
        raise DataError(
            f"{about.source} shows {len(faces)} faces where .pts on standard output holds one; choose --format json, "
            "or name a folder with --output"
        )
    return pts_text(*faces.values())


def _print(text: str) -> None:
    if text:
        write_output(text.encode())


def print_picture(source: Source, pictures: Sequence[np.ndarray]) -> None:
    """Print a JPEG, or a PNG where it is longer than JPEG allows, of the only (H, W, 3) uint8 RGB picture.

    Raises DataError where a source gave none or several.
    """
    if len(pictures) != 1:
        remedy = "add --largest, or name a folder with --output" if pictures else "give a picture that shows one"
        raise DataError(f"{source.shown} has {len(pictures)} faces where standard output holds one picture; {remedy}")
    write_output(encoded_picture(pictures[0])[1])


def refuse_all_but_one_picture(sources: Sequence[Source], what: str) -> None:
    """Raise DataError unless the sources are one picture at most; `what`: of which standard output holds only one."""
    if len(sources) > 1:
        raise DataError(
            f"{what} on standard output is of one picture where {len(sources)} are given; give one, or name a folder "
            "with --output"
        )
    for source in sources:
        if source.is_video:
            raise DataError(
                f"{source.shown} is a video where {what} on standard output is of one picture; name a folder with "
                "--output"
            )
