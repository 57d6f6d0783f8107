"""Imports run one way, room by room, and a stage of dvc.yaml depends on the rooms that it imports."""

import subprocess
import sys

import grimp
import pytest
from ruamel.yaml import YAML

from pipeline.cli import STAGES
from pipeline.core import paths
from pipeline.training.checkpoint import CODE
from tests.architecture import (
    MAY_IMPORT,
    ONLY_IN,
    PACKAGES,
    ROOT,
    graph,
    is_settings,
    lies_in,
    modules,
    needed_by,
    room,
)

DEFINED = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def rooms_of(stage: str) -> tuple[str, ...]:
    """The code dependencies of a stage as names of packages and modules."""
    return tuple(dep.removesuffix(".py").replace("/", ".") for dep in code_of(stage))


def code_of(stage: str) -> list[str]:
    """Folders and modules of code among the dependencies of a stage."""
    places = [dep for dep in DEFINED[stage]["deps"] if dep.startswith(("pipeline/", "facial_keypoints/"))]
    return [place for place in places if place != paths.SHIPPED.as_posix()]


def help_of(command: str) -> str:
    """Code that shows the help of a command of the library."""
    return (
        "from typer.testing import CliRunner; from facial_keypoints.cli import new_app;"
        f"assert CliRunner().invoke(new_app(), ['{command}', '--help']).exit_code == 0"
    )


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_its_room_may(module):
    here = room(module)
    assert here in MAY_IMPORT, f"name the room {here} in tests/architecture.py"
    for imported in graph().find_modules_directly_imported_by(module):
        if imported.split(".")[0] in ONLY_IN:
            homes = ONLY_IN[imported.split(".")[0]]
            assert lies_in(module, homes), f"{module} imports {imported}: let {' or '.join(homes)} do what needs it"
        elif lies_in(imported, ("facial_keypoints", "pipeline")) and room(imported) != here:
            settings = module.startswith("pipeline.") and is_settings(imported)
            allowed = MAY_IMPORT[here]
            assert settings or lies_in(imported, allowed), (
                f"{module} imports {imported}, but {here} may import only {', '.join(allowed) or 'nothing of ours'} "
                "(tests/architecture.py): move what both need to one of those, or let the caller pass it in"
            )


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks", "examples"])
def test_no_module_imports_itself_through_others(package):
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    pairs = [(one, other) for one in graph.modules for other in graph.find_modules_directly_imported_by(one)]
    circles = [pair for pair in pairs if graph.chain_exists(importer=pair[1], imported=pair[0])]
    assert not circles, "each of these modules imports the other, if through others: move what both need to a third"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_rooms_it_imports(stage):
    rooms = rooms_of(stage)
    left = {module for module in needed_by(stage) if not lies_in(module, rooms)}
    assert not {module for module in left if has_code(module)}, "name their room in dvc.yaml, or why not in NOT_NEEDED"
    idle = [place for place in rooms if not any(lies_in(module, (place,)) for module in needed_by(stage))]
    assert not idle, f"the stage {stage} imports nothing of them: take them out of its deps in dvc.yaml"


def has_code(module: str) -> bool:
    """Whether a module is more than the docstring of a package."""
    package = ROOT.joinpath(*module.split("."), "__init__.py")
    return not package.exists() or "import" in package.read_text(encoding="utf-8")


def test_stages_know_nothing_of_each_other():
    stages = [module for module in modules() if lies_in(module, ("pipeline.stages",))]
    pairs = [(a, b) for a in stages for b in graph().find_modules_directly_imported_by(a) if b in stages]
    assert not pairs, "move what both stages need to a room below, as a stage is run again where its own file changes"


@pytest.mark.parametrize("stage", CODE)
def test_the_checkpoint_of_a_training_follows_the_code_that_its_stage_depends_on(stage):
    assert set(CODE[stage]) == set(code_of(stage)), "make CODE of checkpoint.py and the deps in dvc.yaml alike"


@pytest.mark.parametrize(
    "code",
    ["import facial_keypoints; facial_keypoints.KeypointDetector", help_of("predict"), help_of("filter")],
    ids=["import", "predict", "filter"],
)
def test_the_library_does_without_what_trains(code):
    """As on a machine that has none of it (pydantic comes with typer)."""
    lacking = "import sys; sys.modules |= dict.fromkeys(['torch', 'pandas', 'mlflow', 'dvc', 'pipeline'])"
    subprocess.run([sys.executable, "-c", f"{lacking}\n{code}"], cwd=ROOT, check=True)
