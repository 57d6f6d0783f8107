"""What a search returns: places that may hold a face."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from facial_keypoints.finding.windows import windows_of_boxes


class Candidates(NamedTuple):
    """Places that may hold a face; the keypoint network decides which of them do."""

    windows: np.ndarray
    """(K, 4) windows (see `finding.windows`) in pixels of the picture."""
    evidence: np.ndarray
    """(K,) log-odds of a face that the search alone gives: see `finding.scores`."""
    any_tilt: np.ndarray
    """(K,) bool: whether the search finds heads of any tilt, so that the window may show this one wrongly rotated."""


def upright_candidates(windows: np.ndarray) -> Candidates:
    """Candidates for (K, 4) windows that show a face, if there is one, about upright, without further evidence."""
    return Candidates(windows, np.zeros(len(windows)), np.zeros(len(windows), bool))


def candidates_of_boxes(boxes: np.ndarray) -> Candidates:
    """Upright candidates for (K, 4) boxes x, y, width, height round the 68 points."""
    return upright_candidates(windows_of_boxes(boxes))


def joined(parts: Iterable[Candidates]) -> Candidates:
    """The candidates of all parts, if any, in their order."""
    return Candidates(*map(np.concatenate, zip(upright_candidates(np.zeros((0, 4))), *parts, strict=True)))
