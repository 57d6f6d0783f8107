"""Paint people who do not exist, put each filter on one of them, and write docs/filters.png.

python -m examples.gallery
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from facial_keypoints.detector import make_face
from facial_keypoints.filters.apply import picture_filter
from facial_keypoints.prediction.overlay import draw_faces
from pipeline.datasets.synthetic import Camera, Clothes, Expression, Face, Light, Pose, paint_onto, random_identity

OUTPUT = Path("docs/filters.png")
SIDE, GAP = 292, 8
STEP = 3
"""Brightness is kept in steps of this, which nobody sees and which saves half the file."""
LIGHT = Light(azimuth_deg=-30, elevation_deg=30, key=0.62, sky=0.42, floor=0.22)


@dataclass(frozen=True)
class Sitter:
    seed: int
    yaw_deg: float
    roll_deg: float
    cloth_rgb: tuple[float, float, float]


TILES: list[tuple[str, list[Sitter], tuple[float, float, float]]] = [
    ("68 points", [Sitter(18, 14, -4, (0.2, 0.34, 0.3))], (0.72, 0.8, 0.78)),
    ("mesh", [Sitter(9, -16, 3, (0.72, 0.7, 0.66))], (0.5, 0.58, 0.68)),
    ("sunglasses", [Sitter(11, 18, 5, (0.66, 0.25, 0.22))], (0.86, 0.79, 0.66)),
    ("hat", [Sitter(13, -14, -5, (0.85, 0.83, 0.78))], (0.62, 0.72, 0.82)),
    ("moustache", [Sitter(16, 12, 4, (0.25, 0.3, 0.42))], (0.8, 0.72, 0.7)),
    ("pixelate", [Sitter(20, -8, -3, (0.35, 0.28, 0.42))], (0.7, 0.76, 0.66)),
    ("swap", [Sitter(1, 8, 3, (0.3, 0.36, 0.34)), Sitter(25, -10, -3, (0.6, 0.4, 0.2))], (0.74, 0.74, 0.8)),
]
"""Label, who is painted, and the ground behind them."""


def tile(name: str, sitters: list[Sitter], ground: tuple[float, float, float]) -> Image.Image:
    """(SIDE, SIDE) for each who is in it, seen through the filter."""
    picture, faces = _ground(ground, len(sitters)), []
    for index, sitter in enumerate(sitters):
        person = random_identity(np.random.default_rng(sitter.seed), bare=True)
        mood = Expression(smile=0.45, close_right=0.16, close_left=0.16)
        face = Face(person, mood, Pose(sitter.yaw_deg, 2, sitter.roll_deg), Clothes("tshirt", sitter.cloth_rgb))
        middle = picture.shape[1] * (index + 0.5) / len(sitters)
        picture, points = paint_onto(picture, face, Camera(middle, 262, 1.75), LIGHT)
        faces.append(points)
    image = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    if name == "68 points":
        image = draw_faces(image, [make_face(points, 1.0) for points in faces])
    else:
        (image,) = picture_filter(name, crop_px=SIDE, sticker=None)(image, faces)
    return Image.fromarray(image).resize((_width(len(sitters)), SIDE), Image.Resampling.LANCZOS)


def _width(people: int) -> int:
    return people * SIDE + (people - 1) * GAP


def _ground(rgb: tuple[float, float, float], people: int) -> np.ndarray:
    """(2 SIDE, ...) float32: one colour, darker towards the foot."""
    fall = np.linspace(1.04, 0.84, 2 * SIDE, dtype=np.float32)[:, None, None]
    return np.repeat(fall * np.array(rgb, np.float32), 2 * _width(people), axis=1)


def labelled(picture: Image.Image, label: str) -> Image.Image:
    font = ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")), 15)
    shade = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(shade)
    left, top, right, bottom = draw.textbbox((20, SIDE - 32), label, font)
    draw.rounded_rectangle((left - 9, top - 7, right + 9, bottom + 7), 11, (20, 24, 30, 175))
    draw.text((20, SIDE - 32), label, (255, 255, 255, 255), font)
    return Image.alpha_composite(picture.convert("RGBA"), shade).convert("RGB")


def main() -> None:
    sheet = Image.new("RGB", (4 * SIDE + 3 * GAP, 2 * SIDE + GAP), "white")
    x, y = 0, 0
    for name, sitters, ground in TILES:
        picture = labelled(tile(name, sitters, ground), name)
        sheet.paste(picture, (x, y))
        x += picture.width + GAP
        if x > sheet.width:
            x, y = 0, y + SIDE + GAP
    OUTPUT.parent.mkdir(exist_ok=True)
    sheet.point(lambda value: value // STEP * STEP + STEP // 2).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main()
