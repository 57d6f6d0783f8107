"""Linear regression with a penalty, of targets some of which are not known."""

from collections.abc import Sequence

import torch
from torch import Tensor


def ridge_regression(parts: Sequence[tuple[Tensor, Tensor]], ridge: float) -> Tensor:
    """Weights that give the targets of features, by least squares with a penalty on the square of each weight.

    Args:
        parts: one or more pairs of (B, F) features and (B, T) float64 targets, NaN where one is not known.
        ridge: the penalty, above 0.

    Returns:
        (F, T) float64 weights. Those of a target are fitted on the rows in which it is known; 0 where it never is.
    """
    features, targets = parts[0]
    weights = features.new_zeros(features.shape[1], targets.shape[1])
    known = torch.cat([~part.isnan() for _, part in parts])
    # Targets that are known in the same rows share their equations; where all are, there is one system to solve.
    patterns, pattern_of = torch.unique(known, dim=1, return_inverse=True)
    for number, rows in enumerate(patterns.T):
        columns = pattern_of == number
        weights[:, columns] = _fitted(parts, rows.split([len(part) for part, _ in parts]), columns, ridge)
    return weights


def _fitted(parts: Sequence[tuple[Tensor, Tensor]], rows: Sequence[Tensor], columns: Tensor, ridge: float) -> Tensor:
    """(F, C) weights of the targets in `columns`, fitted on the chosen rows of each part."""
    count = parts[0][0].shape[1]
    gram = torch.eye(count, dtype=torch.float64) * ridge
    moment = torch.zeros(count, int(columns.sum()), dtype=torch.float64)
    for (features, targets), chosen in zip(parts, rows, strict=True):
        used = features[chosen]
        gram += used.T @ used
        moment += used.T @ targets[chosen][:, columns]
    weights: Tensor = torch.linalg.solve(gram, moment)
    return weights
