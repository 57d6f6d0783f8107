"""The servers of docs/team.md on this machine: PostgreSQL as Debian packages it, S3 by moto, MLflow with sign-in."""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

USER = "keypoints"
START_S = 180
"""Longest wait for MLflow's server, which makes its tables first."""
S3_ACCESS = {**dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "team"), "AWS_DEFAULT_REGION": "us-east-1"}
PACKAGES = {"moto.server": "moto[server]", "flask_wtf": "flask-wtf", "psycopg": "psycopg[binary]"}
"""Module -> what pip installs for it."""


def require() -> None:
    """Exit with a line that tells what is not installed."""
    remedies = [] if _programs() else ["on Debian and Ubuntu: apt-get install postgresql"]
    packages = " ".join(f"'{package}'" for module, package in PACKAGES.items() if not _importable(module))
    if packages:
        remedies.append(f"{sys.executable} -m pip install {packages}")
    if remedies:
        sys.exit(f"the team's servers need what is not installed; {'; '.join(remedies)}")


def _importable(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:  # of psycopg also where it has no libpq
        return False
    return True


def _programs() -> Path | None:
    """PostgreSQL's folder of programs, the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(*command: str | Path, password: str = "") -> None:
    """Run a program of PostgreSQL, which must succeed."""
    environment = os.environ | {"PGPASSWORD": password}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed: {done.stderr.strip()}")


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server with empty databases mlflow, mlflow_auth and search; gives the beginning of their addresses."""
    folder.mkdir()
    port, password, bin_ = _free_port(), secrets.token_hex(8), _programs()
    assert bin_
    (folder / "password").write_text(password)
    as_other: list[str | Path] = []
    if os.geteuid() == 0:  # it does not run as root
        as_other = [shutil.which("runuser") or "/usr/sbin/runuser", "-u", "postgres", "--"]
        folder.parent.chmod(0o755)
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    made = ["--username", USER, "--pwfile", folder / "password", "--auth", "scram-sha-256"]
    _run(*as_other, bin_ / "initdb", "--pgdata", folder / "data", *made, "--encoding", "UTF8", "--no-locale")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
    control = [*as_other, bin_ / "pg_ctl", "--pgdata", folder / "data", "--wait"]
    try:
        _run(*control, "--options", options, "--log", folder / "log", "start")
        for name in ("mlflow", "mlflow_auth", "search"):
            at = ["--host", "127.0.0.1", "--port", str(port), "--username", USER]
            _run(bin_ / "createdb", *at, name, password=password)
        yield f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{port}"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            _run(*control, "--mode", "immediate", "stop")


@contextmanager
def s3(*buckets: str) -> Iterator[str]:
    """A server with these buckets; gives its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    access = {name.lower().replace("aws_default_region", "region_name"): text for name, text in S3_ACCESS.items()}
    try:
        for bucket in buckets:
            boto3.client("s3", endpoint_url=address, **access).create_bucket(Bucket=bucket)
        yield address
    finally:
        server.stop()


class Mlflow:
    """MLflow's server with sign-in, which can be killed and started again."""

    def __init__(self, folder: Path, databases: str, s3_address: str) -> None:
        port, self.password = _free_port(), secrets.token_hex(8)
        self.address = f"http://127.0.0.1:{port}"
        settings = {
            "default_permission": "EDIT",
            "database_uri": f"{databases}/mlflow_auth",
            "admin_username": "admin",
            "admin_password": self.password,
            "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        }
        (folder / "auth.ini").write_text(
            "\n".join(["[mlflow]", *(f"{key} = {text}" for key, text in settings.items())])
        )
        self.log = folder / "mlflow.log"
        self.environment = os.environ | S3_ACCESS
        self.environment |= {
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(8),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_S3_ENDPOINT_URL": s3_address,
        }
        self.command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
        self.command += ["--port", str(port), "--backend-store-uri", f"{databases}/mlflow"]
        self.command += ["--artifacts-destination", "s3://mlflow"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"MLflow's server does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.3)

    def _answers(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"{self.address}/health", timeout=1).read())
        except OSError:
            return False

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def user(self, password: str) -> dict[str, str]:
        """Environment of somebody who signs in with a password."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": password,
        }
