"""`git checkout . && dvc checkout` goes back to the commit, whatever was tried since."""

from collections.abc import Iterator

import pytest
from dvc.repo import Repo

from pipeline.cli import STAGES
from pipeline.experiments.params import SECTIONS
from tests.checkout import Checkout, stages_run

pytestmark = pytest.mark.slow

CHANGED = {
    "fetch": "synthetic.seed=1",
    "split": "seed=1",
    "preprocess": "size_px=96",
    "model": "coarse_to_fine.fine_width=12",
    "augment": "rotation_deg=10",
    "pretrain": "seed=1",
    "train": "epochs=1",
    "evaluate": "seed=1",
    "render": "seed=1",
}
"""Of each section a key and another value."""
REFUSED = {
    "fetch": "synthetic.people=1",
    "split": "seed=-1",
    "preprocess": "fit=fold",
    "model": "name=nothing",
    "augment": "scale_max=0",
    "pretrain": "epochs=-1",
    "train": "lr=100",
    "evaluate": "seed=-1",
    "render": "seed=-1",
}
"""Of each section a key and a value that its stages refuse."""


def settings(values: dict[str, str]) -> list[str]:
    return [part for section, value in values.items() for part in ("-S", f"{section}.{value}")]


@pytest.fixture
def committed(built: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """The built checkout with all its results in git, and clean."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", built.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    if built.run("git", "status", "--porcelain"):
        built.commit()
    assert changed(built) == {}
    yield built
    go_back(built)


def changed(checkout: Checkout) -> dict:
    """What `dvc status` would tell."""
    with Repo(str(checkout.folder)) as repo:
        return repo.status()


def go_back(checkout: Checkout) -> None:
    checkout.run("git", "checkout", "-q", ".")
    checkout.run("dvc", "checkout", "-q")


def test_after_an_experiment_with_a_key_of_every_section(committed: Checkout):
    """Once run, applied, and as a branch; by the parameters alone, all but the record comes out of DVC's cache."""
    assert set(CHANGED) == set(SECTIONS)
    results, params = committed.digests("data", "reports"), committed.folder / "params.yaml"
    before, lock = params.read_text(), (committed.folder / "dvc.lock").read_bytes()
    assert set(stages_run(committed.run("dvc", "exp", "run", "--name", "other", *settings(CHANGED)))) == set(STAGES)
    go_back(committed)
    assert changed(committed) == {}
    assert committed.digests("data", "reports") == results

    committed.run("dvc", "exp", "apply", "other")
    assert changed(committed) == {}
    params.write_text(before)
    assert set(stages_run(committed.run("dvc", "repro"))) <= {"track"}
    assert (committed.folder / "dvc.lock").read_bytes() == lock

    committed.run("dvc", "exp", "branch", "other", "tried")
    for branch in ("tried", "-"):
        committed.run("git", "checkout", "-q", branch)
        committed.run("dvc", "checkout", "-q")
        assert changed(committed) == {}
    assert committed.digests("data", "reports") == results


@pytest.mark.parametrize("section", REFUSED)
def test_after_a_run_that_was_refused(committed: Checkout, section: str):
    done = committed.attempt("dvc", "exp", "run", *settings({section: REFUSED[section]}))
    assert done.returncode != 0
    assert f"error: params.yaml: {section}." in done.stdout
    go_back(committed)
    assert changed(committed) == {}
