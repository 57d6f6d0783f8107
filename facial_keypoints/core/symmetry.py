"""Points freed of what labels have to one side, so that a mirrored picture has mirrored points.

Labels made on a coarse grid lie to one side of what they name, and a network learns that: mirror a picture, and its
points move by twice as much relative to the face. That difference is the shift of
`pipeline.models.tensor_geometry.mirror_keypoints`, which training learns along; half of it is in every label.
"""

import numpy as np

from facial_keypoints.core.geometry import face_size

_MIRROR = np.array([-1.0, 1.0])


def label_offset(mirror_shift: np.ndarray, flip_index: np.ndarray) -> np.ndarray:
    """(K, 2) float64 how far labels lie from symmetric points, in face sizes.

    Mirrored twice a face is itself, so the shift (K, 2) of a mirror is the opposite of its own mirror image; what is
    learned is so but for noise, which drops out here.
    """
    shift = mirror_shift.astype(np.float64)
    return np.asarray((shift - shift[flip_index] * _MIRROR) / 4)


def symmetric_points(keypoints: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(N, K, 2) keypoints freed of the (K, 2) `label_offset`."""
    return np.asarray(keypoints - offset * face_size(keypoints)[:, None, None])
