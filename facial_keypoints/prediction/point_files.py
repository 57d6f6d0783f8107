"""Write what was found into a folder: a JSON, CSV or .pts file for each source."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from facial_keypoints.outputs.output_folder import Target
from facial_keypoints.prediction.formats import (
    About,
    Faces,
    FaceWriter,
    Format,
    csv_header,
    csv_rows,
    frame_record,
    json_line,
    pts_text,
)


@contextmanager
def face_writer(target: Target, form: Format, about: About) -> Iterator[FaceWriter]:
    """Open the .json or .csv file of a target, whole at the end or not there, or its .pts files one by one.

    At the end, .pts files of faces that only an earlier run found are removed.
    """
    if form == "pts":
        yield _pts_writer(target, about)
        target.remove_outdated(r"/\d+\.face\d+\.pts" if about.is_video else r"(\.face\d+)?\.pts")
        return
    make = _csv_writer if form == "csv" else _json_video_writer if about.is_video else _json_writer
    with (
        target.writing(f".{form}") as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
        make(file, about) as write,
    ):
        yield write


@contextmanager
def _csv_writer(file: TextIO, about: About) -> Iterator[FaceWriter]:
    file.write(csv_header(about))
    yield lambda frame, time_s, faces: _write(file, csv_rows(about, frame, time_s, faces))


@contextmanager
def _json_writer(file: TextIO, about: About) -> Iterator[FaceWriter]:
    yield lambda frame, time_s, faces: _write(file, json_line(about, frame, time_s, faces))


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
