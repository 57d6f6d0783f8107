"""The contract between the networks and whatever trains, runs, exports or inspects them."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.core.geometry import resize_matrix
from facial_keypoints.core.prediction import Prediction

HALF_WITHIN = 1.35
"""Spreads of a point within which half of the true points lie, where errors along the axes are independent and of
Laplace's distribution."""

T = TypeVar("T")
Batches = Iterable[tuple[Tensor, Tensor]]
"""(B, 1, S, S) images in 0..1 and their (B, K, 2) keypoints in pixels, NaN where a point is not labelled."""


class Each(Protocol):
    """Applies a function to each batch, and gives the results in the order of the batches."""

    def __call__(self, function: Callable[[Tensor, Tensor], T], batches: Batches, /) -> Iterable[T]: ...


class KeypointNetwork(nn.Module, ABC):
    """A network that places K keypoints in square gray frames of one face each.

    A network has to offer `forward`. The other methods are hooks for what only some networks have; they do nothing
    where a network does not override them.
    """

    finds_face = False
    """Whether it searches the frame for the face by itself, so that a window in front of it would only hide some."""
    has_spread = False
    """Whether it tells how far its estimates may be off, see `with_spread`."""
    half_within: Tensor
    """() spreads of a keypoint within which half of the true points lie; a buffer of networks that have spread."""

    def __init__(self, points: int) -> None:
        """`points`: K, how many keypoints it places."""
        super().__init__()
        self.points = points

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Successive estimates of the keypoints; the last is the result, and the training loss counts all of them.

        Args:
            images: (B, 1, S, S) float32, 0..1.

        Returns:
            (B, E, K, 2) float32, x then y, pixels of the frame.
        """

    def keypoints(self, images: Tensor) -> Tensor:
        """(B, K, 2) keypoints in pixels of (B, 1, S, S) images in 0..1: the last of the estimates."""
        return last_estimate(self(images))

    def with_spread(self, images: Tensor, truth: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The estimates of `forward`, and how far each may be off, (B, E, K) in pixels of the frame.

        The spread is the scale of a Laplace distribution along each axis, learned as part of a likelihood (see
        `training.losses`); None of a network that has none.

        Training gives the true keypoints as well, (B, K, 2) in the same pixels, NaN where a point is not labelled: a
        network may make what it sees harder by them.
        """
        return self(images), None

    def predict(self, images: Tensor) -> Prediction[Tensor]:
        """The estimates of `forward` for (B, 1, S, S) images in 0..1, and what else the network tells."""
        estimates, spread = self.with_spread(images)
        return Prediction(estimates, None if spread is None else self.half_within * spread[:, -1], None)

    def load_pretrained(self) -> None:
        """Take over weights that were trained elsewhere. Raises ValueError where there are none or they cannot be had.

        Called on the new network where params.yaml says `model.weights: pretrained`.
        """
        raise ValueError("it has no pretrained weights; set model.weights to scratch")

    def learned_mirror_shift(self) -> nn.Parameter | None:
        """The parameter (K, 2) that training shall learn as the shift of `tensor_geometry.mirror_keypoints`.

        A network has one if it needs the shift to predict; for the others training keeps its own.
        """
        return None

    def skip_refinement(self, skip: bool) -> None:
        """Leave out, until told otherwise, what refines the keypoints at the cost of time or by `fit_refinement`.

        Training skips it until the last epoch: the validation after each of the others is a quick look.
        """

    def fit_refinement(self, batches: Batches, each: Each = itertools.starmap) -> None:
        """Fit what refines the keypoints of a network whose weights are final, in eval mode.

        Args:
            batches: training images, not augmented.
            each: how the network is run on all of them; workers that train together share them.
        """

    def calibrate(self, batches: Batches, each: Each = itertools.starmap) -> None:
        """Set `half_within` by batches of images and keypoints that the network was not trained on.

        On those that it was trained on it is more certain than it may be. A network without spread stays as it is.
        """
        if not self.has_spread:
            return
        with torch.inference_mode():
            shares = torch.cat([torch.zeros(0), *each(self._spreads_off, batches)])
        if len(shares):
            self.half_within.fill_(shares.median())

    def _spreads_off(self, images: Tensor, keypoints: Tensor) -> Tensor:
        """(N,) distances between true and predicted keypoints over their spread, of those labelled, on the CPU."""
        estimates, spread = self.with_spread(images)
        if spread is None:
            raise ValueError("the network tells no spread")
        distances: Tensor = torch.linalg.vector_norm(last_estimate(estimates) - keypoints, dim=-1) / spread[:, -1]
        return distances[~distances.isnan()].cpu()

    def label_tensors(self) -> set[str]:
        """Names in `state_dict` of what tells of the faces and labels of one dataset, not of how faces look.

        A training that starts from weights of another dataset keeps its own.
        """
        return set()

    def head_tensors(self) -> set[str]:
        """Names in `state_dict` of the layers that give the points; all others, the trunk, serve any points.

        A training that starts from weights for other points has a new head.
        """
        return set()

    def crop_from_part(self, part: str, seen_hw: tuple[int, int], side: int, estimates: Tensor) -> np.ndarray:
        """Where the input of one part of the network lies in the frame; by default it is the whole frame, resized.

        Args:
            part: name of a direct child module.
            seen_hw: height and width of its input.
            side: pixels of the frame's side.
            estimates: (E, K, 2) what `forward` gave for the frame.

        Returns:
            (3, 3) float64 `crop_from_seen`: pixels of the input -> pixels of the frame.
        """
        return resize_matrix(seen_hw, (side, side))


def last_estimate(estimates: Tensor) -> Tensor:
    """(B, K, 2) result among (B, E, K, 2) successive estimates."""
    return estimates[:, -1]


def to_unit(frames: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, S, S) uint8 gray levels -> (B, 1, S, S) images in 0..1, as networks take them, on the same device."""
    return frames[:, None].to(dtype) / 255
