"""A colleague without the dataset's host gets everything from the team's storage, and experiments through git."""

from pathlib import Path

import pytest

from tests.checkout import Checkout, report, stages_run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, built: Checkout, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an empty storage, which `built` can reach."""
    if request.param == "folder":
        return str(tmp_path / "storage")
    monkeypatch.setattr(built, "environment", built.environment | request.getfixturevalue("s3"))
    import boto3

    boto3.client("s3").create_bucket(Bucket="team")
    return "s3://team/keypoints"


@pytest.fixture
def shared(built: Checkout, storage: str, tmp_path: Path) -> Checkout:
    """A second clone, after the first pushed code to a bare repository and data to the storage."""
    origin = tmp_path / "origin.git"
    built.run("git", "init", "-q", "--bare", str(origin))
    built.run("dvc", "remote", "add", "--force", "--default", "team", storage)
    if built.run("git", "status", "--porcelain"):
        built.commit()
    built.run("dvc", "push")
    built.attempt("git", "remote", "remove", "origin")
    built.run("git", "remote", "add", "origin", str(origin))
    built.run("git", "push", "-q", "origin", "HEAD")
    folder = tmp_path / "colleague"
    built.run("git", "clone", "-q", str(origin), str(folder))
    return built.at(folder, site=tmp_path / "site")


def test_a_second_clone_pulls_everything_and_has_only_its_run_to_record(built: Checkout, shared: Checkout) -> None:
    shared.run("dvc", "pull")
    for path in ("data/model/model.safetensors", "data/processed/test/images.npy", "reports/figures/faces.png"):
        assert (shared.folder / path).read_bytes() == (built.folder / path).read_bytes()
    assert stages_run(shared.run("dvc", "repro")) == ["track"]
    assert shared.mlflow("select status from runs") == [("FINISHED",)]
    measured = dict(shared.mlflow("select key, value from latest_metrics"))
    assert measured["test/nme_percent"] == report(built)["test"]["nme_percent"]
    assert len(shared.mlflow("select status from logged_models")) == 1
    assert shared.run("git", "status", "--porcelain") == ""
    assert stages_run(shared.run("dvc", "repro")) == []


def test_an_experiment_goes_through_git_to_a_colleague(built: Checkout, shared: Checkout) -> None:
    if "shared-one" not in built.run("dvc", "exp", "list", "--name-only"):
        built.run("dvc", "exp", "run", "--name", "shared-one", "-S", "evaluate.seed=3")
    measured = report(built)
    built.run("dvc", "exp", "push", "origin", "shared-one")
    built.run("git", "checkout", "-q", ".")
    shared.run("dvc", "exp", "pull", "origin", "shared-one")
    shared.run("dvc", "exp", "apply", "shared-one")
    assert report(shared) == measured
    assert stages_run(shared.run("dvc", "repro", "--dry")) == ["track"]
