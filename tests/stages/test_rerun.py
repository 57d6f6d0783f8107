"""What a change makes run again: DVC is asked for parameters of every section and for every room of the code."""

from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.cli import STAGES, stage_sections
from pipeline.core.params import flatten
from pipeline.experiments.params import SECTIONS, load_params
from pipeline.experiments.recipe import write_values
from tests.architecture import PACKAGES, ROOT
from tests.checkout import Checkout

pytestmark = pytest.mark.long

CODE = {
    stage: [dep for dep in defined["deps"] if dep.startswith(("pipeline/", "facial_keypoints/"))]
    for stage, defined in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items()
}
"""Code that each stage depends on."""
ROOMS = sorted({path.parent.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")})
WORDS = {"fetch.source": "youtube-faces", "preprocess.fit": "stretch", "model.name": "resnet18"}
"""Another value of parameters that are words."""


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
    names = {section: [name for name in values if name.startswith(f"{section}.")] for section in SECTIONS}
    wrong = {}
    for name, value in ((name, values[name]) for of in names.values() for name in {of[0], of[-1]}):
        write_values({name: another(name, value)}, path)
        takes_it = {stage for stage in STAGES if name.split(".")[0] in stage_sections(stage)}
        if (found := changed_stages(checkout)) != takes_it:
            wrong[name] = found
        path.write_text(before)
    assert not wrong
    assert changed_stages(checkout) == set()


def test_a_new_file_of_a_room_concerns_exactly_the_stages_that_depend_on_the_room(checkout):
    wrong = {}
    for room in ROOMS:
        new = checkout.folder / room / "new_file.py"
        new.write_text("# new\n")
        depend_on_it = {stage for stage in STAGES if any(f"{room}/".startswith(f"{dep}/") for dep in CODE[stage])}
        if (found := changed_stages(checkout)) != depend_on_it:
            wrong[room] = found
        new.unlink()
    assert not wrong
    assert changed_stages(checkout) == set()


def test_what_uses_a_model_trains_none():
    used = ("detector", "finding", "inputs", "video", "outputs", "prediction", "filters", "commands", "cli.py")
    places = [f"facial_keypoints/{name}" for name in used] + ["pipeline/commands", "pipeline/inspection"]
    assert all((ROOT / place).exists() for place in places)
    assert not [place for place in places for stage in STAGES if place in CODE[stage]]
    for stage in ("fetch", "split", "preprocess", "pretrain", "train", "evaluate", "render"):
        assert not [dep for dep in CODE[stage] if dep.startswith(("pipeline/experiments", "pipeline/export"))]
