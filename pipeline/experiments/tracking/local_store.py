"""The database of an MLflow store before MLflow opens it: made whole, tried, and told where its files lie today."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import TrackingError
from pipeline.experiments.tracking.moved_store import change, moved_locations
from pipeline.experiments.tracking.store_location import ARTIFACTS, StoreLocation, sqlite_uri

_BUSY_S = 10
"""Longest wait for another process that is writing."""
_MAKING_S = 120
"""Longest wait for another process that is making the database."""
_MOVED = "let this user write it and its folder, once: the workspace has moved, and it holds the old paths"
_REMEDIES = {
    "database is locked": "end the process that holds it",
    "could not be acquired": "end the process that holds it",
    "unable to open": "let this user read and write it",
    "readonly database": _MOVED,
    "Read-only file system": _MOVED,
    "Permission denied": _MOVED,
}
_REPLACE = "restore it, or move it away and record what is here again with: dvc repro -fs track"


def lock(store: StoreLocation) -> FileLock:
    """The lock for what one process at a time may do, such as making the database: two at once crash each other."""
    return FileLock(store.lock, timeout=_MAKING_S)


def prepare(store: StoreLocation) -> None:
    """Make the database if there is none, refuse one that cannot be used, mend what moved with the workspace.

    Raises TrackingError, and whatever a driver raises, soon: MLflow tries for a minute and a half to open what cannot
    be opened.
    """
    if store.database is None:
        _try_server(store)
    elif not os.path.lexists(store.database):
        with lock(store):
            if not os.path.lexists(store.database):
                _make(store.database)
    else:
        _mend(store, store.database)


def _make(database: Path) -> None:
    """Make the database with all its tables or not at all: MLflow cannot go on with one that was interrupted."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with whole(database) as partial, tempfile.TemporaryDirectory() as folder:
        made, files = Path(folder, database.name), database.parent / ARTIFACTS
        SqlAlchemyStore(sqlite_uri(made), files.as_uri()).engine.dispose()  # type: ignore[no-untyped-call]
        shutil.copyfile(made, partial)


def _mend(store: StoreLocation, database: Path) -> None:
    """Try the database, and correct the places of files if the workspace was moved.

    Only then the lock is taken, for which the folder must be writable. Raises TrackingError.
    """
    with _opened(database) as connection:
        if store.in_workspace and moved_locations(connection, database):
            with lock(store):
                change(connection, moved_locations(connection, database))


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """The database, open. Raises TrackingError, with what helps, where it is no database or cannot be read."""
    try:
        with closing(sqlite3.connect(database, timeout=_BUSY_S)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
            if not database.stat().st_size:
                raise sqlite3.DatabaseError("file is empty")
            yield connection
    except (sqlite3.Error, OSError) as error:
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in str(error)), _REPLACE)
        raise TrackingError(f"MLflow's database {database} cannot be used: {error}; {remedy}") from None


def _try_server(store: StoreLocation) -> None:
    """Connect once to a database that a server keeps, so that its refusal comes at once."""
    if store.artifacts is not None:
        from mlflow.store.db.utils import create_sqlalchemy_engine

        engine = create_sqlalchemy_engine(store.uri)  # type: ignore[no-untyped-call]
        engine.connect().close()
        engine.dispose()
