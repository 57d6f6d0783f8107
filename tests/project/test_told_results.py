"""What the pages say of results is what reports/ holds, as committed: an experiment may change the working tree."""

import io
import json
import re
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks import few_labels, search
from benchmarks.frames import FOLDS
from benchmarks.report import ablation_rows, leaderboard_rows
from benchmarks.scale import page_tables
from benchmarks.studies import SEEDS
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.network import SHIPPED, OnnxNetwork
from tests.project.pages import committed, on_one_line, pages

RESULTS = "docs/results.md"


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
    assert headline in on_one_line("README.md")


def test_the_headline_is_that_of_the_model_that_comes_along(metrics):
    shipped = json.loads(OnnxNetwork(SHIPPED).metadata["nme_percent"])["in_8_bits"]
    assert percent_text(shipped["test"]) == percent_text(metrics["test"]["nme_percent"])


def table_below(heading: str, path: str) -> list[str]:
    """Rows of the table on a page whose first row begins with `heading`."""
    _, _, body = pages()[path].partition(f"\n{heading}")
    return body.partition("\n\n")[0].splitlines()[2:]


def test_the_leaderboard_is_that_of_the_study():
    told = table_below("| on the 770 labelled test frames |", RESULTS)
    assert [line for line in told if "¹" not in line] == leaderboard_rows(table("reports/leaderboard.csv"))


def test_the_short_table_is_that_of_the_long_one():
    long = {row.split("|")[1].strip(" `*"): row.split("|") for row in table_below("| on the 770", RESULTS)}
    names = {"ours, the default": "coarse_to_fine", "the mean face, whatever the picture": "mean_shape"}
    names["MediaPipe face mesh, mapped to 68 points ¹"] = "MediaPipe face mesh mapped to 68 points ¹"
    rows = [row.split("|") for row in table_below("| on the 770", "README.md") if "4 epochs" not in row]
    assert len(rows) >= 9
    for _, name, nme, failures, minutes, _ in rows:
        name = name.strip(" *")
        found = re.search(r"`(.+)`", name)
        cells = long[names.get(name, found[1] if found else name)]
        assert [nme, failures, minutes] == [cells[2], cells[4], cells[7]]


def test_the_study_holds_the_committed_model_and_baseline(metrics):
    trainings = table("reports/trainings.csv").query("study == 'leaderboard' and entry == 'coarse_to_fine'")
    committed_seed = trainings.set_index("seed").loc[0]
    for measure in ("nme", "auc_08", "failure_rate_08"):
        assert to_percent(float(committed_seed[measure])) == pytest.approx(
            metrics["test"][f"{measure}_percent"], abs=1e-4
        )
    unseen = metrics["test_unseen_people"]["nme_percent"]
    assert to_percent(float(committed_seed["nme_unseen_people"])) == pytest.approx(unseen, abs=1e-4)
    board = table("reports/leaderboard.csv").set_index("entry")
    assert board["parameters"]["coarse_to_fine"] == metrics["model"]["parameters"]
    baseline = metrics["test_mean_shape"]["nme_percent"]
    assert to_percent(board["nme"]["mean_shape"]) == pytest.approx(baseline, abs=1e-4)


def test_the_errors_after_fewer_epochs_are_those_of_the_study(metrics, params):
    shorter = table("reports/shorter.csv")
    costs = table("reports/costs.csv").set_index("entry")
    minutes = [*shorter["training_minutes"], costs["training_minutes"]["coarse_to_fine"]]
    rows = {
        "minutes of training": [f"{value:.1f}" for value in minutes],
        "test NME %": [*map(percent, shorter["nme"]), f"{metrics['test']['nme_percent']:.2f}"],
    }
    epochs = " | ".join(map(str, [*shorter["epochs"], params["train"]["epochs"]]))
    assert table_below(f"| epochs (`-S train.epochs=…`) | {epochs} |", RESULTS) == [
        f"| {name} | {' | '.join(values)} |" for name, values in rows.items()
    ]


def test_the_first_training_ends_as_the_study_did():
    quick: Any = table("reports/shorter.csv").set_index("epochs").loc[4]
    (failures,) = table("reports/trainings.csv").query("study == 'shorter' and epochs == 4")["failure_rate_08"]
    row = f"| {percent(quick['nme'])} | {percent(failures, 1)} | {quick['training_minutes']:.1f} |"
    assert f"| ours, 4 epochs {row}" in pages()["README.md"]
    assert f"test error is about {percent(quick['nme'], 1)} %" in on_one_line("README.md")
    assert "-S train.epochs=4" in pages()["README.md"]


