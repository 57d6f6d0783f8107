"""Linear regression with a penalty, of targets some of which are not known."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class _Equations:
    """Sums over rows of targets that were known in the same rows so far, which share what is on the left."""

    columns: Tensor
    """(C,) which targets."""
    gram: Tensor
    """(F, F) of the features, with the penalty."""
    moment: Tensor
    """(F, C) of features and targets."""

    def split(self, known: Tensor) -> list["_Equations"]:
        """Apart by targets that (B, T) `known` says to be known in other rows than others."""
        patterns, pattern_of = torch.unique(known[:, self.columns], dim=1, return_inverse=True)
        if patterns.shape[1] == 1:
            return [self]
        chosen = [pattern_of == number for number in range(patterns.shape[1])]
        return [_Equations(self.columns[one], self.gram.clone(), self.moment[:, one]) for one in chosen]

    def add(self, features: Tensor, targets: Tensor, known: Tensor) -> None:
        rows = known[:, self.columns[0]]
        used = features[rows]
        self.gram += used.T @ used
        self.moment += used.T @ targets[rows][:, self.columns]


def ridge_regression(parts: Iterable[tuple[Tensor, Tensor]], ridge: float) -> Tensor:
    """Weights that give the targets of features, by least squares with a penalty on the square of each weight.

    Args:
        parts: one or more pairs of (B, F) features and (B, T) float64 targets, NaN where one is not known. Each is
            added up and let go, so that there may be any number.
        ridge: the penalty, above 0.

    Returns:
        (F, T) float64 weights. Those of a target are fitted on the rows in which it is known; 0 where it never is.
    """
    groups: list[_Equations] = []
    for features, targets in parts:
        (_, count), (_, outputs) = features.shape, targets.shape
        if not groups:
            gram = torch.eye(count, dtype=torch.float64) * ridge
            groups = [_Equations(torch.arange(outputs), gram, torch.zeros(count, outputs, dtype=torch.float64))]
        known = ~targets.isnan()
        groups = [part for group in groups for part in group.split(known)]
        for group in groups:
            group.add(features, targets, known)
    weights = torch.zeros(count, outputs, dtype=torch.float64)
    for group in groups:
        weights[:, group.columns] = torch.linalg.solve(group.gram, group.moment)
    return weights
