"""The one module that knows DVC's Python code does what the others expect of it, on the versions it was tried on."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from facial_keypoints.core.errors import KeypointsError
from pipeline.experiments.dvc.internals import Repository, open_repository, read_cached, run_dvc
from tests.experiments.test_comparison import git
from tests.stages.test_repro import fresh, here, project

__all__ = ["fresh", "here", "project"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what DVC uses, in this process

TRIED = {"3.67.0", "3.67.1"}
"""Versions of DVC with which these tests passed."""


def test_the_version_of_dvc_is_one_that_was_tried():
    installed = version("dvc")
    assert installed in TRIED, f"run this file and tests/stages/test_repro.py on DVC {installed}, then add it to TRIED"


def test_the_folders_of_a_repository_are_dvcs(here: Path):
    with open_repository() as repository:
        assert repository.root == repository.git_root == here
        assert repository.temporary == here / ".dvc/tmp"
        assert repository.cache == here / ".dvc/cache/files/md5"
        assert here / "data/raw" in repository.outputs()


def test_what_git_ignores_is_known(here: Path):
    (here / ".gitignore").write_text("/secret\n")
    with open_repository() as repository:
        assert repository.is_ignored(here / "secret")
        assert not repository.is_ignored(here / "dvc.yaml")


def test_a_definition_that_cannot_be_read_has_no_outputs(here: Path):
    (here / "dvc.yaml").write_text("stages: [\n")
    with open_repository() as repository:
        assert repository.outputs() == []
        assert not repository.has_work("fetch")


@pytest.mark.slow
def test_only_one_process_holds_the_lock(here: Path):
    with (
        open_repository() as first,
        first.locked(),
        open_repository() as second,
        pytest.raises(KeypointsError, match="is held by"),
        second.locked(),
    ):
        pass
    with open_repository() as repository, repository.locked():
        pass


def test_an_empty_queue_has_no_statuses(here: Path):
    with open_repository() as repository:
        assert repository.queue_statuses() == {}


class Queue:
    """DVC's queue after three experiments failed: in a stage, before it began, and after it had ended well."""

    def __init__(self) -> None:
        self.entries = [SimpleNamespace(name=name, stash_rev=name) for name in ("stage", "setup", "collection")]
        self.proc = {"stage": SimpleNamespace(returncode=1), "collection": SimpleNamespace(returncode=0)}

    def status(self) -> list[dict[str, str]]:
        failed = [{"name": entry.name, "status": "Failed"} for entry in self.entries]
        return [*failed, {"name": "", "status": "Failed"}, {"name": "good", "status": "Success"}]

    def iter_failed(self) -> list[tuple[SimpleNamespace, None]]:
        return [(entry, None) for entry in self.entries]


def test_what_failed_without_a_process_of_its_own_that_failed_is_lost():
    repository = Repository(SimpleNamespace(experiments=SimpleNamespace(celery_queue=Queue())))
    known = {"stage": "Failed", "setup": "Lost", "collection": "Lost", "good": "Success"}
    assert repository.queue_statuses() == known


@pytest.mark.parametrize("content", ["", "{", "stages: 1\n", "a: b: c\n"])
def test_a_lock_file_that_cannot_be_read_is_named(here: Path, content: str):
    with open_repository() as repository:
        assert repository.damaged_lock_file() is None
        (here / "dvc.lock").write_text(content)
        assert repository.damaged_lock_file() == here / "dvc.lock"


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_process_list_that_cannot_be_read_is_removed(here: Path, content: str):
    listed = here / ".dvc/tmp/rwlock"
    with open_repository() as repository:
        assert repository.process_list_is_free()
        listed.parent.mkdir(exist_ok=True)
        listed.write_text(content)
        assert repository.process_list_is_free()
        assert not listed.exists()
        listed.write_text(json.dumps({}))
        assert repository.process_list_is_free()


@pytest.mark.slow
def test_a_stage_has_work_until_it_ran_and_when_its_settings_change(here: Path):
    def has_work() -> bool:
        with open_repository() as repository, repository.locked():
            return repository.has_work("fetch")

    assert has_work()
    assert run_dvc("repro", "fetch") == 0
    assert not has_work()
    params = here / "params.yaml"
    params.write_text(params.read_text().replace("youtube-faces", "synthetic"))
    assert has_work()


@pytest.mark.slow
def test_a_file_of_a_commit_comes_from_the_cache_or_is_none(here: Path):
    assert run_dvc("repro", "fetch") == 0
    git("add", "-A")
    git("commit", "-qm", "fetched")
    shutil.rmtree(here / "data")
    assert read_cached("HEAD", Path("data/raw/frame")) == b"real"
    assert read_cached("HEAD", Path("data/raw/nothing")) is None
    assert read_cached("HEAD~1", Path("data/raw/frame")) is None