def test_the_seeds_are_those_of_the_study():
    trainings = table("reports/trainings.csv").query("study == 'leaderboard' and entry == 'coarse_to_fine'")
    trainings = trainings.sort_values("seed")
    assert trainings["seed"].tolist() == list(SEEDS[: len(trainings)])
    *others, last = (percent(nme) for nme in trainings["nme"])
    count = {1: "Two", 2: "Three"}[len(others)]
    assert f"over {count.lower()} seeds, of which the first made the model" in on_one_line("README.md")
    assert f"{count} seeds of the default come to {', '.join(others)} and {last} %" in on_one_line(RESULTS)


def test_the_ablation_in_the_docs_is_that_of_the_study():
    rows = table_below("| the default with | seeds |", "benchmarks/README.md")
    assert rows == ablation_rows(table("reports/ablation.csv"))


def test_what_training_costs_is_that_of_the_study():
    costs, board = (table(f"reports/{name}.csv").set_index("entry") for name in ("costs", "leaderboard"))
    course = [name for name in costs.index if name.startswith(("udacity", "naimishnet"))]
    share, seconds = costs["step_share_of_peak"], 60 * costs["training_minutes"] / board["epochs"]
    told = on_one_line("benchmarks/README.md")
    assert f"It reaches {share['coarse_to_fine']:.2f} of the arithmetic" in told
    shares = f"{share[course].min():.2f} to {share[course].max():.2f}"
    assert f"a resnet18 {share['resnet18']:.2f}, course networks {shares})" in told
    assert f"take {seconds[course].min():.0f} to {seconds[course].max():.0f} s an epoch" in told
    quick: Any = table("reports/shorter.csv").set_index("epochs")
    errors = f"{percent(quick['nme'][2])} % after 2 epochs and {percent(quick['nme'][4])} % after 4"
    assert f"{errors}, which take {quick['training_minutes'][4]:.1f} minutes" in told


def test_the_faces_are_those_of_the_split():
    split, told = json.loads(committed("reports/split.json")), on_one_line(RESULTS)
    unlabelled = split["test"] - split["test_labelled"]
    assert f"all {split['test']:,} test frames, the {unlabelled:,} unlabelled ones included" in told
    assert split["dropped_test_copies"] == 7
    assert "Seven training frames are byte for byte test frames" in told
    for page in (RESULTS, "README.md"):
        assert f"on the {split['test_labelled']} labelled test frames" in pages()[page]


def test_the_error_on_unseen_people_is_that_of_the_folds():
    pooled = json.loads(committed("reports/unseen_people.json"))
    low, high = map(percent, pooled["nme_ci95"])
    told = f"{percent(pooled['nme'])} % (95 % interval over people: {low} to {high} %)"
    assert f"all {pooled['faces']:,} labelled faces is measured by a network" in on_one_line(RESULTS)
    assert told in on_one_line(RESULTS)
    assert pooled["folds"] == FOLDS


def test_the_lock_file_is_of_the_committed_parameters(params):
    lock = YAML(typ="safe").load(committed("dvc.lock"))
    for stage in lock["stages"].values():
        for section, values in stage["params"]["params.yaml"].items():
            assert values == params[section]


def test_the_readme_is_short():
    assert len(pages()["README.md"].splitlines()) < 150


def test_what_a_start_from_the_shipped_model_brings_is_that_of_the_report():
    heading, _, *rows = few_labels.as_markdown(table("reports/few_labels.csv")).splitlines()
    assert table_below(heading, "docs/own-data.md") == rows


def test_what_many_frames_take_is_that_of_the_report():
    assert page_tables(table("reports/scale.csv")) in pages()["docs/scale.md"]


def test_what_workers_take_is_that_of_the_report():
    rows = table("reports/workers.csv")
    assert table_below("| parts | workers | frames in | s an epoch | ratio |", "docs/distributed.md") == [
        f"| {row.parts} | {row.workers} | {row.frames} | {row.epoch_seconds:.1f} | {row.ratio:.2f} |"
        for row in rows.itertuples()
    ]
    assert rows.loc[rows["parts"] == rows["parts"].max(), "weights_md5"].nunique() == 1


def test_what_a_search_finds_beside_random_settings_is_that_of_the_report():
    assert search.as_markdown(table("reports/search.csv")) in pages()["docs/experiments.md"]
