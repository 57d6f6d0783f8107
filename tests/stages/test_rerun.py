"""What a change makes run again: DVC is asked for every parameter and every file of the code."""

from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from pipeline.cli import STAGES, stage_sections
from pipeline.config import flatten, load_params
from pipeline.recipe import write_values
from tests.checkout import Checkout, stages_run
from tests.imports import NETWORKS_FOLDER, ROOT, import_closure

pytestmark = pytest.mark.slow

PARAMS = flatten(load_params(ROOT / "params.yaml"))
CODE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline").rglob("*.py"))
WORDS = {
    "fetch.source": "youtube-faces",
    "preprocess.fit": "stretch",
    "model.name": "resnet18",
    "model.weights": "pretrained",
    "train.precision": "float32",
    "train.loss": "mse",
    "train.loss_unit": "50_px",
    "train.optimizer": "adamw",
    "train.schedule": "constant",
}
"""Another value for each parameter that is a word."""


@pytest.fixture
def checkout(built: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", built.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    assert changed_stages(built) == set()
    return built


def changed_stages(checkout: Checkout) -> set[str]:
    """Stages whose own inputs are not those of dvc.lock; what only follows from them is not among these."""
    with Repo(str(checkout.folder)) as repo:
        return {name.rpartition(":")[2] for name in repo.status()}  # names come as path:stage


def another(name: str, value: Any) -> Any:
    match value:
        case bool():
            return not value
        case str():
            return WORDS[name]
        case int():
            return value + 1
        case _:
            return 0.9 * value


def test_a_parameter_concerns_exactly_the_stages_that_take_its_section(checkout):
    path = checkout.folder / "params.yaml"
    before = path.read_text()
    values = flatten(load_params(path))
    wrong = {}
    for name, value in values.items():
        write_values({name: another(name, value)}, path)
        takes_it = {stage for stage in STAGES if name.split(".")[0] in stage_sections(stage)}
        if (found := changed_stages(checkout)) != takes_it:
            wrong[name] = found
        path.write_text(before)
    assert len(values) == len(PARAMS) > 40
    assert not wrong
    assert changed_stages(checkout) == set()


def test_a_file_of_the_code_concerns_exactly_the_stages_that_import_it(checkout):
    closures = {stage: import_closure(ROOT / "pipeline" / "stages" / f"{stage}.py") for stage in STAGES}
    closures["track"] |= import_closure(ROOT / "pipeline" / "pyfunc_model.py")
    wrong = {}
    for name in CODE:
        path = checkout.folder / name
        before = path.read_bytes()
        path.write_bytes(before + b"\n# changed\n")
        in_it = {name, NETWORKS_FOLDER} if Path(name).parent.as_posix() == NETWORKS_FOLDER else {name}
        imports_it = {stage for stage in STAGES if in_it & closures[stage]}
        if (found := changed_stages(checkout)) != imports_it:
            wrong[name] = found
        path.write_bytes(before)
    assert not wrong
    assert changed_stages(checkout) == set()


def test_going_back_runs_nothing_again(checkout):
    path = checkout.folder / "params.yaml"
    before, lock = path.read_text(), (checkout.folder / "dvc.lock").read_bytes()
    write_values({"evaluate.bootstrap_samples": 60, "train.epochs": 1}, path)
    assert "train" in stages_run(checkout.run("dvc", "repro"))
    assert (checkout.folder / "dvc.lock").read_bytes() != lock
    path.write_text(before)
    assert set(stages_run(checkout.run("dvc", "repro"))) <= {"track"}
    assert (checkout.folder / "dvc.lock").read_bytes() == lock
