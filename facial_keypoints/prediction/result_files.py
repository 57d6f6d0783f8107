"""Write what was found into a folder: a JSON, CSV or .pts file for each source, and pictures."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.outputs.output_folder import Target
from facial_keypoints.prediction.formats import (
    About,
    Faces,
    Format,
    csv_header,
    csv_rows,
    frame_record,
    json_line,
    picture_record,
    pts_text,
)

_JPEG_LONGEST_PX = 65_000
_JPEG_QUALITY = 93


class FaceWriter(Protocol):
    """Takes the faces of one picture, or of one video frame after frame."""

    def __call__(self, frame: int, time_s: float, faces: Faces) -> None:
        """Write the faces of the next frame, shown at `time_s`; a picture is frame 0 at 0 s."""


@contextmanager
def face_writer(target: Target, form: Format, about: About) -> Iterator[FaceWriter]:
    """Open the .json or .csv file of a target, whole at the end or not there, or its .pts files one by one.

    At the end, .pts files of faces that only an earlier run found are removed.
    """
    if form == "pts":
        yield _pts_writer(target, about)
        target.remove_outdated(r"/\d+\.face\d+\.pts" if about.is_video else r"(\.face\d+)?\.pts")
        return
    with (
        target.writing(f".{form}") as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        if form == "csv":
            file.write(csv_header(about.points))
            yield lambda frame, time_s, faces: _write(file, csv_rows(about, frame, time_s, faces))
        elif not about.is_video:
            yield lambda frame, time_s, faces: _write(file, json_line(picture_record(about, faces)))
        else:
            with _json_video_writer(file, about) as write:
                yield write


def _write(file: TextIO, text: str) -> None:
    file.write(text)


@contextmanager
def _json_video_writer(file: TextIO, about: About) -> Iterator[FaceWriter]:
    """One frame a line, so that a long video needs no memory to write or to read; at the end the mean frame rate."""
    before, start_s = "", 0.0
    end: dict[str, float | None] = {"fps": None}

    def write(frame: int, time_s: float, faces: Faces) -> None:
        nonlocal before, start_s
        file.write(before + json.dumps(frame_record(frame, time_s, faces)))
        before = ",\n"
        if frame:
            end["fps"] = round(frame / (time_s - start_s), 3)
        else:
            start_s = time_s

    file.write(json.dumps(about.record())[:-1] + ', "frames": [\n')
    yield write
    file.write(f"\n], {json.dumps(end)[1:]}\n")


def _pts_writer(target: Target, about: About) -> FaceWriter:
    """One file a face: that of a single face in a picture is called as the picture, others carry their number.

    Those of a video lie in a folder of its name.
    """
    if about.is_video:
        target.folder.making_folder(target.name, target.source)

    def write(frame: int, time_s: float, faces: Faces) -> None:
        for number, face in faces.items():
            count = "" if len(faces) == 1 else f".face{number}"
            ending = f"{count}.pts" if not about.is_video else f"/{frame:06d}.face{number}.pts"
            with target.writing(ending) as partial:
                partial.write_text(pts_text(face))

    return write


def write_picture(target: Target, rgb: np.ndarray, count: str = "") -> None:
    """Write (H, W, 3) uint8 RGB as the target's `count`.jpg, or .png where it is longer than JPEG allows.

    Raises DataError for a picture that neither can hold.
    """
    suffix, content = encoded_picture(rgb)
    with target.writing(f"{count}{suffix}") as partial:
        partial.write_bytes(content)


def encoded_picture(rgb: np.ndarray) -> tuple[str, bytes]:
    """ ".jpg" or, where JPEG is too short, ".png", and such a file of (H, W, 3) uint8 RGB. Raises DataError."""
    suffix = ".jpg" if max(rgb.shape) <= _JPEG_LONGEST_PX else ".png"
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    try:
        done, code = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]), options)
    except cv2.error:
        done = False
    if not done:
        raise DataError(
            f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is more than a {suffix} file holds; make it smaller"
        )
    return suffix, code.tobytes()
