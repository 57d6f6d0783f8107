"""Keypoints of prepared arrays and of pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import IBUG_68
from pipeline.models.device import best_device

BATCH = 64


def predict_crops(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """(N, 68, 2) float32 keypoints in crop pixels of (N, S, S) uint8 images; `network` is in eval mode."""
    device = best_device()
    network = network.to(device)
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    parts = [np.zeros((0, IBUG_68.count, 2), np.float32)]
    with torch.inference_mode():
        for batch in progress(batches, label="predict", total=len(batches), unit="batches"):
            parts.append(network(to_unit(batch, device))[:, -1].float().cpu().numpy())
    return np.concatenate(parts)


def to_unit(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """(B, S, S) uint8 -> (B, 1, S, S) float32 in 0..1 on `device`."""
    return torch.from_numpy(np.array(images)).to(device)[:, None].float().div_(255)


def predict_faces(network: nn.Module, images: Sequence[np.ndarray], *, size_px: int, fit: str) -> np.ndarray:
    """(N, 68, 2) float32 keypoints in the pixels of (H, W) uint8 pictures of one face each, of any sizes.

    Raises DataError for anything that is no gray picture, as what cv2.imread answers for a missing file.
    """
    for index, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            shown = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)[:40]
            raise DataError(
                f"picture {index} is {shown} but should be a gray uint8 array (H, W); read it again as gray"
            )
    fitted = [fit_square(image, size_px, fit) for image in images]
    crops = np.stack([square for square, _ in fitted]) if fitted else np.zeros((0, size_px, size_px), np.uint8)
    source_from_crop = np.array([np.linalg.inv(matrix) for _, matrix in fitted]).reshape(-1, 3, 3)
    return transform_points(source_from_crop, predict_crops(network, crops).astype(np.float64)).astype(np.float32)
