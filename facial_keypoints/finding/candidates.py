"""What a search returns: places that may hold a face."""

from typing import NamedTuple

import numpy as np

from facial_keypoints.finding.windows import windows_of_boxes


class Candidates(NamedTuple):
    """Places that may hold a face; the keypoint network decides which of them do."""

    windows: np.ndarray
    """(K, 4) windows (see `finding.windows`) in pixels of the picture."""
    evidence: np.ndarray
    """(K,) log-odds of a face that the search alone gives: see `finding.scores`."""


def candidates_of_boxes(boxes: np.ndarray, evidence: np.ndarray | float = 0.0) -> Candidates:
    """Upright candidates for (K, 4) boxes x, y, width, height round the 68 points, and their (K,) evidence."""
    return Candidates(windows_of_boxes(boxes), np.broadcast_to(evidence, len(boxes)).astype(np.float64))
