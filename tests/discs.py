"""Stand-ins for faces with exact truth: bright discs on dark ground, and a network and a finder that know only them."""

import cv2
import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.prediction import Prediction
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.finding.candidates import Candidates, candidates_of_boxes
from facial_keypoints.mean_face.shape import mean_points
from pipeline.models.network import KeypointNetwork
from pipeline.models.torch_network import TorchNetwork

SIDE = 64
FACE = np.asarray(mean_points()[:, :2] - (mean_points()[:, :2].min(0) + mean_points()[:, :2].max(0)) / 2)
FACE = FACE / np.sqrt(np.ptp(FACE, axis=0).prod())
"""(68, 2) a symmetric face of size 1 about (0, 0)."""


def disc_face(x: float, y: float, radius: float) -> np.ndarray:
    """(68, 2) the points that a disc stands for: those of a face twice its radius in size."""
    return 2 * radius * FACE + (x, y)


def draw_discs(discs: list[tuple[float, float, float]], size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """(H, W, 3) uint8 RGB with discs x, y, radius."""
    picture = np.full((*size, 3), 40, np.uint8)
    for x, y, radius in discs:
        centre, radius = (round(x * 16), round(y * 16)), round(radius * 16)
        cv2.circle(picture, centre, radius, (250, 250, 250), cv2.FILLED, cv2.LINE_AA, 4)
    return picture


class DiscNetwork(KeypointNetwork):
    """Places the face on the bright pixels, with noise in pixels; where there are none, points that make no face."""

    shape: torch.Tensor

    def __init__(self, noise_px: float = 0.0, aside_px: float = 0.0) -> None:
        """`aside_px`: pixels of the crop by which all points lie to the right, as labels may."""
        super().__init__(len(FACE))
        self.register_buffer("shape", torch.from_numpy(FACE).float())
        self.aside = torch.tensor([aside_px, 0.0])
        self.noise_px, self.generator = noise_px, torch.Generator().manual_seed(0)

    def forward(self, images: Tensor) -> Tensor:
        side = images.shape[-1]
        light = ((images[:, 0] - 0.2) / 0.75).clamp(0, 1)
        area = light.sum((1, 2)).clamp_min(1e-6)
        pixel = torch.arange(side, dtype=torch.float32)
        centre = torch.stack([(light * pixel).sum((1, 2)), (light * pixel[:, None]).sum((1, 2))], -1) / area[:, None]
        points = centre[:, None] + 2 * (area / torch.pi).sqrt()[:, None, None] * self.shape
        nonsense = torch.linspace(0.35 * side, 0.65 * side, 68)[:, None].expand(68, 2)
        points = torch.where(area[:, None, None] < 20, nonsense, points)
        return (points + self.aside + self.noise_px * torch.randn(points.shape, generator=self.generator))[:, None]


RADII = np.where(np.arange(68) < 34, 2.0, 1.0)
"""(68,) px of crops, those of a `KnowingNetwork`."""


class KnowingNetwork(TorchNetwork):
    """Knows how certain its points are, of every face alike."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tells_radii = True

    def predict(self, crops: np.ndarray) -> Prediction[np.ndarray]:
        return super().predict(crops)._replace(radii=np.tile(RADII, (len(crops), 1)))


class BothSidesNetwork(TorchNetwork):
    """Looks at the mirror image by itself, where it places all points 2 px of the crop to one side and the other."""

    runs = 0

    def predict(self, crops: np.ndarray) -> Prediction[np.ndarray]:
        self.runs += len(crops) > 0
        told = super().predict(crops)
        aside = np.array([2.0, 0.0])
        return told._replace(views=np.stack([told.estimates + aside, told.estimates - aside], 1))


class DiscFinder:
    """Boxes round the bright spots, off by a fifth of their size; and boxes where there is nothing."""

    upright_only = True

    def __init__(self, *false_alarms: tuple[float, float, float, float]) -> None:
        self.false_alarms, self.searches = false_alarms, 0

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> Candidates:
        self.searches += 1
        _, _, stats, _ = cv2.connectedComponentsWithStats((gray > 150).astype(np.uint8))
        boxes = stats[1:, :4].astype(np.float64)
        boxes[:, :2] += 0.2 * boxes[:, 2:]
        return candidates_of_boxes(np.concatenate([boxes, boxes + 2, np.array(self.false_alarms).reshape(-1, 4)]))


def disc_detector(*false_alarms: tuple[float, float, float, float], noise_px: float = 0.0) -> KeypointDetector:
    finder = DiscFinder(*false_alarms)
    return KeypointDetector(TorchNetwork(DiscNetwork(noise_px), SIDE, "pad", "discs"), finder)
