"""Paint of the face over the coordinates (u, v) of the skin: tone, blotches, lips, brows, beard and folds."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from facial_keypoints.mean_face.expression import Expression
from pipeline.datasets.synthetic.layout import Layout, blur, px
from pipeline.datasets.synthetic.people import Identity

_TONES = (
    np.array(
        [
            *[(247, 212, 192), (240, 196, 170), (229, 178, 146), (210, 154, 118), (181, 124, 88), (146, 96, 66)],
            *[(112, 71, 49), (80, 51, 37)],
        ]
    )
    / 255
)
"""sRGB colours of skin, 0..1, from lightest to darkest."""


@dataclass
class Paint:
    """Material of a surface: maps over its grid that tell how it reflects light."""

    albedo: np.ndarray
    """(H, W, 3) float32 linear colour."""
    gloss: np.ndarray
    """(H, W) float32, 0..1."""
    soft: float
    """Share of the light that is scattered below the surface: 1 for skin, 0 for all else."""


def linear(rgb: np.ndarray | tuple[float, float, float]) -> np.ndarray:
    """Convert sRGB 0..1 to linear light, approximately: by a gamma of 2.2."""
    return np.asarray(np.asarray(rgb) ** 2.2, np.float32)


def skin_colour(person: Identity) -> np.ndarray:
    """Return the (3,) linear colour of the skin."""
    level = person.skin_tone * (len(_TONES) - 1)
    tone = np.array([np.interp(level, np.arange(len(_TONES)), channel) for channel in _TONES.T])
    flush = (person.ruddiness - 0.4) * np.array([0.02, -0.025, -0.02])
    return linear(np.clip(tone + flush, 0, 1))


_BANK_SIDE = 1024


@cache
def _bank() -> np.ndarray:
    """Return (1024, 1024) float32 noise of unit standard deviation.

    Every texture is a window of it, as drawing new numbers takes longer.
    """
    return np.random.default_rng(0).standard_normal((_BANK_SIDE, _BANK_SIDE), np.float32)


def _window(seed: int, rows: int, columns: int) -> np.ndarray:
    place = (seed * 2654435761) % 2**32
    top, left = (place >> 16) % (_BANK_SIDE - rows), (place & 0xFFFF) % (_BANK_SIDE - columns)
    return _bank()[top : top + rows, left : left + columns]


def noise(seed: int, cells: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Return (H, W) smooth noise, interpolated between `cells` = (rows, columns) values of unit standard deviation.

    The same seed gives the same picture at any `shape`.
    """
    return np.asarray(cv2.resize(_window(seed, *cells), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def streaks(seed: int, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return (H, W) noise of unit standard deviation that is drawn out along strands.

    across, (H, W), counts the strands; along, (H, W), the kinks in a strand.
    """
    column, row = (across % 511).astype(np.float32), (along % 63).astype(np.float32)
    return np.asarray(cv2.remap(_window(seed, 64, 512), column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def mix(base: np.ndarray, colour: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Blend (H, W, 3) float32: `base` where the (H, W) mask is 0, `colour` where it is 1."""
    out = np.empty((*mask.shape, 3), np.float32)
    for channel in range(3):  # one at a time: far faster than arrays whose last axis is 3
        start = base[..., channel]
        out[..., channel] = start + (colour[..., channel] - start) * mask
    return out


def paint_skin(person: Identity, expression: Expression, where: Layout) -> Paint:
    """Paint all of the face but the eyes and the inside of the mouth."""
    seed, shape = person.texture_seed, (where.side, where.side)
    blotch = 0.035 * noise(seed, (24, 24), shape) + 0.03 * noise(seed + 1, (90, 90), shape)
    shade = (1 + blotch) * (1 - _darkening(person, expression, where))
    albedo = cv2.merge(
        [tone * shade * tint for tone, tint in zip(skin_colour(person), _flush(person, where), strict=True)]
    )
    albedo = _freckles(albedo, person, where)
    albedo = _lips(albedo, person, where)
    albedo = _lids(albedo, person, where)
    hair = 0.9 * linear(person.hair_rgb) + 0.004
    albedo = mix(albedo, hair * _hair_light(person, shape), _beard(person, where))
    albedo = mix(albedo, hair * _hair_light(person, shape), _brows(person, where))
    gloss = 0.28 + 0.05 * noise(seed + 2, (60, 60), shape) + 0.5 * where.lips * (0.4 + 0.6 * person.makeup)
    return Paint(albedo, np.clip(gloss, 0, 1).astype(np.float32), 1.0)


def _hair_light(person: Identity, shape: tuple[int, int]) -> np.ndarray:
    return (1 + 0.35 * noise(person.texture_seed + 3, (150, 220), shape)).clip(0.4, 2)[..., None]


def _flush(person: Identity, where: Layout) -> tuple[np.ndarray, ...]:
    """Return (S, S) factors on red, green and blue where blood shows: cheeks, nose and ears."""
    x, y, z = np.moveaxis(where.place, -1, 0)
    nose = np.exp(-((x / 14) ** 2) - ((y - 38) / 12) ** 2)
    ears = np.exp(-(((np.abs(x) - 73) / 8) ** 2))
    red = (0.10 + 0.25 * person.ruddiness + 0.3 * person.makeup) * (1 - 0.5 * person.skin_tone)
    amount = red * (where.blush + 0.55 * nose + 0.4 * ears * (z < 20))
    return 1 + 0.05 * amount, 1 - 0.38 * amount, 1 - 0.36 * amount


def _darkening(person: Identity, expression: Expression, where: Layout) -> np.ndarray:
    """Return the (S, S) share of light lost in folds and hollows that the coarse surface does not model."""
    x, y, _ = np.moveaxis(where.place, -1, 0)
    smile = max(expression.smile, 0)
    dark = 0.88 * where.nostrils + (0.16 + 0.06 * person.age) * where.sockets
    dark += where.folds * (0.16 + 0.45 * person.age + 0.4 * smile)
    dark += 0.5 * where.crease * (1 - max(expression.close_right, expression.close_left, 0))
    wave = np.sin((y + 0.02 * (x / 10) ** 2 + 1.5 * noise(person.texture_seed + 5, (6, 6), x.shape)) * 2 * np.pi / 11)
    lines = np.clip(wave - 0.55, 0, 1) * np.exp(-((x / 38) ** 2) - ((y + 48) / 16) ** 2)
    dark += lines * (0.5 * person.age + 0.8 * max(expression.brow_raise, 0) * (0.3 + person.age))
    frown = np.exp(-(((np.abs(x) - 6) / 2.2) ** 2) - ((y + 17) / 9) ** 2)
    dark += frown * (0.15 * person.age + 0.5 * max(expression.brow_furrow, 0))
    under = np.exp(-(((np.abs(x) - 29) / 13) ** 2) - ((y - 12.5 - 0.004 * (np.abs(x) - 29) ** 2) / 2.2) ** 2)
    return np.asarray(np.clip(dark + 0.3 * person.age * under, 0, 0.9))


def _freckles(albedo: np.ndarray, person: Identity, where: Layout) -> np.ndarray:
    if not person.freckles:
        return albedo
    spots = np.clip(noise(person.texture_seed + 6, (170, 170), albedo.shape) - 1.3, 0, 0.6)
    x, y, _ = np.moveaxis(where.place, -1, 0)
    region = np.exp(-((x / 48) ** 2) - ((y - 26) / 20) ** 2).astype(np.float32)
    return mix(albedo, albedo * np.array([0.62, 0.45, 0.35], np.float32), spots * region * person.freckles)


def _lips(albedo: np.ndarray, person: Identity, where: Layout) -> np.ndarray:
    colour = linear(person.lip_rgb)
    creased = colour * (1 + 0.07 * noise(person.texture_seed + 7, (20, 260), albedo.shape))[..., None]
    albedo = mix(albedo, creased, where.lips * (0.72 + 0.25 * person.makeup))
    return mix(albedo, colour * np.array([0.25, 0.14, 0.14], np.float32), 0.8 * where.lip_line)


def _lids(albedo: np.ndarray, person: Identity, where: Layout) -> np.ndarray:
    dark = np.full(3, 0.012, np.float32)
    shadow = np.clip(where.crease * 1.2, 0, 1) * 0.35 * person.makeup
    albedo = mix(albedo, linear(person.lip_rgb) * 0.4, shadow)
    albedo = mix(albedo, dark, where.lash_lower * (0.3 + 0.35 * person.makeup))
    return mix(albedo, dark, np.clip(where.lash_upper * (0.95 + 0.25 * person.makeup), 0, 1))


def _brows(person: Identity, where: Layout) -> np.ndarray:
    t, s = where.brow_along, where.brow_across
    half = person.brow_mm / 2 * np.clip(1.15 - 0.75 * t.clip(0, 1) ** 2, 0.1, 1.1) * np.clip((t + 0.14) * 6, 0, 1)
    edge = 1 - np.abs(s + 0.1 * person.brow_mm) / np.maximum(half, 0.05)
    strands = noise(person.texture_seed + 4, (110, 330), t.shape)
    body = np.clip(edge * 2.2 + 0.22 * strands, 0, 1) * np.clip((t + 0.12) * 8, 0, 1) * np.clip((1.06 - t) * 7, 0, 1)
    front = where.place[..., 2] > 20
    return np.asarray(body * front * person.brow_strength * 0.92, np.float32)


def _beard(person: Identity, where: Layout) -> np.ndarray:
    ragged = noise(person.texture_seed + 8, (140, 140), where.eyes.shape)
    fine = noise(person.texture_seed + 9, (330, 330), where.eyes.shape)
    cheeks = person.beard * where.beard * (1 + 0.25 * ragged)
    lip = person.moustache * where.moustache * (1 + 0.25 * ragged)
    cover = np.clip(np.maximum(cheeks, lip) * (1.05 + 0.35 * fine), 0, 0.97)
    keep = 1 - blur(np.clip(where.lips + where.mouth, 0, 1), px(where.side, 0.4))
    return np.asarray(np.clip(cover, 0, 1) * keep, np.float32)
