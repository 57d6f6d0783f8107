"""How a face moves: lids, brows, lips and jaw, from rest."""

from dataclasses import dataclass

import numpy as np

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.mean_face.shape import mean_points, modes


@dataclass(frozen=True)
class Expression:
    """How far a face has moved from rest; 0 is rest and 1 the full movement."""

    jaw_open: float = 0.0
    lips_part: float = 0.0
    smile: float = 0.0
    """-1 (corners down) to 1."""
    pucker: float = 0.0
    brow_raise: float = 0.0
    """-1 (lowered) to 1."""
    brow_furrow: float = 0.0
    close_right: float = 0.0
    """Lid of the subject's right eye: -0.5 wide open, 1 shut."""
    close_left: float = 0.0
    gaze_x: float = 0.0
    """-1 to 1, towards the subject's left; the eyes turn in the head by up to about 30 degrees."""
    gaze_y: float = 0.0
    """-1 to 1, down."""


def face_points(shape: np.ndarray, expression: Expression) -> np.ndarray:
    """(68, 3) points in head millimetres of an identity (len(MODES),) with an expression."""
    points = mean_points() + np.tensordot(shape, modes(), 1)
    for move in (_move_lids, _move_brows, _move_lips, _open_jaw):
        points = move(points, expression)
    return points


def _move_lids(points: np.ndarray, expression: Expression) -> np.ndarray:
    points = points.copy()
    cheek = 1.3 * max(expression.smile, 0)
    for amount, upper, lower in (
        (expression.close_right, (37, 38), (41, 40)),
        (expression.close_left, (44, 43), (46, 47)),
    ):
        for top, bottom in zip(upper, lower, strict=True):
            gap = points[bottom] - points[top] - (0, 0.8 if amount > 0 else 0, 0)
            points[top] += gap * (0.8 * amount + 0.15 * max(expression.gaze_y, 0) * (1 - amount))
            points[bottom, 1] -= (0.2 * gap[1] * amount if amount > 0 else 0.0) + cheek * (1 - max(amount, 0))
    return points


def _move_brows(points: np.ndarray, expression: Expression) -> np.ndarray:
    points = points.copy()
    brows = slice(17, 27)
    inner = np.clip(1 - (np.abs(points[brows, 0]) - 13) / 28, 0, 1)
    points[brows, 1] += -7.0 * expression.brow_raise + (4.5 * expression.brow_furrow * inner)
    points[brows, 0] -= np.sign(points[brows, 0]) * 3.0 * expression.brow_furrow * inner
    points[brows, 2] -= 2.0 * expression.brow_raise
    return points


def _move_lips(points: np.ndarray, expression: Expression) -> np.ndarray:
    points = points.copy()
    mouth = points[48:68]
    middle = mouth[[3, 9, 14, 18]].mean(0)
    outward = (mouth[:, 0] - middle[0]) / 25.5
    corner = np.clip(np.abs(outward), 0, 1) ** 2
    smile, pucker = expression.smile, expression.pucker
    mouth[:, 0] += outward * (7.0 * max(smile, 0) - 9.0 * pucker)
    mouth[:, 1] += -6.0 * smile * corner + 1.0 * max(smile, 0) * (1 - corner)
    mouth[:, 2] += -6.0 * max(smile, 0) * corner + 5.0 * pucker * (1 - 0.5 * corner)
    above = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0.5, 1, 1, 1, 0.5, 0, 0, 0])
    part = np.cos(np.clip(np.abs(outward), 0, 1) * np.pi / 2)
    mouth[:, 1] += expression.lips_part * part * np.where(above == 1, -3.5, 4.5) * (above != 0.5)
    return points


_JAW_SHARE = np.array([0, 0.03, 0.12, 0.3, 0.55, 0.8, 0.95, 1, 1])


def _open_jaw(points: np.ndarray, expression: Expression) -> np.ndarray:
    share = np.zeros(IBUG_68.count)
    share[:17] = [*_JAW_SHARE, *_JAW_SHARE[7::-1]]
    share[[48, 54, 60, 64]] = 0.4
    share[[59, 55]] = 0.8
    share[[58, 57, 56, 65, 66, 67]] = 1.0
    angle = np.radians(19.0) * expression.jaw_open * share
    hinge_y, hinge_z = 8.0, 8.0
    y, z = points[:, 1] - hinge_y, points[:, 2] - hinge_z
    turned = points.copy()
    turned[:, 1] = hinge_y + y * np.cos(angle) + z * np.sin(angle)
    turned[:, 2] = hinge_z - y * np.sin(angle) + z * np.cos(angle)
    turned[[48, 54, 60, 64], 0] *= 1 - 0.12 * expression.jaw_open
    return turned
