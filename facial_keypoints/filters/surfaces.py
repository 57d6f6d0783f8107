"""Sheets with a picture on them, curved in space round a head and laid over a photograph, the head hiding its part."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.filters.art import softened
from facial_keypoints.filters.head import Head
from facial_keypoints.filters.light import Light
from facial_keypoints.filters.piecewise import carried, covering_triangle, grid_triangles
from facial_keypoints.mean_face.surface import CENTRE

_MOST_SAMPLES = 4_000_000
"""Overlays are drawn at twice their size and reduced, so that edges are smooth; large ones with at most so many
samples, which bounds the time and memory of drawing; to lay them over takes about 100 bytes a pixel of the face."""
_NOTHING = -1e6
"""Depth where there is no skin, millimetres."""


@dataclass(frozen=True)
class Sheet:
    """A thing that is put on a head."""

    grid: np.ndarray
    """(R, C, 3) head millimetres; the picture is spread evenly over it, its top row along the first row."""
    picture: np.ndarray
    """(h, w, 4) float32: sRGB 0..1 times opacity, and opacity."""
    roundness: float = 0.0
    """How much the light changes with its shape, 0..1; 0 where the picture holds all shading already."""
    inside: float = 1.0
    """Brightness of the side on which the picture is not mirrored: of a hat, drawn from its brim up, the inner one."""
    sunk_mm: float = 2.0
    """It is hidden where the skin is nearer to the camera by more than this."""
    pixels: np.ndarray | None = None
    """(R, C, 2) px of the grid in the photograph, where the projection of the head is not exact enough."""


@dataclass(frozen=True)
class Shadow:
    """The shadow of a thing on the skin below it."""

    drop_mm: float
    """How far it falls below the thing."""
    blur_mm: float
    """Standard deviation of its soft edge."""
    strength: float
    """Share of the light that it takes, 0..1."""


@dataclass(frozen=True)
class _Window:
    """The part of a photograph that is painted, in px of the photograph, and its size in samples."""

    top: int
    left: int
    pixels: tuple[int, int]
    """Height and width in the photograph."""
    size: tuple[int, int]
    """Height and width in samples."""

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the photograph."""
        return slice(self.top, self.top + self.pixels[0]), slice(self.left, self.left + self.pixels[1])

    def inside(self, places: np.ndarray) -> np.ndarray:
        """(..., 2) px of the photograph -> (..., 2) samples of the window."""
        scale = np.divide(self.size, self.pixels)[::-1]
        return np.asarray((places - (self.left, self.top) + 0.5) * scale - 0.5)

    def in_pixels(self, samples: np.ndarray) -> np.ndarray:
        """(h, w, ...) float32 samples of the window, resized to pixels of the photograph."""
        way = cv2.INTER_AREA if self.size > self.pixels else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(samples, self.pixels[::-1], interpolation=way), np.float32)


def lay_over(
    image: np.ndarray, head: Head, sheets: Sequence[Sheet], shadow: Shadow, light: Light, *, hair: float = 1.0
) -> np.ndarray:
    """A copy of a photograph with sheets on it and their shadow on the skin; what lies behind the head is hidden.

    Args:
        image: (H, W, 3) uint8 RGB.
        head: whose head it is.
        sheets: what is laid over it, the lowest first.
        shadow: of all sheets together.
        light: of the photograph.
        hair: width of the head with its hair over that of the bare head.
    """
    placed = [head.project(sheet.grid) if sheet.pixels is None else sheet.pixels for sheet in sheets]
    margin_px = (shadow.drop_mm + 3 * shadow.blur_mm) * head.px_per_mm + 2
    window = _window(placed, margin_px, image.shape[:2])
    if window is None:
        return image.copy()
    skin = _skin_depth(head, window, hair)
    overlay = np.zeros((*window.size, 4), np.float32)
    for sheet, pixels in zip(sheets, placed, strict=True):
        drawn = _draw(sheet, window.inside(pixels), head.rotated(sheet.grid), skin, light)
        overlay = drawn + overlay * (1 - drawn[..., 3:])
    overlay, cover = window.in_pixels(overlay), window.in_pixels((skin > _NOTHING).astype(np.float32))
    below = image[window.part].astype(np.float32) / 255
    below *= (1 - cover * _darkness(overlay[..., 3], shadow, head))[..., None]
    result = image.copy()
    result[window.part] = np.rint(255 * (light.on(overlay) + below * (1 - overlay[..., 3:])).clip(0, 1))
    return result


