"""What a camera and a video codec do to a picture: exposure, focus, noise, compression, colour."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Capture:
    """Faults of a camera; by default it has none."""

    exposure: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    """Factor on the distance of colours to gray; 0 gives black and white."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    sharpness_frac: float = 1.0
    """Resolution of the sensor over that of the picture, per side: the picture is reduced to it and enlarged again."""
    focus_px: float = 0.0
    """Standard deviation of the Gaussian blur."""
    noise: float = 0.0
    """Standard deviation of the noise, where gray levels are 0..1."""
    jpeg_quality: int = 100


def develop(person: np.ndarray, exposure: float) -> tuple[np.ndarray, np.ndarray]:
    """Return sRGB (H, W, 3) and coverage (H, W, 1) of an (H, W, 4) picture in linear light times coverage.

    The automatic exposure of the camera halves, in stops, how far a person is from middle gray.
    """
    cover = person[..., 3:]
    level = float(person[..., :3].sum() / (3 * cover.sum() + 1e-6))
    light = person[..., :3] / np.maximum(cover, 1e-6) * np.float32(exposure * (0.17 / max(level, 0.01)) ** 0.5)
    light = light * (1 + 0.1 * light) / (1 + 0.45 * light) * 1.25
    return np.clip(light, 0, 1) ** np.float32(1 / 2.2), cover


def take(picture: np.ndarray, capture: Capture, rng: np.random.Generator) -> np.ndarray:
    """Return (H, W, 3) uint8 of an (H, W, 3) float32 sRGB picture 0..1, with the faults of the camera."""
    height, width = picture.shape[:2]
    if capture.focus_px > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), capture.focus_px)
    if capture.sharpness_frac < 0.97:
        small = (max(8, round(width * capture.sharpness_frac)), max(8, round(height * capture.sharpness_frac)))
        picture = cv2.resize(
            cv2.resize(picture, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_LINEAR
        )
    gray = cv2.cvtColor(np.asarray(picture, np.float32), cv2.COLOR_RGB2GRAY)[..., None]
    picture = gray + (picture - gray) * np.float32(capture.saturation)
    picture = (picture - 0.45) * np.float32(capture.contrast) + 0.45
    picture = picture * np.array(capture.tint, np.float32)
    picture = picture + np.float32(capture.noise) * rng.standard_normal((height, width, 1), np.float32)
    rgb = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    if capture.jpeg_quality >= 100:
        return np.asarray(rgb)
    _, code = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, capture.jpeg_quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1])
