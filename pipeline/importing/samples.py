"""From a record of a file of labels to a sample of a dataset, or why it is none."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from facial_keypoints.core.text import shown
from facial_keypoints.finding.windows import windows_of_boxes
from pipeline.core.labels import UNLABELLED
from pipeline.datasets.formats.record import Record, is_empty
from pipeline.datasets.label_table import MOST_SIDE_PX, Sample
from pipeline.importing.pictures import Picture

BY_PICTURE, BY_FOLDER = "picture", "folder"
"""What --group-by calls the groups that labels of each format have."""
_LEAST_PX = 2
"""Of the longer side of an object."""
_OUTSIDE_FRAC = 0.1
"""A point may lie this far outside of the picture, in sizes of the object: of faces that the border cuts some do."""
_LARGEST_FRAME = 6
"""Largest side of a frame, in longer sides of its picture; a face that fills its picture has 2.7."""
_LONGEST_FRAC = 0.8
"""Most that the longer side of the box takes of the frame."""


@dataclass(frozen=True)
class Convention:
    """How a file counts pixels."""

    first_pixel: float
    """Coordinate of the centre of the top left pixel."""
    stored: bool
    """Whether it is of the picture as it is stored, not as its EXIF orientation has it shown."""


def sample_of(record: Record, picture: Picture, name: str, group: str, convention: Convention) -> Sample:
    """The sample in our pixels. Raises ValueError saying what is wrong with the record."""
    points, box = in_our_pixels(record, picture, convention)
    labelled = points[record.visibility != UNLABELLED]
    _check_shape(labelled, box)
    _check_places(record, points, picture)
    _check_box(record, labelled, box)
    if box is None and len(labelled) == 1:
        raise ValueError("one point is labelled and there is no box, so that its size is not known")
    frame = frame_of(labelled, box)
    if frame[2] > min(MOST_SIDE_PX, _LARGEST_FRAME * max(picture.pixels.shape[:2])):
        raise ValueError(f"its frame would be {frame[2]:,} pixels wide, as its box is too large for its picture")
    return Sample(name, group, record.split or "", frame, points, record.visibility)


def group_of(record: Record, name: str, group_by: str | None) -> str:
    """What an object in the picture `name` is kept together with: its picture, folder or the value of a column.

    None: what the labels call its group, else its picture. Raises ValueError where the column has none.
    """
    if group_by is None:
        return (record.group or "").strip() or name
    if group_by in (BY_PICTURE, BY_FOLDER):
        return name if group_by == BY_PICTURE else PurePosixPath(name).parent.as_posix()
    wanted = group_by.casefold()
    value = next((value for column, value in record.columns.items() if column.casefold() == wanted), None)
    if not isinstance(value, str | int) or is_empty(value):
        raise ValueError(f"it has no {shown(group_by)} that tells with what it is kept together, as --group-by asks")
    return str(value).strip()


def in_our_pixels(record: Record, picture: Picture, convention: Convention) -> tuple[np.ndarray, np.ndarray | None]:
    """(K, 2) points and the (2, 2) corners of the box, if there is one."""
    points = record.points - convention.first_pixel
    corners = None
    if record.box is not None:
        x, y, width, height = record.box
        corners = np.array([[x, y], [x + width, y + height]]) - convention.first_pixel
    if convention.stored:
        points = picture.shown_from_stored(points)
        corners = None if corners is None else picture.shown_from_stored(corners)
    return points, corners


def _check_shape(labelled: np.ndarray, box: np.ndarray | None) -> None:
    """Raise ValueError where (N, 2) points show no shape of so many pixels as an object has, nor the box does."""
    if not len(labelled):
        raise ValueError("none of its points is labelled")
    if len(labelled) == 1:
        return
    size = np.ptp(labelled, axis=0)
    if not size.any():
        raise ValueError("all its points are one and the same")
    if size.max() < _LEAST_PX and (box is None or np.ptp(box, axis=0).max() < _LEAST_PX):
        raise ValueError(
            f"its points span {size[0]:.3g} x {size[1]:.3g} pixels; coordinates are pixels, not shares of the picture"
        )


def points_within(box: np.ndarray, labelled: np.ndarray) -> int:
    """How many of (N, 2) points lie within the (2, 2) corners of a box, or half a pixel beside it."""
    return int(((labelled >= box.min(0) - 0.5) & (labelled <= box.max(0) + 0.5)).all(1).sum())


def _check_box(record: Record, labelled: np.ndarray, box: np.ndarray | None) -> None:
    """Raise ValueError where none of (N, 2) points lies within the (2, 2) corners of the box."""
    if box is None or record.box is None or points_within(box, labelled):
        return
    x, y, width, height = record.box
    places = record.points[record.visibility != UNLABELLED]
    (left, top), (right, bottom) = places.min(0), places.max(0)
    raise ValueError(
        f"its box at {x:g}, {y:g} of {width:g} x {height:g} holds none of its points, which lie from {left:g}, {top:g} "
        f"to {right:g}, {bottom:g}; it is of another object, or not x, y, width, height"
    )


def _check_places(record: Record, points: np.ndarray, picture: Picture) -> None:
    """Raise ValueError for one of (K, 2) points, in our pixels, that lies far from its picture."""
    seen = record.visibility != UNLABELLED
    height, width = picture.pixels.shape[:2]
    reach = _OUTSIDE_FRAC * np.ptp(points[seen], axis=0).max() + 0.5
    far = seen & ((points < -reach) | (points > np.array([width - 1, height - 1]) + reach)).any(1)
    if far.any():
        place = int(far.argmax())
        x, y = record.points[place]
        turned = "" if picture.orientation == 1 else ", turned as its EXIF says"
        raise ValueError(
            f"point {place} (from 0) at {x:g}, {y:g} lies outside of its picture, which is {width} x {height}{turned}"
        )


def frame_of(labelled: np.ndarray, box: np.ndarray | None) -> tuple[int, int, int]:
    """left, top, side of the square that shows an object as frames of faces show theirs.

    It is the window that `predict` takes for the box: whoever names a box there gets what the network was trained on.
    """
    corners = np.concatenate([labelled, box if box is not None else labelled])
    low, size = corners.min(0), np.ptp(corners, axis=0)
    x, y, side, _ = windows_of_boxes(np.concatenate([low, size])[None])[0]
    longest = size.max() / _LONGEST_FRAC
    if longest > side:  # flat things
        (x, y), side = low + size / 2, longest
    whole = max(1, round(side))
    return round(x - whole / 2 + 0.5), round(y - whole / 2 + 0.5), whole
