"""A colleague without the dataset's host gets everything from the team's storage, and experiments through git."""

from collections.abc import Iterator

import pytest

from tests.checkout import Checkout, report, stages_run

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module", params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, built: Checkout) -> Iterator[str]:
    """Address of an empty storage, which `built` can reach."""
    if request.param == "folder":
        yield str(tmp_path_factory.mktemp("team") / "storage")
        return
    with pytest.MonkeyPatch.context() as patch:
        server = request.getfixturevalue("s3_server")
        for name, value in server.items():
            patch.setenv(name, value)
        patch.setattr(built, "environment", built.environment | server)
        import boto3

        boto3.client("s3").create_bucket(Bucket="team")
        yield "s3://team/keypoints"


@pytest.fixture(scope="module")
def shared(built: Checkout, storage: str, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A second clone, after the first pushed code to a bare repository and data to the storage."""
    tmp_path = tmp_path_factory.mktemp("shared")
    origin = tmp_path / "origin.git"
    built.run("git", "init", "-q", "--bare", str(origin))
    built.run("dvc", "remote", "add", "--force", "--default", "team", storage)
    built.commit()
    built.run("dvc", "push")
    built.attempt("git", "remote", "remove", "origin")
    built.run("git", "remote", "add", "origin", str(origin))
    built.run("git", "push", "-q", "origin", "HEAD")
    folder = tmp_path / "colleague"
    built.run("git", "clone", "-q", str(origin), str(folder))
    return built.at(folder, site=tmp_path / "site")


def test_a_second_clone_pulls_everything(built: Checkout, shared: Checkout) -> None:
    shared.run("dvc", "pull")
    for path in ("data/model/model.safetensors", "data/processed/test/images.npy", "reports/figures/faces.png"):
        assert (shared.folder / path).read_bytes() == (built.folder / path).read_bytes()
    assert stages_run(shared.run("dvc", "repro", "--dry")) == ["track"]


@pytest.mark.parametrize("storage", ["s3"], indirect=True)
def test_an_experiment_goes_through_git_to_a_colleague(built: Checkout, shared: Checkout) -> None:
    name = "through-s3"
    built.run("dvc", "exp", "run", "--name", name, "-S", "evaluate.seed=4")
    measured = report(built)
    built.run("dvc", "exp", "push", "origin", name)
    built.go_back()
    shared.run("dvc", "exp", "pull", "origin", name)
    shared.run("dvc", "exp", "apply", name)
    assert report(shared) == measured != report(built)
    assert stages_run(shared.run("dvc", "repro", "--dry")) == ["track"]
    shared.go_back()


@pytest.mark.parametrize("storage", ["folder"], indirect=True)
def test_it_has_only_its_run_to_record(built: Checkout, shared: Checkout) -> None:
    shared.run("dvc", "pull")
    assert stages_run(shared.run("dvc", "repro")) == ["track"]
    assert shared.mlflow("select status from runs") == [("FINISHED",)]
    measured = dict(shared.mlflow("select key, value from latest_metrics"))
    assert measured["test/nme_percent"] == report(built)["test"]["nme_percent"]
    assert len(shared.mlflow("select status from logged_models")) == 1
    assert shared.run("git", "status", "--porcelain") == ""
    assert stages_run(shared.run("dvc", "repro")) == []
