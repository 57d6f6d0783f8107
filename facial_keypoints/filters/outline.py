"""Where a face ends in a picture, forehead included: the 68 points stop at the brows."""

import cv2
import numpy as np

from facial_keypoints.core import geometry
from facial_keypoints.filters.art import filled

_BROWS = np.arange(26, 16, -1)
"""From the subject's left to the right: the outline runs along the jaw from right to left and then back."""


def forehead(keypoints: np.ndarray, share: float) -> np.ndarray:
    """(10, 2) px above the brows of (68, 2) keypoints, `share` of the way from the brows to an average hairline.

    The distances from the hairline to the brows, from there to the base of the nose and on to the chin are about equal.
    """
    up = keypoints[17:27].mean(0) - keypoints[33]
    arch = np.sin(np.linspace(0.2, np.pi - 0.2, len(_BROWS)))[:, None]
    return np.asarray(keypoints[_BROWS] + share * up * (0.6 + 0.4 * arch))


def outline(keypoints: np.ndarray, forehead_share: float) -> np.ndarray:
    """(27, 2) px round the face of (68, 2) keypoints: the jaw, then the forehead (see `forehead`)."""
    return np.concatenate([keypoints[:17], forehead(keypoints, forehead_share)])


def face_size(keypoints: np.ndarray) -> float:
    """`core.geometry.face_size` of one face of (K, 2) points, px."""
    return float(geometry.face_size(keypoints))


def part_round(image: np.ndarray, points: np.ndarray, margin_px: float) -> tuple[np.ndarray, int, int]:
    """The part of a picture round (K, 2) points and a margin, a view of it, and its left and top px.

    It is empty where all of that lies outside. Warps get such parts since OpenCV's refuse pictures of 32,767 pixels.
    """
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(points.min(0) - margin_px), 0, (width, height)).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(0) + margin_px) + 1, 0, (width, height)).astype(int).tolist()
    return image[top:bottom, left:right], left, top


def cover(keypoints: np.ndarray, forehead_share: float, size: tuple[int, int], grow_px: float = 0.0) -> np.ndarray:
    """(H, W) float32 mask, 1 inside the convex hull of outline and points and up to `grow_px` round it, 0 outside."""
    hull = cv2.convexHull(np.concatenate([outline(keypoints, forehead_share), keypoints]).astype(np.float32))[:, 0]
    if grow_px > 0:
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ring = grow_px * np.stack([np.cos(angle), np.sin(angle)], -1)
        hull = cv2.convexHull((hull[:, None] + ring).reshape(-1, 2).astype(np.float32))[:, 0]
    return filled([hull], size)
