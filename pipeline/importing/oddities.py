"""What is odd about labels though each of it may be right: told at the end, where a fault would be too much."""

import numpy as np

from facial_keypoints.core.text import amount
from pipeline.core.labels import UNLABELLED
from pipeline.datasets.formats.record import Record
from pipeline.importing.pictures import Picture
from pipeline.importing.samples import Convention, in_our_pixels, points_within

_MISSING = ((0, 0), (-1, -1))
"""Where tools put points that are not there."""
_BEYOND_FRAC = 0.1
"""Part of a side of a box that may lie beyond the picture, and share of the boxes of which more may."""
_WITHIN_FRAC = 0.5
"""Least share of its labelled points that a box should hold; of WFLW's faces a few boxes hold a third."""


class Oddities:
    """Counts of what is odd about the objects that were looked at."""

    def __init__(self) -> None:
        self._points = self._objects = self._boxes = self._beyond = self._elsewhere = 0

    def look_at(self, record: Record, picture: Picture, convention: Convention) -> None:
        seen = record.visibility != UNLABELLED
        missing = sum(int((record.points[seen] == place).all(1).sum()) for place in _MISSING)
        self._points += missing
        self._objects += missing > 0
        points, box = in_our_pixels(record, picture, convention)
        if box is not None:
            self._boxes += 1
            self._beyond += _reaches_beyond(box, picture)
            self._elsewhere += points_within(box, points[seen]) < _WITHIN_FRAC * seen.sum()

    def notes(self) -> list[str]:
        """What was odd, in words."""
        notes = []
        if self._points:
            points, objects = amount(self._points, "point"), amount(self._objects, "object")
            notes.append(
                f"{points} of {objects} lie at exactly (0, 0) or (-1, -1); where points are missing, leave fields "
                "empty or give them the flag 0"
            )
        if self._beyond > _BEYOND_FRAC * self._boxes:
            notes.append(
                f"{self._beyond:,} of {self._boxes:,} boxes reach far beyond their pictures; are they x, y, width, "
                "height, or right and bottom?"
            )
        if self._elsewhere:
            notes.append(
                f"{self._elsewhere:,} of {self._boxes:,} boxes hold less than half of the points; look whether they "
                "are of the same objects"
            )
        return notes


def _reaches_beyond(box: np.ndarray, picture: Picture) -> bool:
    """Whether much of the (2, 2) corners of a box lies outside of its picture."""
    low, high = box.min(0), box.max(0)
    last = np.array(picture.pixels.shape[1::-1]) - 1
    return bool((np.maximum(-low, high - last) > _BEYOND_FRAC * (high - low)).any())
