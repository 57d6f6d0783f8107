"""The faces of pictures and frames as text: JSON, CSV and iBUG's .pts."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Convention, Face

Format = Literal["json", "csv", "pts"]
"""Of files of points, one or more a source."""
RunFormat = Literal["coco", "cvat"]
"""Of one file for all sources."""
Faces = Mapping[int, Face]
"""Faces by number, which counts from 1; in a video a face keeps its number."""


class FaceWriter(Protocol):
    """Takes the faces of one picture, or of one video frame after frame."""

    def __call__(self, frame: int, time_s: float, faces: Faces) -> None:
        """Write the faces of the next frame, shown at `time_s`; a picture is frame 0 at 0 s."""


@dataclass(frozen=True)
class About:
    """What the faces were found in and with."""

    source: str
    width: int
    """Pixels, upright."""
    height: int
    model_sha256: str
    convention: Convention = "symmetric"
    """Of the points."""
    points: int = IBUG_68.count
    """K, of each face."""
    is_video: bool = False
    page: int | None = None
    """Number of the picture in a file that holds several, counted from 0."""
    radii: bool = False
    """Whether the model knows how certain its points are."""

    def record(self) -> dict[str, Any]:
        """The fields that stand before the faces in JSON."""
        page = {} if self.page is None else {"page": self.page}
        others = {name: getattr(self, name) for name in ("width", "height", "model_sha256", "convention")}
        return {"source": self.source} | page | others


def json_line(about: About, frame: int, time_s: float, faces: Faces) -> str:
    """A picture, or a frame of a video, and its faces as JSON in one line of ASCII, its line end included."""
    found = frame_record(frame, time_s, faces) if about.is_video else {"faces": _face_records(faces)}
    return json.dumps(about.record() | found) + "\n"


def frame_record(frame: int, time_s: float, faces: Faces) -> dict[str, Any]:
    """Frame number `frame`, counted from 0, and its faces, for JSON."""
    return {"frame": frame, "time_s": _rounded(time_s), "faces": _face_records(faces)}


def _face_records(faces: Faces) -> list[dict[str, Any]]:
    return [{"face": number} | face.as_data() for number, face in faces.items()]


_CSV_COLUMNS = ["source", "model_sha256", "frame", "time_s", "face", "score"]
_CSV_COLUMNS += ["box_x", "box_y", "box_width", "box_height", "yaw_deg", "pitch_deg", "roll_deg"]


def csv_header(about: About) -> str:
    """The first line of a table of faces, its line end included."""
    places = [f"{axis}{index}" for index in range(about.points) for axis in "xy"]
    radii = [f"radius_px{index}" for index in range(about.points)] if about.radii else []
    return ",".join([*_CSV_COLUMNS, *places, *radii]) + "\n"


def csv_rows(about: About, frame: int, time_s: float, faces: Faces) -> str:
    """A row of CSV for each face of a frame, none where there is no face; a picture is frame 0 at 0 s.

    In a file of several pictures it is the frame that counts as its page.
    """
    frame = frame if about.page is None else about.page
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for number, face in faces.items():
        numbers = [face.keypoints.ravel(), *([] if face.radii is None else [face.radii])]
        points = np.round(np.concatenate(numbers).astype(np.float64), 3).tolist()
        points += [""] * (about.points if about.radii and face.radii is None else 0)
        box = [round(value, 2) for value in face.box]
        head = [about.source, about.model_sha256, frame, _rounded(time_s), number, round(face.score, 3)]
        rows.writerow([*head, *box, *(face.rotation_deg or ("", "", "")), *points])
    return text.getvalue()


def pts_text(face: Face) -> str:
    """The points of one face as iBUG's .pts text, which counts pixels from 1."""
    lines = [f"{x:.3f} {y:.3f}" for x, y in face.keypoints.astype(np.float64) + 1]
    return "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""])


def _rounded(time_s: float) -> float:
    """Seconds to microseconds, which tell any two frames apart."""
    return round(time_s, 6)
