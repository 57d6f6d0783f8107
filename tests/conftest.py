import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from pipeline.experiments.tracking import mlflow_store
from tests.architecture import ROOT
from tests.checkout import Checkout, report
from tests.dataset import write_raw
from tests.queued import run_all

settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any machine")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests compute little; threads would only wait for each other

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # some tests import onnxruntime themselves
os.environ["KEYPOINTS_YUNET"] = "none"  # no test fetches YuNet's file; those of YuNet name one

FIRST = "first"
"""Folder beside the built checkout with its first results."""


class OneWorkerAFile(LoadFileScheduling):
    """Of several workers, one runs all files that use the built checkout, and each other file has one worker.

    So every session and module fixture is made once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "built" if uses_built(ROOT / file) else file


@cache
def uses_built(file: Path) -> bool:
    return re.search(r"def \w+\([^)]*\bbuilt\b", file.read_text(encoding="utf-8")) is not None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerAFile:
    return OneWorkerAFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what uses the built checkout: it takes longest."""
    items.sort(key=lambda item: uses_built(item.path), reverse=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take away what MLflow puts among the modules though it is none: hypothesis looks at the file of each."""
    if hasattr(getattr(item, "obj", None), "hypothesis"):
        for name, module in list(sys.modules.items()):
            if not isinstance(getattr(module, "__file__", None), str | None):
                del sys.modules[name]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run stages in, with its own DVC root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def raw(workspace: Path) -> Path:
    return write_raw(workspace / "data" / "raw")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """A server with the real S3 interface on this machine: the environment in which clients reach it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    access = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "tester")
    yield access | {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    server.stop()


@pytest.fixture
def s3(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The server, still empty: what the environment, already set, says of it."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    yield s3_server
    urlopen(Request(f"{s3_server['AWS_ENDPOINT_URL']}/moto-api/reset", method="POST")).close()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database with its tables, made once: making it takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with mlflow_store.quiet():
        import mlflow

        mlflow.MlflowClient(f"sqlite:///{path}").get_experiment_by_name("none")
    return path


@pytest.fixture
def stored(workspace: Path, empty_store: Path) -> Path:
    """The empty folder with MLflow's database in it."""
    return Path(shutil.copy(empty_store, workspace)).parent


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after one `dvc repro` of two epochs, all of it in git; who changes it leaves it clean."""
    checkout = Checkout(tmp_path_factory.mktemp("pipeline") / "checkout")
    checkout.environment["OMP_NUM_THREADS"] = "1"  # beside another worker of the tests
    checkout.make_small(epochs=2)
    checkout.run("dvc", "repro")
    checkout.copy_results(FIRST)
    checkout.commit()
    return checkout


@pytest.fixture(scope="session")
def queued(built: Checkout) -> dict[str, str]:
    """Name -> status of experiments that DVC's queue ran on the built checkout, whose MLflow store is theirs."""
    return run_all(built)


@pytest.fixture(scope="session")
def tried(built: Checkout) -> tuple[str, dict]:
    """What `dvc exp run` told of the experiment `bootstrap`, which only measures anew, and its metrics."""
    told = built.run("dvc", "exp", "run", "--name", "bootstrap", "-S", "evaluate.seed=1")
    metrics = report(built)
    built.go_back()
    return told, metrics


@pytest.fixture
def first_results(built: Checkout) -> Checkout:
    """The reports and MLflow's store as that `dvc repro` left them, whatever was done since."""
    return built.at(built.folder.parent / FIRST, site=Path(built.environment["DVC_SITE_CACHE_DIR"]))
