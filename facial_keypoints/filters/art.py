"""Drawing of overlays: outlines become smooth masks, masks become rounded bodies with light on them."""

import cv2
import numpy as np

_SHIFT = 8
"""Binary digits of a pixel in which OpenCV takes coordinates."""
_FARTHEST_PX = 2.0**22
"""Coordinates beyond are brought to here: OpenCV counts in 32 bits, eight of them after the point."""
_KEPT_SIGMA_PX = 8
"""Standard deviation of the Gaussian that is applied in place of a wider one, to a copy reduced by as much."""
LIGHT = np.array([-0.35, -0.65, 0.67])
"""Direction of the light under which overlays are drawn: x right, y down, z towards the viewer."""


def filled(outlines: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 mask 0..1 of the inside of (K, 2) outlines in px, smooth at the edge; `size` is (H, W)."""
    mask = np.zeros(size, np.uint8)
    for outline in outlines:
        near = np.clip(outline, -_FARTHEST_PX, _FARTHEST_PX)
        cv2.fillPoly(mask, [np.rint(near * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / 255


def softened(values: np.ndarray, sigma_px: float) -> np.ndarray:
    """(H, W, ...) float32 values blurred by a Gaussian.

    A wide Gaussian is applied to a reduced copy: its time would grow with its width, and a face may be larger than the
    picture.
    """
    step = int(sigma_px / _KEPT_SIGMA_PX)
    if step < 2:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px))
    height, width = values.shape[:2]
    small = cv2.resize(values, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def inside_px(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32 distance in px from each place inside an (H, W) mask 0..1 to its edge; 0 outside."""
    return np.asarray(cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def rounded(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """An (H, W) float32 mask 0..1 with its corners and notches rounded."""
    soft = cv2.GaussianBlur(mask, (0, 0), radius_px / 2)
    return np.asarray(np.clip((soft - 0.5) * radius_px + 0.5, 0, 1))


def bevelled(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """(H, W, 3) float32 unit normals of a flat body, shaped as an (H, W) mask, its edge rounded over the radius."""
    depth = np.clip(inside_px(mask) / radius_px, 0, 1)
    height = radius_px * np.sqrt(np.clip(1 - (1 - depth) ** 2, 0, 1))
    soft = np.asarray(cv2.GaussianBlur(height, (0, 0), radius_px / 5), np.float32)
    slope = [cv2.Sobel(soft, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))]
    normal = np.stack([-slope[0], -slope[1], np.ones_like(soft)], -1)
    return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))


def glossy(normals: np.ndarray, colour: tuple[float, float, float], gloss: float, sharpness: float) -> np.ndarray:
    """(H, W, 3) float32 colours 0..1 of a body with (H, W, 3) normals under LIGHT: diffuse, and a highlight (Blinn)."""
    diffuse = 0.45 + 0.55 * np.clip(normals @ LIGHT, 0, 1) / LIGHT[2]
    half = LIGHT + np.array([0, 0, 1])
    shine = gloss * np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** sharpness
    return np.asarray(np.array(colour) * diffuse[..., None] + shine[..., None], np.float32)


def layer(colour: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """(H, W, 4) float32 overlay: colour times opacity, and opacity.

    `colour` is (H, W, 3) or (3,), 0..1, `opacity` (H, W), 0..1.
    """
    opacity = opacity[..., None]
    return np.concatenate([np.clip(colour, 0, 1) * opacity, opacity], -1).astype(np.float32)


def over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """(H, W, 4) overlay `top` laid over the overlay `bottom` (Porter and Duff, "Compositing Digital Images", 1984)."""
    return np.asarray(top + bottom * (1 - top[..., 3:]))
