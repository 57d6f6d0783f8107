"""Things in front of a person: a microphone, a caption."""

import cv2
import numpy as np

from pipeline.datasets.synthetic.people import random_colour


def put_in_front(picture: np.ndarray, what: str, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint `what` (nothing, microphone or caption) over a picture of a face and return the picture.

    The picture is (H, W, 3) float32 sRGB 0..1; keypoints are (68, 2), x then y, in its pixels.
    """
    if what == "microphone":
        return _microphone(picture, keypoints, rng)
    if what == "caption":
        return _caption(picture, rng)
    return picture


def _microphone(picture: np.ndarray, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    picture = np.ascontiguousarray(picture)
    size = float(np.linalg.norm(keypoints[8] - keypoints[27])) * rng.uniform(0.14, 0.24)
    place = keypoints[8] + (rng.uniform(-0.9, 0.9) * size * 2, rng.uniform(-0.6, 1.5) * size)
    lean = rng.uniform(-0.5, 0.5)
    base = np.clip(np.array(random_colour(rng)) * rng.choice([0.25, 1.0]), 0, 1)
    foot = place + np.array([lean * 6 * size, 6 * size])
    _line(picture, place, foot, 0.75 * size, (0.07, 0.07, 0.08))
    for step in range(6):
        share = 1 - step / 6
        centre = place - 0.3 * (1 - share) * size
        shade = tuple(np.clip(base * (0.55 + 0.55 * (1 - share)), 0, 1).tolist())
        radius = max(1, round(size * share * 16))
        cv2.circle(picture, tuple(np.rint(centre * 16).astype(int).tolist()), radius, shade, -1, cv2.LINE_AA, 4)
    return picture


def _line(
    picture: np.ndarray, start: np.ndarray, end: np.ndarray, width: float, colour: tuple[float, float, float]
) -> None:
    ends = [tuple(np.rint(point * 16).astype(int).tolist()) for point in (start, end)]
    cv2.line(picture, ends[0], ends[1], colour, max(1, round(width)), cv2.LINE_AA, 4)


def _caption(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    picture = np.ascontiguousarray(picture)
    height = len(picture)
    top, tall = round(height * rng.uniform(0.8, 0.9)), max(6, round(0.09 * height))
    picture[top : top + tall] = 0.3 * picture[top : top + tall] + 0.7 * np.array(random_colour(rng), np.float32)
    words = " ".join("".join(chr(65 + int(c)) for c in rng.integers(0, 26, rng.integers(2, 9))) for _ in range(4))
    cv2.putText(
        picture,
        words,
        (4, top + round(0.78 * tall)),
        cv2.FONT_HERSHEY_DUPLEX,
        tall / 32,
        (0.97, 0.97, 0.97),
        1,
        cv2.LINE_AA,
    )
    return picture
