"""What a training tells the search that it belongs to, after each epoch, and how the search ends it."""

from collections.abc import Mapping
from typing import Any

from facial_keypoints.core.errors import KeypointsError
from facial_keypoints.core.terminal import tell
from pipeline.experiments.breaking_off import BrokenOffError, PrunedError
from pipeline.experiments.sweeps.held_trial import PRUNED_AFTER
from pipeline.experiments.sweeps.study import from_environment, median_pruner, open_study, storage_errors


class RunningTrial:
    """The trial that this process trains for. Where its storage fails, that is told, and it goes on to its end."""

    def __init__(self, storage: str, study: str, number: int) -> None:
        self.storage, self.study, self.number = storage, study, number
        self._trial: Any = None
        self._failed = False

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the MLflow run."""
        return {"search": self.study, "trial": str(self.number)}

    def report(self, epoch: int, val_nme_percent: float) -> None:
        """Tell the study the error after an epoch.

        Raises PrunedError where the study wants no more of it, BrokenOffError where another process has taken the
        trial over, as the worker that began it is dead.
        """
        if self._failed:
            return
        try:
            with storage_errors(self.storage):
                wanted = self._report(epoch, val_nme_percent)
        except BrokenOffError:
            raise
        except KeypointsError as error:
            tell(f"warning: {error}; training goes on to its end")
            self._failed = True
            return
        if not wanted:
            raise PrunedError(f"pruned after epoch {epoch}: worse than the median of the search's trainings so far")

    def _report(self, epoch: int, val_nme_percent: float) -> bool:
        """Whether the study wants to know how it goes on."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            trial = self._opened()
            if epoch not in trial.storage.get_trial(trial._trial_id).intermediate_values:
                trial.report(val_nme_percent, epoch)
            if not trial.should_prune():
                return True
            trial.set_user_attr(PRUNED_AFTER, epoch)
        except UpdateFinishedTrialError:
            raise BrokenOffError(f"trial {self.number} of {self.study} was given up or taken over meanwhile") from None
        return False

    def _opened(self) -> Any:
        import optuna

        if self._trial is None:
            study = open_study(self.storage, self.study, median_pruner())
            self._trial = optuna.Trial(study, study.get_trials(deepcopy=False)[self.number]._trial_id)
        return self._trial


def running_trial() -> RunningTrial | None:
    """The trial that this process trains for; None for a training that belongs to no search."""
    named = from_environment()
    return RunningTrial(*named) if named else None
