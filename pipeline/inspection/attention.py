"""Where the network looks: how far its points move when a place of the frame is covered.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. The network is run as a
whole, so that this also works where a later stage sees only what an earlier one cut out.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.progress import progress
from pipeline.models.forward import keypoints_on_cpu
from pipeline.models.network import KeypointNetwork

PLACES = 20
"""Places of the patch along each side."""
_PATCH_FRAC = 0.11
"""Half-width of the soft patch at half its strength, over the side of the part that is searched."""
_MARGIN_FRAC = 0.35
"""Room round the box of the points that is searched, over the longer side of that box."""
_BATCH = 32


@dataclass(frozen=True)
class Attention:
    """How far points move when places are covered."""

    moved_px: np.ndarray
    """(K, 20, 20) float32 crop px by which each point moves when the patch lies at a place (row, column)."""
    crop_from_places: np.ndarray
    """(3, 3): place (column, row) -> crop px."""


@torch.inference_mode()
def attention(network: KeypointNetwork, crop: np.ndarray, keypoints_crop: np.ndarray) -> Attention:
    """Cover one place after another of a face and predict its points again.

    The patch shows a blur of the frame: it takes away what is there and adds no edges of its own.

    Args:
        network: on the CPU, in eval mode.
        crop: (S, S) uint8 frame.
        keypoints_crop: (K, 2) crop px; places are spread over the square round them.
    """
    crop_from_places, half = _places(keypoints_crop)
    column, row = np.meshgrid(np.arange(PLACES), np.arange(PLACES))
    centres = transform_points(crop_from_places, np.stack([column, row], -1).reshape(-1, 2).astype(np.float64))
    blurred = cv2.GaussianBlur(crop, (0, 0), 1.5 * half).astype(np.float32)
    reference = keypoints_on_cpu(network, crop[None])
    moved = []
    batches = np.array_split(centres, -(-len(centres) // _BATCH))
    for batch in progress(batches, label="cover", total=len(batches), unit="batches"):
        covered = np.stack([_covered(crop, blurred, centre, half) for centre in batch])
        points = keypoints_on_cpu(network, covered)
        moved.append(np.linalg.norm(points - reference, axis=-1))
    return Attention(np.concatenate(moved).T.reshape(-1, PLACES, PLACES), crop_from_places)


def _places(keypoints_crop: np.ndarray) -> tuple[np.ndarray, float]:
    """(3, 3) `crop_from_places` over a square round the face, and the half-width of a patch in px."""
    low, high = keypoints_crop.min(0), keypoints_crop.max(0)
    side = float((high - low).max()) * (1 + 2 * _MARGIN_FRAC)
    step = side / PLACES
    left, top = (low + high - side) / 2 + step / 2
    return np.array([[step, 0, left], [0, step, top], [0, 0, 1]]), _PATCH_FRAC * side / 2


def _covered(crop: np.ndarray, blurred: np.ndarray, centre: np.ndarray, half: float) -> np.ndarray:
    """(S, S) uint8 frame with `blurred` in a patch with soft edges about a centre (2,), `half` px to each side."""
    along = np.arange(len(crop))
    x, y = (0.5 - 0.5 * np.tanh((np.abs(along - middle) - half) / (0.3 * half)) for middle in centre)
    return np.asarray(np.rint(crop + (blurred - crop) * (y[:, None] * x)), np.uint8)
