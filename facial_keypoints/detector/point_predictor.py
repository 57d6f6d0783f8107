"""Keypoints of windows of pictures, by what a network tells of each and of its mirror image."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.finding.scores import disagreement
from facial_keypoints.finding.windows import cut, windows_of_points
from facial_keypoints.network import Network

Convention = Literal["symmetric", "dataset"]
"""Points of a face: "dataset" puts them where the labels of the training frames lie, to one side of what they name;
"symmetric" takes the mean with the points of the mirror image, so that a mirrored face has mirrored points."""

_MOVED_FRAC = 0.06
"""Shift or growth, over the side of the window, from which a face is predicted again in a window on its new place.

With 0.12 the points of a picture and of its mirror image differed by 0.29 % of the eye distance, with 0.06 by 0.21,
with 0.03 by 0.16, with 0 by 0.15 (an earlier default, 120 `val` frames, YuNet, benchmarks.mirrored), and their error
was 3.85 % with each. Faces in known boxes take 1.1 times the time of one look with 0.06, 1.7 times with 0.03
(benchmarks.detection).
"""
_ROTATED_DEG = 8
"""Rotation from which it is, too."""

_FARTHEST_SIDES = 1000
"""Sides of a crop within which every network that learnt anything places its points."""


class PointPredictor:
    """Predicts keypoints, and how far the network disagrees with itself about them; thread-safe."""

    def __init__(self, network: Network, convention: Convention = "symmetric") -> None:
        """`convention`: which points `in_windows` gives; `whole` keeps to those of the dataset."""
        self.network, self.convention = network, convention

    def in_windows(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict the keypoints of faces seen through windows, all in one batch.

        Where the points lie off the middle of a window, its face is framed again by them, upright and at its size; but
        points of other schemes than 68 stay in the windows that are given, as nothing tells which way up they are.

        Args:
            grays: (H, W) uint8 pictures.
            owner: (N,) index of the picture of each window.
            windows: (N, 4) windows (see `finding.windows`).

        Returns:
            (N, K, 2) float64 keypoints in pixels of the pictures, of the convention of the predictor, (N,)
            disagreements (see `finding.scores`), and (N, K) radii of `core.certainty`, pixels of the pictures, NaN
            where the network does not know.

        Raises:
            ModelError: the network predicts points that are no numbers, or far outside of its crops.
        """
        crops, picture_from_crop = self._cut(grays, owner, windows)
        estimates, views, radii = self._both_views(crops)
        better = windows
        if self.network.scheme == IBUG_68:
            better = windows_of_points(transform_points(picture_from_crop, _symmetric(views)))
        again = _moved(windows, better)
        if again.any():
            crops[again], picture_from_crop[again] = self._cut(grays, owner[again], better[again])
            estimates[again], views[again], radii[again] = self._both_views(crops[again])
        points = estimates[:, -1] if self.convention == "dataset" else _symmetric(views)
        radii *= _scale(picture_from_crop)[:, None]
        return transform_points(picture_from_crop, points), disagreement(views), radii

    def whole(self, gray: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """(K, 2) keypoints, disagreement and (K,) radii of an (H, W) uint8 picture of one face as training frames are.

        As `in_windows`, but of the dataset's convention.
        """
        square, crop_from_picture = fit_square(gray, self.network.size_px, self.network.fit)
        estimates, views, radii = self._both_views(square[None])
        picture_from_crop = np.linalg.inv(crop_from_picture)
        points = transform_points(picture_from_crop, estimates[0, -1])
        return points, float(disagreement(views)[0]), radii[0] * _scale(picture_from_crop)

    def _cut(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(K, S, S) uint8 crops and (K, 3, 3) float64 `picture_from_crop` of the windows."""
        crops = np.empty((len(windows), self.network.size_px, self.network.size_px), np.uint8)
        crop_from_picture = np.empty((len(windows), 3, 3))
        for row, (index, window) in enumerate(zip(owner, windows, strict=True)):
            crops[row], crop_from_picture[row] = cut(grays[index], window, self.network.size_px)
        return crops, np.linalg.inv(crop_from_picture)

    def _both_views(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N, E, K, 2) estimates of (N, S, S) crops, (N, 2, E, K, 2) views of `Prediction`, and (N, K) radii.

        A network that does not look at the mirror image by itself is run on that as well.
        """
        estimates, radii, views = self._predicted(crops)
        if views is not None:
            return estimates, views, radii
        mirrored, radii_there, _ = self._predicted(crops[:, :, ::-1])
        flip = self.network.scheme.flip_index
        back = mirrored[:, :, flip]
        back[..., 0] = self.network.size_px - 1 - back[..., 0]
        return estimates, np.stack([estimates, back], 1), (radii + radii_there[:, flip]) / 2

    def _predicted(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """What the network tells of (N, S, S) uint8 crops, with radii that are NaN where it does not know."""
        estimates, radii, views = self.network.predict(crops)
        for points in (estimates, views):
            farthest = 0.0 if points is None else float(np.abs(points).max(initial=0)) / self.network.size_px
            if not farthest <= _FARTHEST_SIDES:  # False for what is no number, too
                raise ModelError(
                    "the model predicts points that are no numbers, or far outside of every picture; give another "
                    "model, or train it again"
                )
        return estimates, np.full(estimates.shape[::2], np.nan) if radii is None else radii, views


def _symmetric(views: np.ndarray) -> np.ndarray:
    """(N, K, 2) points that a mirrored crop has mirrored, of (N, 2, E, K, 2) views."""
    return np.asarray(views[:, :, -1].mean(1))


def _scale(picture_from_crop: np.ndarray) -> np.ndarray:
    """(...) pixels of the picture to one of the crop, of (..., 3, 3) matrices."""
    return np.asarray(np.sqrt(np.abs(np.linalg.det(picture_from_crop[..., :2, :2]))))


def _moved(windows: np.ndarray, better: np.ndarray) -> np.ndarray:
    """(K,) bool: which of (K, 4) windows lie so far from better ones that their faces are framed again."""
    apart = np.abs(better - windows)
    turned = np.minimum(apart[:, 3] % 360, -apart[:, 3] % 360)
    return np.asarray((apart[:, :3].max(1) > _MOVED_FRAC * windows[:, 2]) | (turned > _ROTATED_DEG))
