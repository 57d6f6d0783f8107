"""Two clones, one server of MLflow with sign-in on PostgreSQL and S3, killed in the middle: python -m tests.team

What docs/team.md says, without containers: PostgreSQL as Debian packages it, S3 by moto, MLflow's basic-auth. Both
clones run `dvc repro` at once; while they train, the server is killed and started again. Then both search together.
Ends with status 1 if a run lacks anything. Needs PostgreSQL's programs, and flask-wtf and psycopg[binary]
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from moto.server import ThreadedMotoServer

from pipeline.experiments.recipe import write_values
from tests.checkout import Checkout

EPOCHS = 8
PATIENCE_S = 180
USER = "keypoints"
S3_ACCESS = {**dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "team"), "AWS_DEFAULT_REGION": "us-east-1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def programs() -> Path:
    """PostgreSQL's folder of programs, the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server with empty databases mlflow, mlflow_auth and search; gives the beginning of their addresses."""
    folder.mkdir()
    port, password, bin_ = free_port(), secrets.token_hex(8), programs()
    (folder / "password").write_text(password)
    as_other: list[str | Path] = (
        ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    )  # it does not run as root
    if as_other:
        shutil.chown(folder, "postgres")
        shutil.chown(folder / "password", "postgres")
    made: list[str | Path] = ["--username", USER, "--pwfile", folder / "password", "--auth", "scram-sha-256"]
    subprocess.run([*as_other, bin_ / "initdb", "--pgdata", folder / "data", *made], check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    control: list[str | Path] = [*as_other, bin_ / "pg_ctl", "--pgdata", folder / "data", "--wait"]
    nowhere = subprocess.DEVNULL
    subprocess.run([*control, "--options", options, "--log", folder / "log", "start"], check=True, stdout=nowhere)
    try:
        for name in ("mlflow", "mlflow_auth", "search"):
            command = [bin_ / "createdb", "--host", "127.0.0.1", "--port", str(port), "--username", USER, name]
            subprocess.run(command, check=True, env=os.environ | {"PGPASSWORD": password})
        yield f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "--mode", "immediate", "stop"], check=True, stdout=nowhere)


