"""Where MLflow keeps the runs: the one place that reads MLFLOW_TRACKING_URI and writes addresses for MLflow.

By default that is `mlflow.db` and `mlartifacts/` in the main workspace, by absolute paths: temporary experiments of DVC
run in folders that vanish, and so would what lies at a relative path.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlparse

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import TrackingError
from pipeline.core.paths import workspace_root

EXPERIMENT = "facial-keypoints"
VARIABLE = "MLFLOW_TRACKING_URI"
ARTIFACTS = "mlartifacts"
_SQLITE = {"sqlite", "sqlite+pysqlite"}
_SERVERS = ("postgresql", "mysql", "mssql")
_SERVICES = {"databricks", "databricks-uc", "uc"}
"""What MLflow takes without a scheme and is no path."""


@dataclass(frozen=True)
class StoreLocation:
    """The place of an MLflow store and of its files."""

    uri: str
    """Its address for MLflow, credentials included."""
    database: Path | None
    """The file of an SQLite store; None for others."""
    artifacts: Path | None
    """Where new experiments on a bare database keep their files; None where a server of MLflow decides."""

    @property
    def shown(self) -> str:
        """The place for messages: the file of an SQLite store, else the address without credentials."""
        return str(self.database) if self.database else without_credentials(self.uri)

    @property
    def lock(self) -> Path:
        """The file that processes lock while they make what all of them need."""
        database = self.database or _root() / "mlflow.db"
        return database.with_name(f"{database.name}.lock")

    @property
    def in_workspace(self) -> bool:
        """Whether the database lies in the main workspace, and so moves with it."""
        return self.database is not None and self.database.is_relative_to(_root())


def store_location() -> StoreLocation:
    """The store that MLFLOW_TRACKING_URI names, else that of the workspace. Raises TrackingError."""
    uri = _named()
    if not uri:
        return _sqlite(_root() / "mlflow.db")
    try:
        scheme = urlparse(uri).scheme
    except ValueError:
        raise TrackingError(
            f"{VARIABLE} is {without_credentials(uri)}, which is no address; write e.g. http://HOST:5000 or "
            "sqlite:///runs.db, or unset it"
        ) from None
    if scheme in _SQLITE:
        return _named_sqlite(uri)
    if uri not in _SERVICES and (scheme == "file" or len(scheme) < 2):  # one letter: a drive of Windows
        raise TrackingError(
            f"{VARIABLE} names the folder {uri}, and MLflow keeps runs in a folder no longer; name a database, "
            "e.g. sqlite:///mlflow.db, or unset it"
        )
    return StoreLocation(uri, None, _takeable(_root() / ARTIFACTS) if scheme.startswith(_SERVERS) else None)


def store_uri() -> str:
    """The address of the store for MLflow, credentials included. Raises TrackingError."""
    return store_location().uri


def shown_store() -> str:
    """The place of the store for messages, also where MLFLOW_TRACKING_URI is wrong."""
    try:
        return store_location().shown
    except TrackingError:
        return without_credentials(_named())


def store_for_shell() -> str:
    """The address of the store as an argument of a command of MLflow's, without credentials. Raises TrackingError."""
    location = store_location()
    return shlex.quote(location.uri) if location.database else f'"${VARIABLE}"'


def remedy() -> str:
    """What the user can do where the store cannot be used, for messages."""
    return f"mend it, or unset or change {VARIABLE}" if _named() else "mend it"


def sqlite_uri(database: Path, like: Any = "sqlite://") -> str:
    """SQLAlchemy's address of a file, with the driver and the query of another one.

    SQLAlchemy decodes the path once. MLflow does not: for an address that begins with `sqlite:///` it makes the folders
    of the path as it is written there. One that names the driver it leaves alone.
    """
    from sqlalchemy.engine import make_url

    url = make_url(like)
    path = f"file:{quote(str(database))}" if _for_sqlite_itself(url) else str(database)
    return str(url.set(drivername="sqlite+pysqlite", database=path).render_as_string(hide_password=False))


def _named() -> str:
    """What MLFLOW_TRACKING_URI says; "" where it is not set."""
    return os.environ.get(VARIABLE, "").strip()


def _root() -> Path:
    return workspace_root().resolve()


def _named_sqlite(uri: str) -> StoreLocation:
    """The store at an address of SQLAlchemy's, a relative path being one below the main workspace."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
        path = url.database or ""
    except (ArgumentError, ValueError):
        path = ""
    if path and _for_sqlite_itself(url):
        path = unquote(path.removeprefix("file:"))
    if path in {"", ":memory:"} or url.host or "memory" in url.query.get("mode", ""):
        raise TrackingError(
            f"{VARIABLE} is {without_credentials(uri)}, which names no file to keep runs in; write e.g. "
            "sqlite:///runs.db, or unset it"
        )
    return _sqlite(_root() / path, url)


def _for_sqlite_itself(url: Any) -> bool:
    """Whether the database of an address is a URI of SQLite's own, file:PATH?QUERY, which SQLite decodes once more."""
    return "uri" in url.query and str(url.database or "").startswith("file:")


def _sqlite(database: Path, like: Any = "sqlite://") -> StoreLocation:
    """The location of an SQLite file, its other files beside it. Raises TrackingError."""
    folder = _takeable(database.parent.resolve())
    database = folder / database.name
    return StoreLocation(sqlite_uri(database, like), database, folder / ARTIFACTS)


def _takeable(path: Path) -> Path:
    """The path, if MLflow can take it. Raises TrackingError."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise TrackingError(
            f"the path {str(path)!r} is not UTF-8, which MLflow cannot take; rename that folder, or name a server or a "
            f"database elsewhere with {VARIABLE}"
        ) from None
    return path
