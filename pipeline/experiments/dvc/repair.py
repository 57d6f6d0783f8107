"""Two files that DVC does not write in one go: killed while at it, it could not read them again."""

from facial_keypoints.core.errors import KeypointsError
from facial_keypoints.core.terminal import tell
from pipeline.experiments.dvc.internals import Repository


def mend(repository: Repository) -> None:
    """Set aside a damaged dvc.lock, remove a damaged list of DVC's running processes.

    What the stages made lies in DVC's run cache, from which it comes back without running anything again. Another
    process that holds the list may be writing dvc.lock, which then stays.
    """
    if repository.process_list_is_free() and (path := repository.damaged_lock_file()):
        aside = path.replace(path.with_name(f"{path.name}.damaged"))
        tell(f"warning: {path.name} is damaged and was set aside as {aside.name}; it is made again")


def refuse_what_is_damaged(repository: Repository) -> None:
    """Raise KeypointsError where `mend` would set dvc.lock aside: for what shall write nothing."""
    if path := repository.damaged_lock_file():
        raise KeypointsError(f"{path.name} is damaged; without --dry it is set aside and made again")