class Mlflow:
    """MLflow's server with sign-in, which can be killed and started again."""

    def __init__(self, folder: Path, databases: str, s3: str) -> None:
        self.port, self.password = free_port(), secrets.token_hex(8)
        self.address = f"http://127.0.0.1:{self.port}"
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
            "MLFLOW_S3_ENDPOINT_URL": s3,
        }
        self.command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
        self.command += ["--port", str(self.port), "--backend-store-uri", f"{databases}/mlflow"]
        self.command += ["--artifacts-destination", "s3://mlflow"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + PATIENCE_S
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
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def user(self, password: str) -> dict[str, str]:
        """Environment of somebody who signs in with a password."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": password,
        }


def clones(folder: Path, s3: str, mlflow: Mlflow) -> list[Checkout]:
    """Two clones of one repository whose DVC remote is the store; they differ in the seed of their training."""
    first = Checkout(folder / "ada" / "checkout")
    first.environment |= S3_ACCESS | {"AWS_ENDPOINT_URL": s3} | mlflow.user(mlflow.password)
    first.make_small(epochs=EPOCHS)
    first.run("dvc", "remote", "add", "--default", "team", "s3://dvc")
    first.commit()
    first.run("git", "clone", "-q", ".", str(folder / "bob" / "checkout"))
    second = first.at(folder / "bob" / "checkout", site=folder / "bob" / "dvc-site")
    write_values({"train.seed": 1}, second.folder / "params.yaml")
    return [first, second]


def together(checkouts: list[Checkout], *command: str) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(
            command,
            cwd=checkout.folder,
            env=checkout.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=(checkout.folder.parent / "log").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        for checkout in checkouts
    ]


def finish(processes: list[subprocess.Popen[str]], checkouts: list[Checkout]) -> None:
    for process, checkout in zip(processes, checkouts, strict=True):
        if process.wait():
            sys.exit(f"a command of {checkout.folder} failed:\n{(checkout.folder.parent / 'log').read_text()[-3000:]}")


def checkpoints(checkout: Checkout) -> list[Path]:
    return list((checkout.folder / ".checkpoints" / "train").glob("*.safetensors"))


def kill_in_the_middle(mlflow: Mlflow, checkouts: list[Checkout]) -> None:
    """Kill the server once both clones train, and start it again."""
    end = time.monotonic() + 5 * PATIENCE_S
    while not all("Running stage 'train'" in text(checkout) and checkpoints(checkout) for checkout in checkouts):
        if time.monotonic() > end:
            sys.exit("no clone trains")
        time.sleep(0.1)
    mlflow.kill()
    print("server killed in the middle of two trainings", flush=True)
    mlflow.start()


def text(checkout: Checkout) -> str:
    return (checkout.folder.parent / "log").read_text()


def faults(mlflow: Mlflow, checkouts: list[Checkout]) -> list[str]:
    """What the two runs lack, read from the server as a user reads it."""
    os.environ |= mlflow.user(mlflow.password)
    from mlflow import MlflowClient

    client = MlflowClient(mlflow.address)
    experiment = client.get_experiment_by_name("facial-keypoints")
    runs = client.search_runs([experiment.experiment_id])
    models = client.search_logged_models([experiment.experiment_id])
    found = [] if len(runs) == len(checkouts) else [f"{len(runs)} runs for {len(checkouts)} clones"]
    for run in runs:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "curves/train_loss")]
        names = {file.path for file in client.list_artifacts(run.info.run_id)}
        checks = {
            f"status {run.info.status}": run.info.status == "FINISHED",
            f"epochs {steps}": sorted(steps) == list(range(1, EPOCHS + 1)),
            "no test error": "test/nme_percent" in run.data.metrics,
            f"artifacts {sorted(names)}": {"dvc.lock"} <= names,
            "no model": any(model.source_run_id == run.info.run_id for model in models),
        }
        found += [f"{run.info.run_name}: {what}" for what, good in checks.items() if not good]
    return found


def wrong_password(mlflow: Mlflow, checkout: Checkout) -> list[str]:
    """Faults of what `keypoints runs` says to who has the wrong password."""
    before = dict(checkout.environment)
    checkout.environment |= mlflow.user("not it")
    told = checkout.attempt("keypoints", "runs").stdout.splitlines()
    checkout.environment = before
    print("wrong password:", *told, sep="\n  ")
    return [] if len(told) == 1 and "knows no such user and password" in told[0] else ["wrong password: not one line"]


def search_together(checkouts: list[Checkout], databases: str) -> list[str]:
    """Faults of one search by two clones that share its database."""
    write_values({"train.seed": 0}, checkouts[1].folder / "params.yaml")
    storage = {"KEYPOINTS_SEARCH_STORAGE": f"{databases}/search"}
    for checkout in checkouts:
        checkout.environment |= storage
    command = (sys.executable, "-m", "pipeline", "sweep", "--search", "4", "-S", "train.lr=0.001..0.02")
    finish(together(checkouts, *command), checkouts)
    told = [text(checkout) for checkout in checkouts]
    print(told[0])
    made = [log.count(": validation NME") for log in told]
    return [] if sum(made) >= 4 and all(made) else [f"the clones made {made} of 4 trainings"]


def main() -> int:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # PostgreSQL may run as another user
    with ExitStack() as stack:
        databases = stack.enter_context(postgresql(folder / "postgresql"))
        store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        store.start()
        stack.callback(store.stop)
        host, port = store.get_host_and_port()
        s3 = f"http://{host}:{port}"
        import boto3

        for bucket in ("mlflow", "dvc"):
            boto3.client("s3", endpoint_url=s3, **client_access()).create_bucket(Bucket=bucket)
        mlflow = Mlflow(folder, databases, s3)
        mlflow.start()
        stack.callback(mlflow.kill)
        checkouts = clones(folder, s3, mlflow)
        building = together(checkouts, "dvc", "repro")
        kill_in_the_middle(mlflow, checkouts)
        finish(building, checkouts)
        found = faults(mlflow, checkouts)
        for checkout in checkouts:
            checkout.run("dvc", "push")
        found += wrong_password(mlflow, checkouts[0]) + search_together(checkouts, databases)
    print("\n".join(found) or "nothing is lost")
    print(f"all is kept in {folder}" if found else "")
    if not found:
        shutil.rmtree(folder)
    return bool(found)


def client_access() -> dict[str, str]:
    """S3_ACCESS as arguments of boto3."""
    return {name.lower().replace("aws_default_region", "region_name"): value for name, value in S3_ACCESS.items()}


if __name__ == "__main__":
    sys.exit(main())
