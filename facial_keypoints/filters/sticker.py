"""A picture of the user on a face: a flat card in space, pinned to keypoints by a file of anchors.

The file is YAML or JSON and says where keypoints lie in the picture, in its pixels, the centre of its top left pixel
being (0, 0):

    anchors:
      36: [102, 240]   # outer corner of the subject's right eye
      45: [410, 238]   # and of the left one
"""

import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import shown
from facial_keypoints.core.yaml_files import read_yaml
from facial_keypoints.filters.head import Head, fit_head
from facial_keypoints.filters.light import light_of
from facial_keypoints.filters.surfaces import Shadow, Sheet, lay_over

_EVERY = 24
"""Points of the grid of the card along each side."""
_LARGEST_PX = 8192
_NO_SHADOW = Shadow(drop_mm=0, blur_mm=1, strength=0)
_FORM = "anchors: {36: [x, y], 45: [x, y]}"


@dataclass(frozen=True)
class Sticker:
    """A picture, and where keypoints lie in it."""

    picture: np.ndarray
    """(h, w, 4) float32: sRGB 0..1 times opacity, and opacity."""
    indices: np.ndarray
    """(K,) keypoints, at least two."""
    places: np.ndarray
    """(K, 2) float64 px of the picture where they lie."""


def put_sticker(image: np.ndarray, keypoints: np.ndarray, sticker: Sticker) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with a sticker on it, each anchor on its keypoint. Raises DataError."""
    head = fit_head(keypoints)
    places = _corners(sticker)
    card = _on_card(head, sticker, places)
    pixels = head.project_rigidly(card) + _pull(head, sticker, places)
    sheet = Sheet(card, sticker.picture, sunk_mm=math.inf, pixels=pixels)
    return lay_over(image, head, [sheet], _NO_SHADOW, light_of(image, head))


def _corners(sticker: Sticker) -> np.ndarray:
    """(24, 24, 2) px of the picture of the sticker, from outer edge to outer edge."""
    height, width = sticker.picture.shape[:2]
    x, y = (np.linspace(-0.5, side - 0.5, _EVERY) for side in (width, height))
    return np.stack(np.meshgrid(x, y), -1)


def _on_card(head: Head, sticker: Sticker, places: np.ndarray) -> np.ndarray:
    """(..., 2) px of the sticker -> (..., 3) head millimetres on a flat card, by the similarity that fits best."""
    wanted = head.points[sticker.indices]
    source, target = (points[:, 0] + 1j * points[:, 1] for points in (sticker.places, wanted))
    spread = source - source.mean()
    factor = (spread.conj() @ (target - target.mean())) / (np.abs(spread) ** 2).sum()
    flat = factor * (places[..., 0] + 1j * places[..., 1] - source.mean()) + target.mean()
    return np.stack([flat.real, flat.imag, np.full(flat.shape, wanted[:, 2].mean())], -1)


def _pull(head: Head, sticker: Sticker, places: np.ndarray) -> np.ndarray:
    """(..., 2) px by which the card is moved in the photograph so that each anchor falls on its keypoint.

    The movement is interpolated smoothly between the anchors; far from them it is their mean.
    """
    miss = head.keypoints[sticker.indices] - head.project_rigidly(_on_card(head, sticker, sticker.places))
    reach = np.linalg.norm(np.ptp(sticker.places, axis=0))

    def nearness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        # Matérn's kernel: smooth, and solvable for 68 anchors, for which the matrix of a Gaussian is nearly singular.
        apart = 4 * np.linalg.norm(a[..., None, :] - b, axis=-1) / reach
        return np.asarray((1 + apart) * np.exp(-apart))

    weights = np.linalg.solve(nearness(sticker.places, sticker.places), miss - miss.mean(0))
    return np.asarray(miss.mean(0) + nearness(places, sticker.places) @ weights)


def load_sticker(picture: str | PathLike[str], anchors: str | PathLike[str]) -> Sticker:
    """The sticker of a PNG and its file of anchors, for `filter_faces`.

    Args:
        picture: a PNG, best with transparency.
        anchors: a YAML file that says which pixels of the picture lie on which of the 68 points: `anchors: {36: [102,
            240], 45: [410, 238]}`, x and y, the centre of the top left pixel being [0, 0].

    Raises:
        DataError: one of them is missing or damaged, or they do not fit together.
    """
    for given in (picture, anchors):
        if not (isinstance(given, str | PathLike) and str(given)):
            raise DataError(f"{shown(given)} is no path; give that of a PNG, and that of its anchors")
    rgba = _read_rgba(Path(picture))
    indices, places = _read_anchors(Path(anchors), rgba.shape[1], rgba.shape[0])
    rgba[..., :3] *= rgba[..., 3:]
    return Sticker(rgba, indices, places)


def _read_rgba(path: Path) -> np.ndarray:
    """(H, W, 4) float32 0..1."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if max(image.size) > _LARGEST_PX:
                raise DataError(f"{path} is {image.width} x {image.height}; make it {_LARGEST_PX} pixels or smaller")
            return np.asarray(image.convert("RGBA"), np.float32) / 255
    except DataError:
        raise
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise DataError(f"{path} is no PNG that can be read ({error}); save it anew as PNG, best with alpha") from None


def _read_anchors(path: Path, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """(K,) keypoints and (K, 2) places in a picture of a width and height. Raises DataError."""
    try:
        content = read_yaml(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); it should be a file like {_FORM}") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}; it should read like {_FORM}") from None
    if not isinstance(content, dict) or set(content) != {"anchors"} or not isinstance(content["anchors"], dict):
        raise DataError(f"{path} should hold one entry, anchors, and read like {_FORM}")
    pairs = dict(_anchor(path, *item, width, height) for item in content["anchors"].items())
    places = np.array(list(pairs.values()), np.float64).reshape(-1, 2)
    if len(np.unique(places, axis=0)) < max(2, len(content["anchors"])):
        raise DataError(f"{path} names {len(places)} places; give two or more, all different, like {_FORM}")
    return np.array(list(pairs)), places


def _anchor(path: Path, key: Any, place: Any, width: int, height: int) -> tuple[int, tuple[float, float]]:
    """A keypoint and its place from an entry of the file. Raises DataError."""
    text = str(key) if isinstance(key, int | str) else ""
    if text not in map(str, range(IBUG_68.count)):
        raise DataError(f"{path}: anchor {shown(key)} is no keypoint; number them 0..{IBUG_68.count - 1}, like {_FORM}")
    sound = isinstance(place, list) and len(place) == 2 and all(type(value) in (int, float) for value in place)
    # Some way beyond the picture is sensible: a hat may end above the eyes it is pinned to.
    if not sound or not all(-4 * s <= value <= 5 * s for value, s in zip(place, (width, height), strict=True)):
        raise DataError(
            f"{path}: anchor {text} is {shown(place)}; give [x, y] in pixels of the {width} x {height} picture"
        )
    return int(text), (float(place[0]), float(place[1]))