def _window(placed: list[np.ndarray], margin_px: float, size: tuple[int, int]) -> _Window | None:
    """The window round all (R, C, 2) px and a margin, inside a photograph of (H, W); None where nothing is inside."""
    pixels = np.concatenate([grid.reshape(-1, 2) for grid in placed])
    left, top = np.clip(np.floor(pixels.min(0) - margin_px), 0, size[::-1]).astype(int)
    right, bottom = np.clip(np.ceil(pixels.max(0) + margin_px), 0, size[::-1]).astype(int)
    if left >= right or top >= bottom:
        return None
    scale = min(2.0, float(np.sqrt(_MOST_SAMPLES / ((right - left) * (bottom - top)))))
    height, width = int(bottom - top), int(right - left)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return _Window(int(top), int(left), (height, width), size)


def _skin_depth(head: Head, window: _Window, hair: float) -> np.ndarray:
    """(H, W) float32 camera millimetres of the skin, the larger the nearer, in samples; _NOTHING beside the head."""
    wide = np.where(head.surface[..., 2:] < 60, hair, 1)  # no hair grows on the face
    surface = CENTRE + (head.surface - CENTRE) * cv2.blur(wide.astype(np.float64), (5, 5))[..., None]
    pixels = window.inside(head.project_rigidly(surface))
    numbers, depth = _seen(pixels, head.rotated(surface)[..., 2:], window.size)
    return np.where(numbers >= 0, depth[..., 0], np.float32(_NOTHING))


def _seen(pixels: np.ndarray, values: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """What is seen of a surface that hides only parts of itself.

    Args:
        pixels: (R, C, 2) px of its grid.
        values: (R, C, V) at the points of the grid, first the depth, the larger the nearer.
        size: height and width of the result.

    Returns:
        (H, W) numbers of the triangles, -1 for none, and (H, W, V) float32 values, 0 for none.
    """
    triangles = grid_triangles(*pixels.shape[:2])
    corners, carry = (part.reshape(-1, part.shape[-1])[triangles] for part in (pixels, values))
    numbers = covering_triangle(corners, size, np.argsort(carry[..., 0].mean(1)))
    rows, columns = np.nonzero(numbers >= 0)
    found = np.zeros((*size, values.shape[-1]), np.float32)
    found[rows, columns] = carried(carry, corners, np.stack([columns, rows], -1), numbers[rows, columns])
    return numbers, found


def _draw(sheet: Sheet, pixels: np.ndarray, places: np.ndarray, skin: np.ndarray, light: Light) -> np.ndarray:
    """Draw one sheet where the skin does not hide it.

    Args:
        sheet: what is drawn.
        pixels: (R, C, 2) samples of its grid.
        places: (R, C, 3) camera millimetres of its grid.
        skin: (H, W) depth of the skin, camera millimetres.
        light: of the photograph.

    Returns:
        (H, W, 4) float32 overlay.
    """
    rows, columns = places.shape[:2]
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    values = np.stack([places[..., 2], u, v, _shade(places, sheet, light)], -1)
    numbers, found = _seen(pixels, values, skin.shape)
    depth, across, down, lit = cv2.split(found)
    shown = (numbers >= 0) & (depth > skin - sheet.sunk_mm)
    picture = _reduced(sheet.picture, pixels)
    height, width = picture.shape[:2]
    drawn = cv2.remap(
        picture, across * width - 0.5, down * height - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    shaded = np.concatenate([drawn[..., :3] * lit[..., None], drawn[..., 3:]], -1)
    return np.asarray(shaded * shown[..., None])


def _shade(grid: np.ndarray, sheet: Sheet, light: Light) -> np.ndarray:
    """(R, C) brightness of the side that is seen of an (R, C, 3) grid in camera millimetres."""
    normal = np.cross(np.gradient(grid, axis=1), np.gradient(grid, axis=0))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    away = normal[..., 2] < 0
    return light.shade(np.where(away[..., None], -normal, normal), sheet.roundness) * np.where(away, 1, sheet.inside)


def _reduced(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """An (h, w, 4) picture reduced to about its size in the photograph, so that fine lines do not flicker."""
    longest = [np.linalg.norm(np.diff(pixels, axis=axis), axis=-1).sum(axis).max() for axis in (1, 0)]
    width, height = (
        max(1, min(side, round(1.3 * seen))) for side, seen in zip(picture.shape[1::-1], longest, strict=True)
    )
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def _darkness(cover: np.ndarray, shadow: Shadow, head: Head) -> np.ndarray:
    """(H, W) share of the light 0..1 that the shadow of an overlay of (H, W) opacity takes."""
    down = head.camera_from_head[:2, 1] * shadow.drop_mm * head.px_per_mm
    shift = np.array([[1, 0, down[0]], [0, 1, down[1]]])
    dropped = cv2.warpAffine(cover, shift, cover.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return shadow.strength * softened(dropped, max(0.3, shadow.blur_mm * head.px_per_mm))
