"""Keypoints of frames and of pictures by a network."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.progress import progress
from pipeline.core.stored_arrays import StoredArray
from pipeline.models.device import best_device
from pipeline.models.network import KeypointNetwork, last_estimate, to_unit

BATCH = 64
"""Frames that go through a network together."""


def predict_crops(network: KeypointNetwork, images: np.ndarray | StoredArray) -> np.ndarray:
    """(N, K, 2) float32 keypoints in crop pixels of (N, S, S) uint8 frames, on the best device of this machine.

    `network` is in eval mode and is moved to that device.
    """
    device = best_device()
    network = network.to(device)
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    shown = progress(batches, label="predict", total=-(-len(images) // BATCH), unit="batches")
    points = (_predicted(network, batch, device)[0] for batch in shown)
    return np.concatenate([np.zeros((0, network.points, 2), np.float32), *points])


def predict_crops_and_radii(network: KeypointNetwork, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """What `predict_crops` gives, and (N, K) float32 radii in crop pixels, see `KeypointNetwork.predict`.

    Shows no progress: it is meant for some of many frames.
    """
    device = best_device()
    network = network.to(device)
    found = [_predicted(network, images[start : start + BATCH], device) for start in range(0, len(images), BATCH)]
    points = np.concatenate([np.zeros((0, network.points, 2), np.float32), *(points for points, _ in found)])
    radii = [np.zeros((0, network.points), np.float32), *(radii for _, radii in found if radii is not None)]
    return points, np.concatenate(radii) if network.has_spread else None


@torch.inference_mode()
def _predicted(
    network: KeypointNetwork, frames: np.ndarray, device: torch.device
) -> tuple[np.ndarray, np.ndarray | None]:
    """Keypoints of one batch, and its radii."""
    estimates, radii, _ = network.predict(unit_images(frames, device))
    points = last_estimate(estimates).float().cpu().numpy()
    return points, None if radii is None else radii.float().cpu().numpy()


def unit_images(frames: np.ndarray, device: torch.device) -> Tensor:
    """(B, S, S) uint8 -> (B, 1, S, S) float32 in 0..1 on `device`."""
    return to_unit(torch.from_numpy(np.array(frames)).to(device))


@torch.inference_mode()
def keypoints_on_cpu(network: KeypointNetwork, frames: np.ndarray) -> np.ndarray:
    """(B, K, 2) float32 keypoints of one batch of (B, S, S) uint8 frames by a network on the CPU, in eval mode."""
    return network.keypoints(unit_images(frames, torch.device("cpu"))).numpy()


def predict_faces(network: KeypointNetwork, images: Sequence[np.ndarray], *, size_px: int, fit: str) -> np.ndarray:
    """(N, K, 2) float32 keypoints in the pixels of (H, W) uint8 pictures of one face each, of any sizes.

    `size_px` and `fit` say how a picture becomes a frame of the network, see `core.geometry.fit_square`. Raises
    DataError for anything that is no gray picture, as what cv2.imread gives for a missing file.
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
