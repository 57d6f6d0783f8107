"""The 3-D shape of the 68 points: a mean face and how people differ from it.

Head coordinates in millimetres: x to the subject's left (right in the picture), y down, z towards the viewer; y = 0 at
the pupils, z = 0 at the ears. Proportions follow common tables of adult head measures (width at the cheekbones 140 mm,
outer eye corners 90 mm, inner 33 mm, nose 34 mm, mouth 51 mm, nose bridge to chin 115 mm).
"""

from functools import cache

import numpy as np

from facial_keypoints.core.scheme import IBUG_68

_RIGHT_HALF = {
    **dict(enumerate([(-70, 3, 8), (-70, 21, 10), (-68, 39, 13), (-64, 57, 18), (-57, 75, 27), (-46, 91, 42)])),
    6: (-32, 103, 60),
    7: (-16.5, 110, 75),
    8: (0, 112.5, 80),
    17: (-60, -13.5, 59),
    18: (-51, -21, 70.5),
    19: (-39, -24.5, 79.5),
    20: (-26.5, -24, 86),
    21: (-14, -20.5, 90),
    27: (0, -2, 86),
    28: (0, 11, 93),
    29: (0, 23, 101),
    30: (0, 35, 109),
    31: (-15, 45, 88),
    32: (-7.8, 48.5, 94.5),
    33: (0, 50.5, 97),
    36: (-45, 0.5, 65),
    37: (-36.5, -4.4, 73),
    38: (-26, -4.3, 76),
    39: (-16.5, 1.5, 74),
    40: (-26, 4.6, 75),
    41: (-36.5, 4.5, 72),
    48: (-25.5, 71, 82),
    49: (-16.5, 66, 90),
    50: (-6.5, 62.5, 95),
    51: (0, 64, 96),
    57: (0, 81, 93.5),
    58: (-8.5, 80.2, 92),
    59: (-17.5, 77, 88.5),
    60: (-21.5, 71, 84),
    61: (-8.5, 70.6, 92.5),
    62: (0, 71, 94),
    66: (0, 71.6, 93.5),
    67: (-8.5, 71.2, 92),
}
"""Points of the mean face with x <= 0: the subject's right half and the midline."""


MODES = (
    *("face_width", "face_length", "face_depth", "jaw_width", "chin_length", "chin_forward", "cheek_fullness"),
    *("nose_length", "nose_width", "nose_forward", "bridge_height", "nose_tip_up", "eye_size", "eye_opening"),
    *("eye_gap", "eye_tilt", "brow_height", "brow_arch", "brow_tilt", "mouth_width", "upper_lip", "lower_lip"),
    *("mouth_height", "mouth_forward", "asymmetry_mouth", "asymmetry_nose", "asymmetry_brow"),
)
"""Ways in which people differ; a coefficient of 1 is about one standard deviation."""


@cache
def mean_points() -> np.ndarray:
    """(68, 3) mean face at rest, exactly symmetric."""
    points = np.zeros((IBUG_68.count, 3))
    for index, position in _RIGHT_HALF.items():
        points[index] = position
        points[IBUG_68.flip_index[index]] = np.array(position) * (-1, 1, 1)
    points.setflags(write=False)
    return points


def _only(*regions: str) -> np.ndarray:
    """(68, 1) mask of regions."""
    mask = np.zeros((IBUG_68.count, 1))
    for region in regions:
        mask[list(IBUG_68.regions[region])] = 1
    return mask


