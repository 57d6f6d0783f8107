"""Show a network a window of the frame: rescale and random crop, as most course projects do it."""

import itertools

import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.core.geometry import resize_matrix
from pipeline.models.network import Batches, Each, KeypointNetwork
from pipeline.models.tensor_geometry import apply_affine, invert_affine, similarity_about_centre, warp


class Window(KeypointNetwork):
    """A network that sees a square window of `share` of the frame's side, enlarged to the size of the frame.

    While training the window lies at a random place within the frame, afterwards in its middle. To rescale to 250
    pixels and crop 224 is a share of 0.896.
    """

    def __init__(self, network: KeypointNetwork, share: float) -> None:
        """`share`: above 0 and below 1. Raises ValueError for a network that searches the frame by itself."""
        super().__init__(network.points)
        if network.finds_face:
            raise ValueError("it finds the face itself; set model.window_frac to 1")
        self.network, self.share = network, share

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, E, K, 2) keypoints in pixels of the whole frame."""
        window, window_from_crop = self._window(images)
        placed = self.network(window).float()
        with torch.autocast(images.device.type, enabled=False):
            points: Tensor = apply_affine(invert_affine(window_from_crop), placed.flatten(1, 2)).view_as(placed)
            return points

    def load_pretrained(self) -> None:
        self.network.load_pretrained()

    def learned_mirror_shift(self) -> nn.Parameter | None:
        return self.network.learned_mirror_shift()  # in face sizes, so that the size of the window is no matter

    def skip_refinement(self, skip: bool) -> None:
        self.network.skip_refinement(skip)

    def fit_refinement(self, batches: Batches, each: Each = itertools.starmap) -> None:
        self.network.fit_refinement(itertools.starmap(self._batch_in_window, batches), each)

    def label_tensors(self) -> set[str]:
        return {f"network.{name}" for name in self.network.label_tensors()}

    def head_tensors(self) -> set[str]:
        return {f"network.{name}" for name in self.network.head_tensors()}

    def crop_from_part(self, part: str, seen_hw: tuple[int, int], side: int, estimates: Tensor) -> np.ndarray:
        """The only part, `network`, sees the window in the middle of the frame."""
        middle = (side - 1) / 2 * (1 - self.share)
        crop_from_window = np.array([[self.share, 0, middle], [0, self.share, middle], [0, 0, 1]])
        return np.asarray(crop_from_window @ resize_matrix(seen_hw, (side, side)))

    def _window(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, S, S) views through a window for each of the images, and their (B, 3, 3) `window_from_crop`."""
        with torch.autocast(images.device.type, enabled=False):  # in bfloat16 points would be off by a pixel
            window_from_crop = self._window_from_crop(images.shape[0], images.shape[-1]).to(images)
            return warp(images, window_from_crop, images.shape[-1]), window_from_crop

    def _batch_in_window(self, images: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        window, window_from_crop = self._window(images)
        return window, apply_affine(window_from_crop, keypoints)

    def _window_from_crop(self, count: int, side: int) -> Tensor:
        """(B, 3, 3) at a random place for each of `count` frames in training, else in the middle."""
        room = (1 - self.share) / self.share / 2 * side  # pixels of the enlarged frame on either side of the window
        shift = room * (2 * torch.rand(count, 2) - 1) if self.training else torch.zeros(count, 2)
        return similarity_about_centre(
            side, turn_rad=torch.zeros(count), scale=torch.full((count,), 1 / self.share), shift_px=shift
        )


def shape_in_window(shape: Tensor, side: int, share: float) -> Tensor:
    """(K, 2) points in pixels of the frame -> in pixels of the window of `share` in its middle."""
    middle = (side - 1) / 2
    return (shape - middle) / share + middle
