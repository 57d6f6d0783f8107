"""What the README says of results, commands and files is so.

Results are compared as committed: an experiment in the working tree may change them.
"""

import io
import json
import re
import subprocess

import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from benchmarks.frames import FOLDS
from benchmarks.report import ablation_rows, readme_rows
from facial_keypoints.core.percent import percent_text, to_percent
from pipeline.cli import app
from tests.architecture import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
"""Its examples: of the package, and of an exported file, which test_export.py runs."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, lines in FENCE.findall(README) if not language for line in lines.splitlines()]
COMMANDS += re.findall(r"`([^`]+)`", " ".join(FENCE.sub("", README).split()))
KEYPOINTS = [found for line in COMMANDS for found in re.findall(r"\bkeypoints ([a-z]+)(.*)", line)]
OPTIONS = sorted({(name, option) for name, rest in KEYPOINTS for option in re.findall(r" (--?[A-Za-z][\w-]*)", rest)})


def committed(path: str) -> str:
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def table(path: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(committed(path)))


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads(committed("reports/metrics.json"))


@pytest.fixture(scope="module")
def params() -> dict:
    return YAML(typ="safe").load(committed("params.yaml"))


def percent(fraction: float, digits: int = 2) -> str:
    return f"{to_percent(fraction):.{digits}f}"


def test_results_are_of_the_real_frames(metrics, params):
    assert metrics["dataset"] == "youtube-faces"
    assert params["fetch"]["source"] == "youtube-faces"
    assert metrics["model"]["name"] == params["model"]["name"]


def test_the_headline_is_that_of_the_report(metrics):
    test, unseen = metrics["test"], metrics["test_unseen_people"]
    measured = f"{percent_text(test['nme_percent'])} of the eye distance on the official test (NME)"
    headline = f"**Points are off by {measured}, by {percent_text(unseen['nme_percent'])} on people it never saw"
    assert headline in " ".join(README.split())


def test_the_leaderboard_is_that_of_the_study():
    rows = readme_rows(table("reports/leaderboard.csv"))
    start = README.index(rows[0])
    told = [line for line in README[start:].split("\n\n")[0].splitlines() if "¹" not in line]
    assert told == rows


def test_the_study_holds_the_committed_model_and_baseline(metrics):
    trainings = table("reports/trainings.csv").query("study == 'leaderboard' and entry == 'coarse_to_fine'")
    committed_seed = trainings.set_index("seed").loc[0]
    for measure in ("nme", "auc_08", "failure_rate_08"):
        assert to_percent(committed_seed[measure]) == pytest.approx(metrics["test"][f"{measure}_percent"], abs=1e-4)
    unseen = metrics["test_unseen_people"]["nme_percent"]
    assert to_percent(committed_seed["nme_unseen_people"]) == pytest.approx(unseen, abs=1e-4)
    board = table("reports/leaderboard.csv").set_index("entry")
    assert board["parameters"]["coarse_to_fine"] == metrics["model"]["parameters"]
    baseline = metrics["baseline_mean_shape"]["nme_percent"]
    assert to_percent(board["nme"]["mean_shape"]) == pytest.approx(baseline, abs=1e-4)


def test_the_errors_after_fewer_epochs_are_those_of_the_study(metrics, params):
    shorter = table("reports/shorter.csv")
    costs = table("reports/costs.csv").set_index("entry")
    minutes = [*shorter["training_minutes"], costs["training_minutes"]["coarse_to_fine"]]
    rows = {
        "epochs (`-S train.epochs=…`)": map(str, [*shorter["epochs"], params["train"]["epochs"]]),
        "minutes of training": [f"{value:.1f}" for value in minutes],
        "test NME %": [*map(percent, shorter["nme"]), f"{metrics['test']['nme_percent']:.2f}"],
    }
    for name, values in rows.items():
        assert f"| {name} | {' | '.join(values)} |" in README


def test_the_seeds_are_those_of_the_study():
    trainings = table("reports/trainings.csv").query("study == 'leaderboard' and entry == 'coarse_to_fine'")
    first, second, third = (percent(nme) for nme in trainings.sort_values("seed")["nme"])
    assert f"Three seeds of the default come to {first}, {second} and {third} %." in README


def test_the_ablation_in_the_docs_is_that_of_the_study():
    docs = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    _, _, body = docs.partition("| the default with | seeds | NME % on `val` | change |\n|---|---|---|---|\n")
    assert body.partition("\n\n")[0].splitlines() == ablation_rows(table("reports/ablation.csv"))


def test_the_error_on_unseen_people_is_that_of_the_folds():
    pooled = json.loads(committed("reports/unseen_people.json"))
    low, high = map(percent, pooled["nme_ci95"])
    told = f"{percent(pooled['nme'])} % (95 % interval over people: {low} to {high} %)"
    assert f"all {pooled['faces']:,} labelled faces is measured by a network" in " ".join(README.split())
    assert told in " ".join(README.split())
    assert pooled["folds"] == FOLDS


def test_the_lock_file_is_of_the_committed_parameters(params):
    lock = YAML(typ="safe").load(committed("dvc.lock"))
    for stage in lock["stages"].values():
        for section, values in stage["params"]["params.yaml"].items():
            assert values == params[section]


@pytest.mark.parametrize("path", re.findall(r"`((?:pipeline|reports|data|benchmarks)/[\w./]*)`", README))
def test_a_file_that_is_named_exists(path):
    ignored = path.startswith("data/") or path in ("reports/figures/", "reports/model_card.md")
    definition = (ROOT / "dvc.yaml").read_text()
    assert (ROOT / path).exists() or (ignored and path in definition)


@pytest.mark.parametrize("target", re.findall(r"make ([a-z]+)", README))
def test_a_make_target_that_is_named_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_command_that_is_named_exists():
    named = {name for name, _ in KEYPOINTS}
    assert {"predict", "filter", "sweep"} <= named
    assert named <= set(get_command(app).commands)


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_option_that_is_named_exists(command, option):
    assert option in [text for taken in get_command(app).commands[command].params for text in taken.opts]


@pytest.mark.parametrize("module", sorted({name for line in COMMANDS for name in re.findall(r"python -m (\S+)", line)}))
def test_a_module_that_is_named_exists(module):
    path = ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize("name", re.findall(r"-S ([\w.]+)=", README))
def test_a_parameter_that_is_named_exists(name):
    node = YAML(typ="safe").load(ROOT / "params.yaml")
    for part in name.split("."):
        node = node[part]


def test_the_readme_is_short():
    assert len(README.splitlines()) < 240


def test_python_in_the_readme_runs(tmp_path, monkeypatch):
    """With a model and a picture of its own in the place of the trained ones; what it finds there is no matter."""
    import cv2
    import numpy as np

    from pipeline.models.model_file import save_model
    from tests.models.test_models import description, network

    (code,) = (code for code in PYTHON if "onnxruntime" not in code)
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "data/model/model.safetensors", network(), description())
    cv2.imwrite("me.jpg", np.zeros((120, 90, 3), np.uint8))
    result: dict = {}
    exec(code, result)
    assert result["keypoints"] == []
