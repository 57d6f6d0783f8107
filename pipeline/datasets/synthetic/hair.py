"""Hair and headwear: shells over the scalp, and curtains of long hair."""

import numpy as np

from facial_keypoints.mean_face.surface import grid_directions, normals
from pipeline.datasets.synthetic.layout import Layout
from pipeline.datasets.synthetic.part import Part, plain
from pipeline.datasets.synthetic.people import Identity
from pipeline.datasets.synthetic.skin import Paint, linear, mix, noise, streaks

STYLES = ("bald", "buzz", "short", "parted", "fringe", "curly", "tied", "bob", "long")
HEADWEAR = ("none", "beanie", "cap", "scarf")

COVERS_EARS = ("fringe", "bob", "long")
_FALLS_SIDEWAYS = ("parted", "bob", "long")

_LINE_DEG = np.array([0, 18, 34, 48, 58, 66, 73, 80, 90, 100, 115, 140])
_LINE_MM = np.array([-76, -76, -71, -60, -42, -18, 4, 22, 14, 60, 78, 90])
"""Height of the hairline (head y, down) at each longitude of _LINE_DEG: forehead, temple, sideburn, ear, nape."""


def _longitude(place: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(np.abs(np.arctan2(place[..., 0], place[..., 2]))))


def _inside(person: Identity, where: Layout, line_mm: np.ndarray) -> np.ndarray:
    """Return (S, S) millimetres by which a place lies inside the hairline, negative outside; the edge is ragged."""
    longitude = _longitude(where.place)
    line = np.interp(longitude, _LINE_DEG, line_mm).astype(np.float32)
    ragged = 2.2 * noise(person.texture_seed + 20, (8, 260), longitude.shape)
    ragged += 3.0 * noise(person.texture_seed + 21, (8, 26), longitude.shape)
    return np.asarray(line - where.place[..., 1] + ragged, np.float32)


def _hairline(person: Identity) -> np.ndarray:
    line = _LINE_MM.astype(np.float32).copy()
    front = np.array([0.8, 1, 1.4, 1.3, 0.8, 0.3, 0, 0, 0, 0, 0, 0])
    line -= 13 * person.hairline * front
    if person.hair_style == "fringe":
        line += np.array([44, 44, 40, 34, 24, 10, 4, 0, 0, 0, 0, 0])
    if person.hair_style in COVERS_EARS:
        line[5:] = (-14, 22, 56, 76, 86, 90, 90)
    if person.hair_style == "bald":
        line[:7] = -140 + 60 * np.clip(np.arange(7) - 4, 0, 2)
    return line


def _thickness(person: Identity, where: Layout, inside: np.ndarray) -> np.ndarray:
    """Return the (S, S) thickness of the hair in millimetres."""
    shape, seed = inside.shape, person.texture_seed
    swell = 0.2 + 0.8 * np.clip(inside / 28, 0, 1) ** 0.7
    strands = streaks(seed + 22, *_combed(person, where, 0.35))
    side_taper = np.where(_longitude(where.place) > 60, 0.85, 1.0)
    match person.hair_style:
        case "buzz" | "bald":
            return 2.0 + 0.3 * noise(seed + 23, (200, 200), shape)
        case "curly":
            curls = noise(seed + 23, (34, 34), shape) + 0.6 * noise(seed + 24, (80, 80), shape)
            return 1.7 * person.hair_mm * swell + 3.0 * curls
        case "parted":
            lean = 1 + 0.5 * np.tanh((where.place[..., 0] * (1 if seed % 2 else -1) + 20) / 12)
            return person.hair_mm * swell * side_taper * lean + 1.2 * strands
        case "tied":
            return 5 + 0.25 * person.hair_mm * swell + 0.5 * strands
        case "short":
            return person.hair_mm * swell * side_taper + 1.5 * strands
    return person.hair_mm * swell + 1.0 * strands


