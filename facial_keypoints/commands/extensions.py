"""The commands that a checkout adds to `keypoints`, and what to install where something is missing."""

from collections.abc import Callable
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from facial_keypoints.commands import ENTRY_POINTS
from facial_keypoints.core.extensions import extensions
from facial_keypoints.core.terminal import tell

_OURS = ("facial_keypoints", "pipeline")


@cache
def command_extensions() -> tuple[list[Callable[[typer.Typer], None]], str]:
    """What adds commands to an app, or why it cannot be loaded; neither in an installation of the library alone."""
    try:
        return [entry.load() for entry in extensions(ENTRY_POINTS)], ""
    except ImportError as error:
        return [], f" ({error})"


def missing_package(error: ImportError) -> str | None:
    """Which package is missing and how it comes, in one line; None where an import within this project fails."""
    if (error.name or "").partition(".")[0] in _OURS:
        return None
    return f"{error}; install it with all that the commands need, in a checkout of the project: make install"


class Commands(TyperGroup):
    """Commands that say of one which is not there what brings it, where the library is installed alone."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command named first; ends in one line where it may be one that a checkout would add."""
        added, reason = command_extensions()
        if not added and args[0] not in self.commands and not ctx.resilient_parsing:
            tell(
                f"error: {args[0]} is none of the commands installed here ({', '.join(self.commands)}); those that "
                f"train and measure come with a checkout of the project: make install{reason}"
            )
            raise typer.Exit(2)
        return super().resolve_command(ctx, args)
