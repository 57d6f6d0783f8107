"""`git checkout HEAD . && dvc checkout` goes back to the commit, whatever was tried since."""

from collections.abc import Iterator

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.cli import STAGES
from pipeline.experiments.dvc.internals import run_dvc
from pipeline.experiments.params import SECTIONS
from tests.checkout import Checkout, stages_run
from tests.queued import CHANGED

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

REFUSED = {"fetch": "synthetic.people=1", "model": "name=nothing", "render": "seed=-1"}
"""Of sections of early, middle and late stages a key and a value that these refuse."""


def settings(values: dict[str, str]) -> list[str]:
    return [part for key, value in values.items() for part in ("-S", f"{key}={value}")]


@pytest.fixture
def committed(built: Checkout) -> Iterator[Checkout]:
    """The built checkout, clean, as the present folder."""
    with built.entered():
        assert changed(built) == {}
        yield built


def changed(checkout: Checkout) -> dict:
    """What `dvc status` would tell."""
    with Repo(str(checkout.folder)) as repo:
        return repo.status()


def dvc(*arguments: str) -> None:
    """A command of DVC that must succeed, in this process."""
    assert run_dvc(*arguments, "-q") == 0


def go_back(checkout: Checkout) -> None:
    checkout.run("git", "checkout", "-q", "HEAD", ".")
    dvc("checkout")


def stages_of(lock: bytes) -> dict:
    return YAML(typ="safe").load(lock)["stages"]


@pytest.mark.usefixtures("queued")
def test_after_an_experiment_with_a_key_of_every_section(committed: Checkout):
    """Once run, applied, and as a branch; by the parameters alone, all but the record comes out of DVC's cache."""
    assert {key.partition(".")[0] for key in CHANGED} == set(SECTIONS)
    results, params = committed.digests("data", "reports"), committed.folder / "params.yaml"
    before, lock_file = params.read_text(), committed.folder / "dvc.lock"
    lock = lock_file.read_bytes()
    dvc("exp", "run", "--name", "again", *settings(CHANGED))  # what the queue made of `other`, out of the cache
    here, there = stages_of(lock), stages_of(lock_file.read_bytes())
    assert all(here[stage] != there[stage] for stage in STAGES)
    go_back(committed)
    assert changed(committed) == {}
    assert committed.digests("data", "reports") == results

    dvc("exp", "apply", "other")
    assert changed(committed) == {}
    params.write_text(before)
    assert set(stages_run(committed.run("dvc", "repro"))) <= {"track"}
    assert lock_file.read_bytes() == lock

    dvc("exp", "branch", "other", "tried")
    for branch in ("tried", "-"):
        committed.run("git", "checkout", "-q", branch)
        dvc("checkout")
        assert changed(committed) == {}
    assert committed.digests("data", "reports") == results


def test_after_runs_that_were_refused(committed: Checkout, capfd: pytest.CaptureFixture[str]):
    for section, refused in REFUSED.items():
        assert run_dvc("exp", "run", "-S", f"{section}.{refused}") != 0
        assert f"error: params.yaml: {section}." in "".join(capfd.readouterr())
        committed.run("git", "checkout", "-q", "HEAD", "params.yaml")
    go_back(committed)
    assert changed(committed) == {}