def _combed(person: Identity, where: Layout, fineness: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the strand of each place of the scalp and how far along the strand it lies, both (S, S), for `streaks`."""
    x, y, z = np.moveaxis(where.place, -1, 0)
    if person.hair_style in _FALLS_SIDEWAYS:
        return fineness * (3.2 * z + 0.5 * y), 0.03 * np.hypot(x, y + 100)
    sweep = (person.texture_seed % 9 - 4) / 4
    longitude = np.arctan2(x, z + 20)
    return fineness * (180 * longitude + 2.2 * sweep * y), 0.03 * y


def _coloured(person: Identity, strands: np.ndarray) -> np.ndarray:
    """Return the (H, W, 3) linear colour of hair, varied by (H, W) strands of unit standard deviation."""
    return np.asarray(
        (0.85 * linear(person.hair_rgb) + 0.005) * np.clip(1 + 0.36 * strands, 0.25, 2.2)[..., None], np.float32
    )


def _roughened(normal: np.ndarray, strands: np.ndarray) -> np.ndarray:
    """Return the normals tilted with the strands, so that highlights break up."""
    jitter = 0.22 * strands
    normal = normal + np.stack([jitter, 0.3 * jitter, np.zeros_like(jitter)], -1)
    return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True), np.float32)


def tint_scalp(person: Identity, paint: Paint, where: Layout) -> None:
    """Darken the skin under the hair and at its edge, in place."""
    cover = np.clip(_inside(person, where, _hairline(person)) / 9 + 0.35, 0, 1)
    cover *= 0.55 if person.hair_style in ("buzz", "bald") else 0.95
    paint.albedo[:] = mix(
        paint.albedo, _coloured(person, noise(person.texture_seed + 27, (230, 230), cover.shape)), cover
    )


def scalp_hair(person: Identity, skin: np.ndarray, where: Layout) -> Part:
    """Model the hair on the head as a shell over the (S, S, 3) skin."""
    inside = _inside(person, where, _hairline(person))
    outward = grid_directions(where.side)
    thick = np.maximum(_thickness(person, where, inside), 0.5)
    if person.headwear != "none":
        inside = np.where(_hat_edge(where) > 6, -1, inside)
        thick = np.where(_hat_edge(where) > -12, np.minimum(thick, 4.0), thick)  # pressed flat
    surface = skin + outward * thick[..., None].astype(np.float32)
    if person.hair_style in ("curly", "buzz", "bald"):
        strands = noise(person.texture_seed + 26, (110, 110), inside.shape)
        inside = inside + 4 * noise(person.texture_seed + 27, (230, 230), inside.shape)
    else:
        coarse, fine = (streaks(person.texture_seed + 25, *_combed(person, where, rate)) for rate in (0.3, 1.0))
        strands = 0.75 * coarse + 0.65 * fine
    paint = Paint(_coloured(person, strands), np.full(inside.shape, 0.5, np.float32), 0.0)
    return Part(surface, _roughened(normals(surface), strands), paint, inside > 3)


def curtain(person: Identity, side: int, head: np.ndarray, *, width: float) -> Part | None:
    """Model long hair in camera millimetres; None for short hair.

    Its top follows the (3, 3) rotation `head`, below that it hangs straight down. `width` is as for `ears`.
    """
    ends = {"long": 150.0, "bob": 62.0, "fringe": 70.0}
    if person.hair_style not in ends:
        return None
    rows, columns = max(side * 2 // 3, 8), side
    seed = person.texture_seed
    across, down = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(0, 1, rows))
    opening = 64.0 + seed % 13 + 10 * down
    longitude = np.radians(opening + (360 - 2 * opening) * (across + 1) / 2)
    length = ends[person.hair_style] + 14 * noise(seed + 30, (1, 14), across.shape)
    wave = (2 + seed % 5) * noise(seed + 31, (7, 40), across.shape)
    spread = 0.6 * person.hair_mm + 3 + 12 * down**0.7 + wave * np.clip(down * 3, 0, 1)
    y = -35 + down * (length + 35)
    x = (73 * width + spread) * np.sin(longitude)
    z = (84 + spread) * np.cos(longitude) - 10
    rest = np.stack([x, y, z], -1)
    hang = (np.clip(down * 1.3 - 0.15, 0, 1) * 0.75)[..., None]
    surface = (rest @ head.T * (1 - hang) + rest * hang).astype(np.float32)
    strands = 0.7 * streaks(seed + 25, across * 90, down) + 0.6 * streaks(seed + 26, across * 240, 3 * down)
    part = plain(surface, _coloured(person, strands), gloss=0.55)
    part.normals = _roughened(-part.normals, strands)
    return part


def _hat_edge(where: Layout) -> np.ndarray:
    """Return (S, S) millimetres by which a place lies inside the edge of a beanie or cap."""
    y, z = where.place[..., 1], where.place[..., 2]
    return np.asarray(0.35 * np.abs(np.minimum(z - 60, 0)) - 50 - y)


def headwear(person: Identity, skin: np.ndarray, where: Layout) -> list[Part]:
    """Model a beanie, cap or scarf over the (S, S, 3) skin and the hair; nothing without headwear."""
    if person.headwear == "none":
        return []
    x, y, z = np.moveaxis(where.place, -1, 0)
    outward = grid_directions(where.side)
    thick = 9.0 if person.headwear == "cap" else 8.0 + 2.0 * np.clip((-y - 50) / 40, 0, 1)
    cloth = linear(person.headwear_rgb)
    if person.headwear == "scarf":
        oval = (x / 64) ** 2 + ((y - 26) / np.where(y < 26, 86, 95)) ** 2
        exists = (oval > 1) | (z < 22)
        folds = 0.16 * noise(person.texture_seed + 33, (8, 30), y.shape)
    else:
        exists = _hat_edge(where) > 0
        knit = (
            np.sin(np.linspace(0, 160 * np.pi, where.side))[None] if person.headwear == "beanie" else np.zeros((1, 1))
        )
        folds = 0.14 * knit + 0.05 * noise(person.texture_seed + 33, (20, 20), y.shape)
    surface = skin + outward * np.asarray(thick + 0 * y, np.float32)[..., None]
    albedo = (cloth * (1 + folds)[..., None]).astype(np.float32)
    shell = Part(surface, normals(surface), Paint(albedo, np.full(y.shape, 0.08, np.float32), 0.0), exists)
    return [shell, _brim(cloth, where.side)] if person.headwear == "cap" else [shell]


def _brim(cloth: np.ndarray, side: int) -> Part:
    """Model the peak of a cap, above the brows."""
    across, out = np.meshgrid(np.linspace(-1, 1, side // 2), np.linspace(1, 0, side // 3))
    reach = 62 * np.sqrt(np.clip(1 - across**2, 0, 1)) * out
    x = 66 * across
    y = -50 + 0.16 * reach - 7 * (1 - across**2)
    z = 96 * np.sqrt(np.clip(1 - (x / 82) ** 2, 0, 1)) + reach
    part = plain(np.stack([x, y, z], -1)[::-1], 0.8 * cloth)
    part.normals = np.broadcast_to(np.array([0, -0.96, 0.28], np.float32), part.surface.shape).copy()
    return part
