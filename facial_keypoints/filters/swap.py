"""Exchange two faces: each is warped to the points of the other, triangle by triangle, and takes on the light there."""

import cv2
import numpy as np

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.filters.art import filled, softened
from facial_keypoints.filters.head import fit_head
from facial_keypoints.filters.net import net_points, net_triangles
from facial_keypoints.filters.outline import face_size, part_round
from facial_keypoints.filters.piecewise import carried, covering_triangle

_FEATHER = 0.06
"""Width of the soft seam, in face sizes; it lies inside the net."""
_APART = 0.25
"""Difference of the sines of two yaw angles beyond which one face is mirrored first."""
_LIGHT = 0.22
"""Width of the blur, in face sizes, that separates the light of a place from the details of a face."""


def swap_faces(image: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with the faces of (68, 2) keypoints `first` and `second` exchanged."""
    there = _put_on(image, image, source=first, target=second)
    return _put_on(there, image, source=second, target=first)


def _put_on(below: np.ndarray, image: np.ndarray, *, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A copy of `below` with the face at the (68, 2) points `source` of `image` laid over its face at `target`."""
    if _look_apart(source, target):
        image, source = _mirrored(image, source)
    points = net_points(np.asarray(target, np.float64))
    result = below.copy()
    part, left, top = part_round(result, points, 0)
    if not part.size:
        return result
    here, size = part.astype(np.float32), face_size(points)
    face, mask = _warped(image, net_points(np.asarray(source, np.float64)), points - (left, top), here.shape[:2])
    lit = _relit(face, here, mask, _LIGHT * size)
    share = _seam(mask, _FEATHER * size)
    if _opening(source) < 0.5 * _opening(target):  # lips stretched over an open mouth would be a grimace
        share = share * (1 - _mouth(target - (left, top), here.shape[:2]))
    part[:] = np.rint((here + (lit - here) * share[..., None]).clip(0, 255))
    return result


def _look_apart(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether one face looks to the left and the other to the right, so that each shows what the other hides."""
    aside = [fit_head(points).camera_from_head[0, 2] for points in (first, second)]
    return bool(aside[0] * aside[1] < 0 and abs(aside[0] - aside[1]) > _APART)


def _mirrored(image: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its (68, 2) keypoints in the mirror, where points are numbered anew."""
    mirrored = keypoints[IBUG_68.flip_index] * (-1, 1) + (image.shape[1] - 1, 0)
    return np.ascontiguousarray(image[:, ::-1]), mirrored


def _opening(keypoints: np.ndarray) -> float:
    """Height of the open mouth over the width of the mouth."""
    return float(np.linalg.norm(keypoints[66] - keypoints[62]) / (np.linalg.norm(keypoints[64] - keypoints[60]) + 1e-6))


def _mouth(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) soft mask of the open mouth."""
    soft = max(0.5, 0.008 * face_size(keypoints))
    return softened(filled([keypoints[60:68]], size), soft)


def _warped(
    image: np.ndarray, source: np.ndarray, target: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The face at net points `source` (78, 2) warped to `target` (78, 2).

    Returns (H, W, 3) float32 colours and the (H, W) bool mask of where it is.
    """
    image, left, top = part_round(image, source, 0.1 * face_size(source) + 2)
    if not image.size:
        return np.zeros((*size, 3), np.float32), np.zeros(size, bool)
    source = source - (left, top)
    triangles = net_triangles()
    numbers = covering_triangle(target[triangles], size)
    rows, columns = np.nonzero(numbers >= 0)
    places = np.zeros((*size, 2), np.float32)
    pixels = np.stack([columns, rows], -1)
    places[rows, columns] = carried(source[triangles], target[triangles], pixels, numbers[rows, columns])
    shrink = face_size(source) / max(face_size(target), 1)
    if shrink > 1.5:
        image = softened(image, 0.4 * shrink)
    face = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return face.astype(np.float32), numbers >= 0


def _relit(face: np.ndarray, here: np.ndarray, mask: np.ndarray, reach_px: float) -> np.ndarray:
    """(H, W, 3) the details of a face on the light and colour of a place; a wide blur separates the two.

    Details are scaled by the room that is left up to white and down to black, so that both stay what they are.
    """
    weight = mask.astype(np.float32)
    total = softened(weight, reach_px)[..., None] + 1e-4
    ground, own = (softened(part * weight[..., None], reach_px) / total for part in (here, face))
    detail = face - own
    room = np.where(detail > 0, (260 - ground) / (260 - own), (ground + 5) / (own + 5))
    return np.asarray(ground + detail * np.clip(room, 0.4, 2.5))


def _seam(mask: np.ndarray, reach_px: float) -> np.ndarray:
    """(H, W) 0 outside an (H, W) mask and at its edge, rising to 1 within 2.5 `reach_px` inside."""
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inside = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    share = np.clip(inside / max(2.5 * reach_px, 1), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))
