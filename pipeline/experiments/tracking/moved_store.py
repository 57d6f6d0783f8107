"""A workspace that was moved or copied: MLflow's database holds the place of every file by its full path.

MLflow has no function that changes those paths, hence SQL.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from pipeline.experiments.tracking.store_location import ARTIFACTS, EXPERIMENT

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_OF_THE_EXPERIMENT = """
    WITH own AS (SELECT experiment_id FROM experiments WHERE name = ?)
    SELECT artifact_location FROM experiments WHERE experiment_id IN own
    UNION SELECT artifact_uri FROM runs WHERE experiment_id IN own
    UNION SELECT artifact_location FROM logged_models WHERE experiment_id IN own
"""

Change = tuple[str, str, str, str]
"""Table, column, the location that it holds, the one that it should hold."""


def moved_locations(connection: sqlite3.Connection, database: Path) -> list[Change]:
    """The changes after which MLflow finds and writes the files of a store beside `database`, its file.

    Of concern is what lies below a folder in which the project's experiment, a run or a model of it, was kept under the
    name such folders have; other places are the user's choice. Empty for tables other than those of today's MLflow.
    """
    held = connection.execute("SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c")
    if not set(held).issuperset(_COLUMNS):
        return []
    files = database.parent / ARTIFACTS
    own = connection.execute(_OF_THE_EXPERIMENT, (EXPERIMENT,))
    folders = {folder for _, folder, _ in _elsewhere(own, files)}
    return [
        (table, column, location, (files / rest).as_uri())
        for table, column in _COLUMNS
        for location, folder, rest in _elsewhere(connection.execute(f"SELECT DISTINCT {column} FROM {table}"), files)
        if folder in folders and not _was_left(folder, rest, database)
    ]


def change(connection: sqlite3.Connection, changes: list[Change]) -> None:
    """Write the changes into the database, all or none."""
    with connection:
        for table, column, held, right in changes:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (right, held))


def _elsewhere(locations: Iterable[tuple[str | None]], files: Path) -> Iterator[tuple[str, Path, Path]]:
    """(location, folder, path within it) of the locations in another folder that has the name of `files`."""
    for (location,) in locations:
        parts = Path(_local_path(location)).parts if location else ()
        if location and files.name in parts:
            depth = len(parts) - parts[::-1].index(files.name)
            folder, rest = Path(*parts[:depth]), Path(*parts[depth:])
            if folder != files:
                yield location, folder, rest


def _local_path(location: str) -> str:
    """The local path that a path or a file URI names; "" for anything else."""
    if location.startswith("file:"):
        return url2pathname(urlparse(location).path)
    return location if location.startswith("/") else ""


def _was_left(folder: Path, rest: Path, database: Path) -> bool:
    """Whether the database alone was moved: the files are in the old place, which no other workspace uses, not here.

    False for the folder as a whole (an empty `rest`), as new files are always written here.
    """
    there, here = folder / rest, database.parent / ARTIFACTS / rest
    others = folder.with_name(database.name)
    return rest != Path() and os.path.exists(there) and not os.path.exists(here) and not os.path.exists(others)
