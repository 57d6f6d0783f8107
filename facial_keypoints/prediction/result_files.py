"""Write what was found: overlay pictures, and JSON, CSV or iBUG .pts files."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TextIO

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Face
from facial_keypoints.outputs.output_folder import Target

Format = Literal["json", "csv", "pts"]
Faces = Mapping[int, Face]
"""Faces by number, which counts from 1; in a video a face keeps its number."""

_JPEG_LONGEST_PX = 65_000


@dataclass(frozen=True)
class About:
    """What the faces were found in and with."""

    source: str
    width: int
    height: int
    model_sha256: str
    is_video: bool = False


class FaceWriter(Protocol):
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
            yield _csv_writer(file, about)
        elif not about.is_video:
            yield _json_picture_writer(file, about)
        else:
            with _json_video_writer(file, about) as write:
                yield write


def _json_picture_writer(file: TextIO, about: About) -> FaceWriter:
    def write(frame: int, time_s: float, faces: Faces) -> None:
        listed = [_record(number, face) for number, face in faces.items()]
        file.write(json.dumps(_head(about) | {"faces": listed}) + "\n")

    return write


@contextmanager
def _json_video_writer(file: TextIO, about: About) -> Iterator[FaceWriter]:
    """One frame a line, so that a long video needs no memory to write or to read; at the end the mean frame rate."""
    before, start_s = "", 0.0
    end: dict[str, float | None] = {"fps": None}

    def write(frame: int, time_s: float, faces: Faces) -> None:
        nonlocal before, start_s
        listed = [_record(number, face) for number, face in faces.items()]
        file.write(before + json.dumps({"frame": frame, "time_s": _rounded(time_s), "faces": listed}))
        before = ",\n"
        if frame:
            end["fps"] = round(frame / (time_s - start_s), 3)
        else:
            start_s = time_s

    file.write(json.dumps(_head(about))[:-1] + ', "frames": [\n')
    yield write
    file.write(f"\n], {json.dumps(end)[1:]}\n")


def _rounded(time_s: float) -> float:
    """To microseconds, which tell any two frames apart."""
    return round(time_s, 6)


def _head(about: About) -> dict[str, Any]:
    return {name: value for name, value in vars(about).items() if name != "is_video"}


def _record(number: int, face: Face) -> dict[str, Any]:
    return {
        "face": number,
        "box": [round(value, 2) for value in face.box],
        "score": round(face.score, 3),
        "turn_deg": face.turn_deg._asdict() if face.turn_deg else None,
        "keypoints": np.round(face.keypoints.astype(np.float64), 3).tolist(),
    }


_CSV_HEAD = ["source", "model_sha256", "frame", "time_s", "face", "score"]
_CSV_HEAD += ["box_x", "box_y", "box_width", "box_height", "yaw_deg", "pitch_deg", "roll_deg"]
_CSV_HEAD += [*(f"{axis}{index}" for index in range(IBUG_68.count) for axis in "xy")]


def _csv_writer(file: TextIO, about: About) -> FaceWriter:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(_CSV_HEAD)

    def write(frame: int, time_s: float, faces: Faces) -> None:
        for number, face in faces.items():
            points = np.round(face.keypoints.ravel().astype(np.float64), 3).tolist()
            place = [round(value, 2) for value in face.box]
            head = [about.source, about.model_sha256, frame, _rounded(time_s), number, round(face.score, 3)]
            rows.writerow([*head, *place, *(face.turn_deg or ("", "", "")), *points])

    return write


def _pts_writer(target: Target, about: About) -> FaceWriter:
    """One file a face: that of a single face in a picture is called as the picture, others carry their number.

    Those of a video lie in a folder of its name.
    """
    if about.is_video:
        target.folder.making_folder(target.name, target.source)

    def write(frame: int, time_s: float, faces: Faces) -> None:
        for number, face in faces.items():
            count = "" if len(faces) == 1 else f".face{number}"
            # iBUG counts pixels from 1.
            lines = [f"{x:.3f} {y:.3f}" for x, y in face.keypoints.astype(np.float64) + 1]
            with target.writing(f"{count}.pts" if not about.is_video else f"/{frame:06d}.face{number}.pts") as partial:
                partial.write_text("\n".join(["version: 1", f"n_points: {IBUG_68.count}", "{", *lines, "}", ""]))

    return write


def write_picture(target: Target, rgb: np.ndarray, count: str = "") -> None:
    """Write (H, W, 3) uint8 RGB as the target's `count`.jpg, or .png where it is longer than JPEG allows.

    Raises DataError for a picture that neither can hold.
    """
    suffix = ".jpg" if max(rgb.shape) <= _JPEG_LONGEST_PX else ".png"
    content = _encoded(rgb, suffix)
    with target.writing(f"{count}{suffix}") as partial:
        partial.write_bytes(content)


def _encoded(rgb: np.ndarray, suffix: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 93] if suffix == ".jpg" else []
    try:
        done, code = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]), options)
    except cv2.error:
        done = False
    if not done:
        raise DataError(
            f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is more than a {suffix} file holds; make it smaller"
        )
    return code.tobytes()
