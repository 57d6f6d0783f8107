"""Frames as bad pictures show faces: graded corruptions in the spirit of ImageNet-C (Hendrycks, Dietterich, 2019).

Each takes (S, S) uint8 gray frames and moves their (K, 2) keypoints where it moves pixels. They are made with OpenCV
and NumPy from what cameras and codecs do, and share no code with the augmentation of training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facial_keypoints.core.geometry import mirror_matrix, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.finding.windows import rotation_matrix

Gray = np.ndarray
"""(S, S) uint8."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame, its face, and another frame, a piece of which may hide the face."""

    image: Gray
    keypoints: np.ndarray
    """(68, 2) px."""
    other: Gray

    @property
    def eye_distance_px(self) -> float:
        return float(np.linalg.norm(self.keypoints[36] - self.keypoints[45]))


Corrupted = tuple[Gray, np.ndarray]
"""A frame and its keypoints."""
Corrupt = Callable[[Frame, float, np.random.Generator], Corrupted]
"""What is done to a frame by a grade, with a generator for what is random in it."""


@dataclass(frozen=True)
class Corruption:
    """One way in which pictures are bad, from a little to a lot."""

    name: str
    unit: str
    grades: tuple[float, ...]
    apply: Corrupt


def pixels_alone(change: Callable[[Gray, float], np.ndarray]) -> Corrupt:
    """A corruption that moves nothing and draws nothing, of a change of the pixels by a grade."""
    return lambda frame, grade, _: (_levels(change(frame.image, grade)), frame.keypoints)


def with_noise(change: Callable[[Gray, float, np.random.Generator], np.ndarray]) -> Corrupt:
    """A corruption that moves nothing, of a change of the pixels by a grade and draws."""
    return lambda frame, grade, generator: (_levels(change(frame.image, grade, generator)), frame.keypoints)


def _levels(image: np.ndarray) -> Gray:
    """Whole gray levels 0..255."""
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)


def lower_resolution(frame: Frame, eyes_px: float, _: np.random.Generator) -> Corrupted:
    """As of a face whose eye corners are `eyes_px` apart, enlarged to the frame; where they are closer, as it is."""
    side = len(frame.image)
    small = min(side, max(1, round(side * eyes_px / frame.eye_distance_px)))
    shrunk = cv2.resize(frame.image, (small, small), interpolation=cv2.INTER_AREA)
    return _levels(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR)), frame.keypoints


def motion_blur(frame: Frame, length_px: float, generator: np.random.Generator) -> Corrupted:
    """Mean along a line of `length_px` in a random direction."""
    reach = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    angle = generator.uniform(0, np.pi)
    half = (length_px - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = ([round(float(value) * 256) for value in reach + sign * half] for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, lineType=cv2.LINE_AA, shift=8)
    blurred = cv2.filter2D(frame.image.astype(np.float32), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return _levels(blurred), frame.keypoints


def gaussian_blur(image: Gray, sigma_px: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE))


def jpeg(image: Gray, quality: float) -> np.ndarray:
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE))


def sensor_noise(image: Gray, levels: float, generator: np.random.Generator) -> np.ndarray:
    return image + levels * generator.standard_normal(image.shape)


def gamma(image: Gray, power: float) -> np.ndarray:
    return np.asarray(255 * (image / 255.0) ** power)


def low_light(image: Gray, share: float, generator: np.random.Generator) -> np.ndarray:
    """A `share` of the light: fewer photons, of which 1,000 make white in full light, and two levels of read noise."""
    photons = generator.poisson(image / 255.0 * 1000 * share)
    return photons / 1000 * 255 + 2 * generator.standard_normal(image.shape)


def rotated(frame: Frame, degrees: float, generator: np.random.Generator) -> Corrupted:
    """Rotated about the middle of the frame, either way."""
    return _moved(frame, rotation_matrix(degrees * generator.choice([-1, 1])))


def scaled(frame: Frame, factor: float, _: np.random.Generator) -> Corrupted:
    """Framed too widely or too closely."""
    return _moved(frame, np.diag([factor, factor, 1.0]))


