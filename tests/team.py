"""Two clones, one server of MLflow with sign-in on PostgreSQL and S3, killed in the middle: python -m tests.team

What docs/team.md says, without containers, by `tests.servers`. Both clones run `dvc repro` at once; while they train,
MLflow's server is killed and started again. Then both search together. Ends with status 1 if a run lacks anything.
"""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from pipeline.experiments.recipe import write_values
from tests.checkout import Checkout
from tests.own_folder import own_folder
from tests.servers import S3_ACCESS, Mlflow, postgresql, require, s3

EPOCHS = 8
PATIENCE_S = 900
"""Longest wait for both clones to train."""


def clones(folder: Path, s3_address: str, mlflow: Mlflow) -> list[Checkout]:
    """Two clones of one repository whose DVC remote is the store; they differ in the seed of their training."""
    first = Checkout(folder / "ada" / "checkout")
    first.environment |= S3_ACCESS | {"AWS_ENDPOINT_URL": s3_address} | mlflow.user(mlflow.password)
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
            sys.exit(f"a command of {checkout.folder} failed:\n{text(checkout)[-3000:]}")


def checkpoints(checkout: Checkout) -> list[Path]:
    return list((checkout.folder / ".checkpoints" / "train").glob("*.safetensors"))


def kill_in_the_middle(mlflow: Mlflow, building: list[subprocess.Popen[str]], checkouts: list[Checkout]) -> None:
    """Kill the server once a clone trains, which the other does or soon will, and start it again."""
    end = time.monotonic() + PATIENCE_S
    while not any("Running stage 'train'" in text(checkout) and checkpoints(checkout) for checkout in checkouts):
        if any(process.poll() is not None for process in building) or time.monotonic() > end:
            told = "\n".join(f"{checkout.folder}:\n{text(checkout)[-1500:]}" for checkout in checkouts)
            sys.exit(f"no clone trains:\n{told}")
        time.sleep(0.1)
    mlflow.kill()
    tell("server killed in the middle of a training")
    mlflow.start()
    tell("server started again")


def text(checkout: Checkout) -> str:
    return (checkout.folder.parent / "log").read_text()


def tell(line: str) -> None:
    print(line, flush=True)


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


def main() -> None:
    require()
    with own_folder() as folder, ExitStack() as stack:
        databases = stack.enter_context(postgresql(folder / "postgresql"))
        s3_address = stack.enter_context(s3("mlflow", "dvc"))
        mlflow = Mlflow(folder, databases, s3_address)
        stack.callback(mlflow.kill)
        mlflow.start()
        tell(f"PostgreSQL, S3 and MLflow with sign-in serve; logs are in {folder}")
        checkouts = clones(folder, s3_address, mlflow)
        tell("two clones run dvc repro")
        building = together(checkouts, "dvc", "repro")
        kill_in_the_middle(mlflow, building, checkouts)
        finish(building, checkouts)
        found = faults(mlflow, checkouts)
        for checkout in checkouts:
            checkout.run("dvc", "push")
        found += wrong_password(mlflow, checkouts[0])
        tell("two clones search together")
        found += search_together(checkouts, databases)
        if found:
            sys.exit("\n".join(found))
    tell("nothing is lost")


if __name__ == "__main__":
    main()
