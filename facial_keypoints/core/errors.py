"""The one exception tree. A message names what was wrong, what was expected and the remedy, in one line."""


class KeypointsError(Exception):
    """Base of all: something the user can mend, which the command line shows as one line before it ends with 1."""


class KeypointsWarning(UserWarning):
    """Something goes on less well than it could; the command line shows its message as one line."""


class ConfigError(KeypointsError):
    """A parameter is unknown, missing, mistyped or out of range."""


class DataError(KeypointsError):
    """A frame, table or array is not what it should be."""


class SourceError(KeypointsError):
    """Frames cannot be had from the chosen source."""


class ModelError(KeypointsError):
    """A model file is missing, damaged or made for another network."""


class TrackingError(KeypointsError):
    """The MLflow store cannot be used."""


class GitError(KeypointsError):
    """Git is not installed, or refuses or cannot read the repository."""


def interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the interrupt that `error` is, or that was under way when `error` was raised; None if there was none.

    A library that is interrupted at the wrong moment fails in its own cleaning up: tqdm misses the lock that it was
    about to make, and raises AttributeError.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error
