"""Building blocks that several networks share."""

from torch import Tensor, nn
from torch.nn import functional


def conv_norm_relu(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, padded so that only `stride` changes the size, batch normalization, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class PointMaps(nn.Conv2d):
    """The convolution that gives a heatmap for each point; the optimizer knows it by this class."""


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut round them (He et al., "Deep Residual Learning", CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_norm_relu(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.second(self.first(features)), inplace=True)


def standardize(images: Tensor) -> Tensor:
    """(B, 1, H, W) images, each brought to mean 0 and standard deviation 1, so that light and contrast drop out."""
    centred = images - images.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-4).sqrt()
