"""Filters by name, for all the faces of a picture."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import shown
from facial_keypoints.detector import Face, checked_faces, rgb_copy
from facial_keypoints.filters.crop import aligned_crop
from facial_keypoints.filters.glasses import sunglasses
from facial_keypoints.filters.hat import hat
from facial_keypoints.filters.moustache import moustache
from facial_keypoints.filters.net import mesh
from facial_keypoints.filters.outline import face_size
from facial_keypoints.filters.privacy import blur, pixelate
from facial_keypoints.filters.sticker import Sticker, put_sticker
from facial_keypoints.filters.swap import swap_faces

Name = Literal["sunglasses", "hat", "moustache", "sticker", "blur", "pixelate", "crop", "swap", "mesh"]
"""All filters."""

PictureFilter = Callable[[np.ndarray, Sequence[np.ndarray]], list[np.ndarray]]
"""An (H, W, 3) uint8 RGB picture and the (68, 2) keypoints of its faces -> one picture; of `crop` one for each face."""

_REACH = 32
"""Farthest point of a face over the longer side of the picture: an untrained model may predict points anywhere."""
_ON_ONE = {
    "sunglasses": sunglasses,
    "hat": hat,
    "moustache": moustache,
    "blur": blur,
    "pixelate": pixelate,
    "mesh": mesh,
}


def filter_faces(image: np.ndarray, faces: Iterable[Face], name: str, *, sticker: Sticker | None = None) -> np.ndarray:
    """A copy of a picture with a filter on its faces.

    Args:
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        faces: that were found in it, with the 68 points of iBUG; "swap" needs two.
        name: one of `Name` but "crop", which `aligned_crop` makes.
        sticker: what the filter "sticker" puts on, from `load_sticker`.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: the picture has another shape or type, no such filter makes one picture, its sticker is missing, or
            the points make no face in the picture.
    """
    if name == "crop":
        raise DataError("crop makes a picture of each face; cut them out with aligned_crop")
    if not isinstance(sticker, Sticker | None):
        raise DataError(f"sticker is {shown(sticker)} but should be what load_sticker gives")
    faces = checked_faces(faces)
    if any(face.scheme != IBUG_68 for face in faces):
        raise DataError(f"{name} needs faces with the points of {IBUG_68.title}; find them with another model")
    apply = picture_filter(name, crop_px=0, sticker=sticker)
    (made,) = apply(rgb_copy(image), [face.keypoints for face in faces])
    return made


def picture_filter(name: str, *, crop_px: int, sticker: Sticker | None) -> PictureFilter:
    """The filter of a name.

    Args:
        name: one of `Name`.
        crop_px: side of the pictures that the filter "crop" makes.
        sticker: what the filter "sticker" puts on, None for other filters.

    Returns:
        The filter. It raises DataError for points that make no face in the picture.

    Raises:
        DataError: no filter has the name, or its sticker is missing.
    """
    filtered = _named(name, crop_px, sticker)

    def checked(image: np.ndarray, faces: Sequence[np.ndarray]) -> list[np.ndarray]:
        for keypoints in faces:
            _check(keypoints, image.shape)
        return filtered(image, faces)

    return checked


def _check(keypoints: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise DataError for (68, 2) keypoints that are no numbers or far outside a picture of (H, W, ...)."""
    farthest = float(np.abs(keypoints).max())
    if not farthest <= _REACH * max(shape[:2]):
        raise DataError(
            f"points {farthest:.3g} pixels away make no face in a picture of {shape[1]} x {shape[0]}; "
            "train the model again, or choose another"
        )


def _named(name: str, crop_px: int, sticker: Sticker | None) -> PictureFilter:
    if name in _ON_ONE:
        return partial(_one_after_another, _ON_ONE[name])
    if name == "sticker":
        if sticker is None:
            raise DataError("the filter sticker needs one; give what load_sticker gives")
        return partial(_one_after_another, lambda image, keypoints: put_sticker(image, keypoints, sticker))
    if name == "crop":
        return lambda image, faces: [aligned_crop(image, keypoints, crop_px) for keypoints in faces]
    if name == "swap":
        return _swapped
    raise DataError(f"no filter is called {shown(name)}; there are {', '.join(get_args(Name))}")


def _one_after_another(
    filter_face: Callable[[np.ndarray, np.ndarray], np.ndarray], image: np.ndarray, faces: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Filter one face after the other, small ones first: larger ones are nearer and may hide them."""
    for keypoints in sorted(faces, key=face_size):
        image = filter_face(image, keypoints)
    return [image]


def _swapped(image: np.ndarray, faces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The picture with its two largest faces exchanged. Raises DataError where there are fewer."""
    if len(faces) < 2:
        raise DataError(f"swap needs two faces in the picture but {len(faces)} found; give a picture of two people")
    first, second = sorted(faces, key=face_size)[-2:]
    return [swap_faces(image, first, second)]
