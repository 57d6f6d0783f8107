"""What a checkout adds to the library, as entry points: the commands of the pipeline and its networks."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "pyproject.toml"


def extensions(group: str) -> list[EntryPoint]:
    """Entry points of a group by name; none outside of a checkout, where a package `pipeline` is somebody else's."""
    found = entry_points(group=group) if _CHECKOUT.is_file() else ()
    return sorted(found, key=lambda entry: entry.name)
