import numpy as np
import pytest
import torch

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.symmetry import label_offset, symmetric_points
from pipeline.models.tensor_geometry import mirror_keypoints

FLIP = IBUG_68.flip_index


def mirrored(points: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
    own = None if shift is None else torch.from_numpy(shift)
    return mirror_keypoints(torch.from_numpy(points), 200, FLIP, own).numpy()


def test_labels_that_lie_three_to_the_right_are_six_off_in_the_mirror():
    """All points to the right by 0.03 face sizes: mirrored labels lie 0.03 to the left, labels of the mirror right."""
    shift = np.tile([0.06, 0.0], (68, 1))
    assert label_offset(shift, FLIP) == pytest.approx(np.tile([0.03, 0.0], (68, 1)))


def test_points_freed_of_the_offset_are_mirrored_with_the_picture():
    generator = np.random.default_rng(0)
    points = generator.uniform(50, 150, (5, 68, 2))
    noise = 0.02 * generator.standard_normal((68, 2))
    shift = noise - noise[FLIP] * (-1, 1)
    offset = label_offset(shift, FLIP)
    freed = symmetric_points(points, offset)
    # To first order: the offset changes the size of the face, in which it counts, by a few hundredths.
    assert symmetric_points(mirrored(points, shift), offset) == pytest.approx(mirrored(freed), abs=0.3)
    assert np.abs(freed - points).max() > 2
