"""Show a network a window of the frame: rescale and random crop, as most course projects do it."""

import torch
from torch import Tensor, nn

from pipeline.models.tensor_geometry import apply_affine, invert_affine, similarity_about_centre, warp


class Window(nn.Module):
    """A network that sees a square window of `share` of the frame's side, as large as the frame itself.

    While training the window lies at a random place within the frame, afterwards in its middle. To rescale to 250
    pixels and crop 224 is a share of 0.896.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, E, 68, 2) keypoints in crop pixels of the whole frame."""
        with torch.autocast(images.device.type, enabled=False):  # in bfloat16 points would be off by a pixel
            window_from_crop = self._window_from_crop(images.shape[0], images.shape[-1]).to(images)
            window = warp(images, window_from_crop, images.shape[-1])
        placed = self.network(window).float()
        with torch.autocast(images.device.type, enabled=False):
            points: Tensor = apply_affine(invert_affine(window_from_crop), placed.flatten(1, 2)).view_as(placed)
            return points

    def _window_from_crop(self, count: int, side: int) -> Tensor:
        room = (1 - self.share) / self.share / 2 * side  # pixels of the enlarged frame on either side of the window
        shift = room * (2 * torch.rand(count, 2) - 1) if self.training else torch.zeros(count, 2)
        return similarity_about_centre(
            side, turn_rad=torch.zeros(count), scale=torch.full((count,), 1 / self.share), shift_px=shift
        )


def shape_in_window(shape: Tensor, side: int, share: float) -> Tensor:
    """(68, 2) points in crop pixels as the window in the middle of the frame shows them."""
    middle = (side - 1) / 2
    return (shape - middle) / share + middle