def off_centre(frame: Frame, share: float, generator: np.random.Generator) -> Corrupted:
    """Moved by `share` of the side in a random direction."""
    angle = generator.uniform(0, 2 * np.pi)
    matrix = np.eye(3)
    matrix[:2, 2] = share * len(frame.image) * np.array([np.cos(angle), np.sin(angle)])
    return _moved(frame, matrix)


def _moved(frame: Frame, matrix: np.ndarray) -> Corrupted:
    """Pixels and points moved by a (3, 3) matrix about the middle of the frame; the border repeats."""
    side = len(frame.image)
    to_middle = np.eye(3)
    to_middle[:2, 2] = (side - 1) / 2
    target_from_source = to_middle @ matrix @ np.linalg.inv(to_middle)
    image = cv2.warpAffine(frame.image, target_from_source[:2], (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(image, np.uint8), transform_points(target_from_source, frame.keypoints)


def covered(frame: Frame, share: float, generator: np.random.Generator) -> Corrupted:
    """A patch over `share` of the box round the points, within it: a plain gray or a piece of another frame."""
    low, high = frame.keypoints.min(0), frame.keypoints.max(0)
    size = np.sqrt(share) * (high - low)
    first = np.rint(low + generator.uniform(size=2) * (high - low - size)).astype(int).clip(0)
    last = np.rint(first + size).astype(int)
    hidden = (slice(first[1], last[1]), slice(first[0], last[0]))
    image, gray, textured = frame.image.copy(), generator.integers(256), generator.integers(2)
    image[hidden] = np.roll(frame.other, generator.integers(len(image), size=2), (0, 1))[hidden] if textured else gray
    return image, frame.keypoints


def mirrored(frame: Frame, _: float, __: np.random.Generator) -> Corrupted:
    points = transform_points(mirror_matrix(len(frame.image)), frame.keypoints)[IBUG_68.flip_index]
    return np.ascontiguousarray(frame.image[:, ::-1]), points


MIRROR = "mirror"
CORRUPTIONS = (
    Corruption("resolution", "px between the eye corners", (40, 24, 16, 12), lower_resolution),
    Corruption("Gaussian blur", "px standard deviation", (1, 2, 4, 6), pixels_alone(gaussian_blur)),
    Corruption("motion blur", "px", (6, 12, 18, 24), motion_blur),
    Corruption("JPEG", "quality", (40, 20, 10, 5), pixels_alone(jpeg)),
    Corruption("noise", "gray levels", (10, 20, 30, 40), with_noise(sensor_noise)),
    Corruption("gamma", "power", (0.4, 0.6, 1.7, 2.5), pixels_alone(gamma)),
    Corruption("low light", "of the light", (0.5, 0.25, 0.1, 0.05), with_noise(low_light)),
    Corruption("rotation", "degrees", (15, 30, 45, 60), rotated),
    Corruption("cover", "of the face", (0.1, 0.2, 0.3, 0.4, 0.5), covered),
    Corruption("off centre", "of the side", (0.1, 0.15, 0.2, 0.25), off_centre),
    Corruption("scale", "times the size", (0.5, 0.7, 1.4, 1.8), scaled),
    Corruption(MIRROR, "", (1,), mirrored),
)


def corrupt(
    images: np.ndarray, keypoints: np.ndarray, corruption: Corruption, grade: float, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(N, S, S) uint8 frames and (N, 68, 2) float64 keypoints after a corruption.

    What is random depends on the seed, the corruption, and the number of the frame, and not on the grade.
    """
    number = CORRUPTIONS.index(corruption)
    parts: list[Any] = []
    for row, (image, points) in enumerate(zip(images, keypoints.astype(np.float64), strict=True)):
        frame = Frame(image, points, images[row - len(images) // 2])
        parts.append(corruption.apply(frame, grade, np.random.default_rng([seed, number, row])))
    changed, moved = zip(*parts, strict=True)
    return np.stack(changed), np.stack(moved)
