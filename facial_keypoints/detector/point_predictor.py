"""Keypoints of windows of pictures, by a network that looks at each two or three times."""

from collections.abc import Sequence

import numpy as np

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.finding.scores import disagreement
from facial_keypoints.finding.windows import cut, windows_of_points
from facial_keypoints.network import Network

_MOVED_FRAC = 0.06
"""Shift or growth, over the side of the window, from which a face is predicted again in a window on its new place."""
_TURNED_DEG = 15
"""Rotation from which it is, too."""


class PointPredictor:
    """Predicts keypoints, and how far the network disagrees with itself about them; thread-safe."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def in_windows(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict the keypoints of faces seen through windows, all in one batch.

        Where the points lie off the middle of a window, its face is framed again by them, upright and at its size.

        Args:
            grays: (H, W) uint8 pictures.
            owner: (K,) index of the picture of each window.
            windows: (K, 4) windows (see `finding.windows`).

        Returns:
            (K, 68, 2) float64 keypoints in pixels of the pictures and (K,) disagreements (see `finding.scores`).

        Raises:
            ModelError: the network predicts points that are no numbers.
        """
        crops, picture_from_crop = self._cut(grays, owner, windows)
        estimates = self._estimates(crops)
        better = windows_of_points(transform_points(picture_from_crop, estimates[:, -1]))
        moved = _moved(windows, better)
        if moved.any():
            crops[moved], picture_from_crop[moved] = self._cut(grays, owner[moved], better[moved])
            estimates[moved] = self._estimates(crops[moved])
        return transform_points(picture_from_crop, estimates[:, -1]), self._disagreement(crops, estimates)

    def whole(self, gray: np.ndarray) -> tuple[np.ndarray, float]:
        """(K, 2) keypoints and disagreement of an (H, W) uint8 picture that shows one face as training frames do."""
        square, crop_from_picture = fit_square(gray, self.network.size_px, self.network.fit)
        estimates = self._estimates(square[None])
        points = transform_points(np.linalg.inv(crop_from_picture), estimates[0, -1])
        return points, float(self._disagreement(square[None], estimates)[0])

    def _cut(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(K, S, S) uint8 crops and (K, 3, 3) float64 `picture_from_crop` of the windows."""
        crops = np.empty((len(windows), self.network.size_px, self.network.size_px), np.uint8)
        crop_from_picture = np.empty((len(windows), 3, 3))
        for row, (index, window) in enumerate(zip(owner, windows, strict=True)):
            crops[row], crop_from_picture[row] = cut(grays[index], window, self.network.size_px)
        return crops, np.linalg.inv(crop_from_picture)

    def _disagreement(self, crops: np.ndarray, estimates: np.ndarray) -> np.ndarray:
        """(N,) of (N, S, S) crops and their (N, E, K, 2) estimates: how the mirrored crops are predicted tells it."""
        mirrored = self._estimates(np.ascontiguousarray(crops[:, :, ::-1]))[:, -1, self.network.scheme.flip_index]
        mirrored[..., 0] = self.network.size_px - 1 - mirrored[..., 0]
        return disagreement(estimates, mirrored)

    def _estimates(self, crops: np.ndarray) -> np.ndarray:
        """(N, E, K, 2) float64 successive estimates in crop pixels of (N, S, S) uint8 crops; the last one counts."""
        estimates = self.network(crops)
        if not np.isfinite(estimates).all():
            raise ModelError("the model predicts points that are no numbers; train again: dvc repro -fs train")
        return estimates


def _moved(windows: np.ndarray, better: np.ndarray) -> np.ndarray:
    """(K,) bool: which of (K, 4) windows lie so far from better ones that their faces are framed again."""
    apart = np.abs(better - windows)
    turned = np.minimum(apart[:, 3] % 360, -apart[:, 3] % 360)
    return np.asarray((apart[:, :3].max(1) > _MOVED_FRAC * windows[:, 2]) | (turned > _TURNED_DEG))
