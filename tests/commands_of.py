"""The commands of a Typer application by name."""

from typing import Any

from typer import Typer
from typer.main import get_command


def commands_of(app: Typer) -> dict[str, Any]:
    return dict(vars(get_command(app))["commands"])