def _bell(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.asarray(np.exp(-(((values - centre) / width) ** 2)))


def _move(
    mask: np.ndarray, x: np.ndarray | float = 0.0, y: np.ndarray | float = 0.0, z: np.ndarray | float = 0.0
) -> np.ndarray:
    """(68, 3) displacement of the masked points."""
    return np.asarray(np.stack(np.broadcast_arrays(x, y, z, np.zeros(IBUG_68.count))[:3], -1) * mask)


def global_modes(points: np.ndarray) -> dict[str, np.ndarray]:
    """Modes that reshape the whole head, for any (K, 3) points: mode name -> (K, 3) displacement."""
    x, y, z = points.T
    nothing = np.zeros_like(x)
    return {
        "face_width": np.stack([0.045 * x, nothing, nothing], -1),
        "face_length": np.stack([nothing, 0.04 * y, nothing], -1),
        "face_depth": np.stack([nothing, nothing, 0.05 * (z - 40)], -1),
    }


@cache
def modes() -> np.ndarray:
    """(len(MODES), 68, 3) displacement of each mode, in the order of MODES."""
    named = global_modes(mean_points()) | _outline_modes() | _nose_modes() | _eye_modes() | _mouth_modes()
    return np.stack([named[name] for name in MODES])


def _outline_modes() -> dict[str, np.ndarray]:
    x, y, _ = mean_points().T
    jaw, side = _only("jaw"), np.sign(x)
    lower = np.clip((y - 20) / 60, 0, 1)
    return {
        "jaw_width": _move(jaw, x=4.5 * side * _bell(y, 80, 32)),
        "chin_length": _move(jaw, y=4.0 * np.clip((y - 60) / 50, 0, 1)),
        "chin_forward": _move(jaw, z=4.0 * np.clip((y - 85) / 25, 0, 1)),
        "cheek_fullness": _move(jaw, x=2.5 * side * _bell(y, 60, 30), y=1.5 * lower, z=1.5 * lower),
        "asymmetry_mouth": _move(_only("mouth"), x=1.2, y=0.03 * x) + _move(jaw, x=1.2 * lower),
    }


def _nose_modes() -> dict[str, np.ndarray]:
    x, y, _ = mean_points().T
    nose, down = _only("nose"), np.clip((y + 2) / 50, 0, 1)
    return {
        "nose_length": _move(nose, y=3.2 * down) + _move(_only("mouth"), y=1.2),
        "nose_width": _move(nose, x=0.13 * x),
        "nose_forward": _move(nose, z=3.5 * _bell(y, 36, 16)),
        "bridge_height": _move(nose, z=3.0 * _bell(y, 6, 14)),
        "nose_tip_up": _move(nose, y=-2.2 * _bell(y, 34, 9), z=1.0 * _bell(y, 34, 9)),
        "asymmetry_nose": _move(nose, x=1.3 * down),
    }


def _eye_modes() -> dict[str, np.ndarray]:
    x, y, _ = mean_points().T
    eyes, brows, side = _only("right_eye", "left_eye"), _only("right_brow", "left_brow"), np.sign(x)
    across = (np.abs(x) - 31) / 14
    brow_across = (np.abs(x) - 37) / 23
    return {
        "eye_size": _move(eyes, x=1.0 * side * across, y=0.09 * (y - 0.5)),
        "eye_opening": _move(eyes, y=0.13 * (y - 0.5)),
        "eye_gap": _move(eyes, x=1.3 * side) + _move(brows, x=1.2 * side),
        "eye_tilt": _move(eyes, y=-1.3 * across) + _move(brows, y=-0.8 * brow_across),
        "brow_height": _move(brows, y=-2.2, z=-0.5),
        "brow_arch": _move(brows, y=-1.8 * _bell(brow_across, 0.2, 0.6) + 0.8),
        "brow_tilt": _move(brows, y=-1.2 * brow_across),
        "asymmetry_brow": _move(brows, y=0.8 * side),
    }


def _mouth_modes() -> dict[str, np.ndarray]:
    x, y, _ = mean_points().T
    mouth, from_line, middle = _only("mouth"), y - 71, np.cos(np.clip(np.abs(x) / 27, 0, 1) * np.pi / 2)
    return {
        "mouth_width": _move(mouth, x=0.085 * x),
        "upper_lip": _move(mouth, y=0.24 * np.minimum(from_line, 0), z=1.0 * (from_line < -2) * middle),
        "lower_lip": _move(mouth, y=0.20 * np.maximum(from_line, 0), z=1.0 * (from_line > 3) * middle),
        "mouth_height": _move(mouth, y=1.8),
        "mouth_forward": _move(mouth, z=1.8 * middle),
    }
