"""A few objects out of many that pass by."""

import numpy as np

from pipeline.datasets.label_table import Sample

_ON_SHEET = 8
"""Objects on the contact sheet."""
_SHAPES = 500
"""Labels from which mirror pairs are guessed."""


class Chosen:
    """A few objects for the contact sheet, each as likely as the others, and shapes to guess mirror pairs from."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._offered = 0
        self._shapes: list[np.ndarray] = []
        self.samples: list[Sample] = []

    def offer(self, sample: Sample) -> None:
        if len(self._shapes) < _SHAPES and sample.visibility.all():
            self._shapes.append(sample.points)
        self._offered += 1
        if len(self.samples) < _ON_SHEET:
            self.samples.append(sample)
        elif (place := int(self._rng.integers(self._offered))) < _ON_SHEET:
            self.samples[place] = sample

    def shapes(self, count: int) -> np.ndarray:
        """(N, count, 2) labels whose points are all there."""
        return np.array(self._shapes).reshape(-1, count, 2)
