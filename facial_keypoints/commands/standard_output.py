"""`--output`: a folder, or with - standard output, and everything that is said to standard error."""

import sys
from pathlib import Path

from facial_keypoints.core.errors import ConfigError, DataError
from facial_keypoints.core.terminal import output_was_closed, say, tell
from facial_keypoints.outputs.output_folder import OutputFolder

STDOUT = "-"


def output_folder(output: str) -> OutputFolder | None:
    """The folder to write to, None for standard output. Raises ConfigError for no name, DataError for no folder."""
    if not output:
        raise ConfigError("--output is empty; name a folder, . for this one, or - for standard output")
    return None if output == STDOUT else OutputFolder(Path(output))


def check_standard_output(*, binary: bool = False) -> None:
    """Raise DataError where standard output is closed or, for what is no text (`binary`), a terminal."""
    if output_was_closed():
        raise DataError("--output - is standard output, which is closed; redirect it, or name a folder")
    if binary and sys.stdout.isatty():
        raise DataError("--output - writes a picture, which a terminal cannot show; redirect it: > picture.jpg")


def say_result(text: str, output: str) -> None:
    """Say how the work ended: on standard error where standard output holds the results."""
    (tell if output == STDOUT else say)(text)
