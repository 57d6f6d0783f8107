"""dvc.yaml, params.yaml, paths.py, the command line and the code say the same."""

import subprocess
import sys
import tomllib

import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import STAGES, app, stage_sections
from pipeline.core import paths
from pipeline.experiments.params import SECTIONS
from tests.architecture import ROOT
from tests.commands_of import commands_of

DEFINED = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def outputs(stage: str) -> set[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in DEFINED[stage].get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def test_stages_come_in_their_order():
    prepared, learned, shown = ["fetch", "split", "preprocess"], ["pretrain", "train"], ["evaluate", "render", "track"]
    assert list(DEFINED) == list(STAGES) == prepared + learned + shown


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_its_own_command(stage):
    assert DEFINED[stage]["cmd"] == f"python -m pipeline {stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_parameters_it_takes(stage):
    assert DEFINED[stage]["params"] == stage_sections(stage)
    assert set(stage_sections(stage)) <= set(SECTIONS)


def test_every_file_between_stages_is_made_by_an_earlier_one():
    made: set[str] = set()
    for stage, definition in DEFINED.items():
        for dep in definition["deps"]:
            if not dep.startswith(("pipeline/", "facial_keypoints/", "datasets")):
                assert any(dep == out or dep.startswith(f"{out}/") for out in made), f"{stage} needs {dep}"
        made |= outputs(stage)


def test_dvc_names_the_paths_of_the_code():
    named = {path.as_posix() for path in vars(paths).values() if isinstance(path, type(paths.RAW))}
    made = set.union(*map(outputs, DEFINED))
    folders = {paths.PROCESSED.as_posix(), "reports/figures"}
    not_made = {path.as_posix() for path in (paths.PARAMS, paths.LOCK, paths.SHIPPED)}
    assert {out for out in made if not any(out.startswith(f"{folder}/") for folder in folders)} == (
        named - folders - not_made
    )
    drawn = {out for out in made if out.startswith("reports/figures/")}
    assert drawn == {path.as_posix() for path in paths.FIGURES}, "FIGURES of pipeline/core/paths.py and render differ"
    assert drawn <= set(DEFINED["track"]["deps"]), "track logs every figure: name it in its deps in dvc.yaml too"


def test_pictures_of_people_stay_out_of_git():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not {"reports/figures/faces.png", "reports/figures/first_layer.png"} & set(tracked)
    assert not [path for path in tracked if path.startswith("data/") and not path.endswith(".gitignore")]
    cached = [entry for entry in DEFINED["render"]["outs"] if isinstance(entry, str)]
    assert cached == ["reports/figures/faces.png", "reports/figures/first_layer.png", "reports/model_card.md"]


def test_what_a_command_writes_unless_told_otherwise_stays_out_of_git():
    options = [option for command in commands_of(app).values() for option in command.params]
    folders = [f"{option.default}/" for option in options if option.name == "output" and option.default]
    assert len(folders) >= 4
    ignored = subprocess.run(["git", "check-ignore", *folders], cwd=ROOT, capture_output=True, text=True)
    assert ignored.stdout.split() == folders


def test_help_tells_users_what_there_is():
    told = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    assert "Find the 68 keypoints of faces" in told
    assert "Heavy imports" not in told


def test_help_imports_no_torch():
    code = (
        "import sys; from typer.testing import CliRunner; from pipeline.cli import app;"
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0;"
        "assert not {'torch', 'mlflow', 'pandas', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("stage", STAGES)
def test_help_lists_the_parameters_of_the_stage(stage):
    result = CliRunner().invoke(app, [stage, "--help"])
    assert result.exit_code == 0
    assert STAGES[stage].split(",")[0] in " ".join(result.output.split())
    for section in stage_sections(stage):
        assert f" {section}." in result.output


def test_a_bad_parameter_ends_as_one_line(workspace):
    text = (ROOT / "params.yaml").read_text().replace("batch_size: ", "batch_size: 0  # ")
    (workspace / "params.yaml").write_text(text)
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "train.batch_size is 0 but should be greater than or equal to 1" in result.stderr


def test_a_full_disk_ends_as_one_line(raw, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device", "data/split/samples.csv")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    (raw.parents[1] / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    result = CliRunner().invoke(app, ["split"])
    assert result.exit_code == 1
    assert "data/split/samples.csv: No space left on device; free or mend that place" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_version_is_that_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"facial-keypoints {version}\n")
