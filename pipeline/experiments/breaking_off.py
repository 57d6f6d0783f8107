"""How a search, which looks at the errors of a training after each epoch, ends it."""

from collections.abc import Mapping
from typing import Protocol

from facial_keypoints.core.errors import KeypointsError


class BrokenOffError(KeypointsError):
    """The search wants no more of this training."""


class PrunedError(BrokenOffError):
    """The training is worse than the median of the others so far."""


class Trial(Protocol):
    """What a training is to the search that it belongs to."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the MLflow run."""

    def report(self, epoch: int, val_nme_percent: float) -> None:
        """Tell the search the error after an epoch. Raises BrokenOffError where it wants no more of the training."""
