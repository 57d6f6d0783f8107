"""The one exception tree. A message names what was wrong, what was expected and the remedy, in one line."""


class PipelineError(Exception):
    """Something the user can mend; the command line shows its message as one line and exits with status 1."""


class ConfigError(PipelineError):
    """A parameter is unknown, missing, mistyped or out of range."""


class DataError(PipelineError):
    """A frame, table or array is not what it should be."""


class SourceError(PipelineError):
    """Frames cannot be had from the chosen source."""


class ModelError(PipelineError):
    """A model file is missing, damaged or made for another network."""


class TrackingError(PipelineError):
    """The MLflow store cannot be used."""


class GitError(PipelineError):
    """Git is not installed, or refuses or cannot read the repository."""
