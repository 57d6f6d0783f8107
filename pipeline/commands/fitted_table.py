"""Tables and notes that fit the terminal, or 80 columns where there is none."""

import io
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Literal

from facial_keypoints.core.terminal import say
from facial_keypoints.core.text import printable

Side = Literal["left", "right"]


def terminal_width() -> int:
    """Columns of the terminal, or what COLUMNS says; 80 where output goes to a file or pipe."""
    return shutil.get_terminal_size().columns


def say_fitted(columns: Mapping[str, Side], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells below the names of their columns, each name with the side that its cells keep to.

    What is wider than the terminal goes on in the next line of its cell.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, side in columns.items():
        table.add_column(printable(name), justify=side, overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    page = io.StringIO()
    console = Console(file=page, width=terminal_width(), color_system=None, markup=False, emoji=False, highlight=False)
    console.print(table)
    for line in page.getvalue().splitlines():
        say(line.rstrip())


def say_wrapped(text: str) -> None:
    """Print a sentence in lines that fit the terminal."""
    for line in textwrap.wrap(printable(text), terminal_width(), break_on_hyphens=False):
        say(line)
