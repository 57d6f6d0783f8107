"""What a sweep runs, what it refuses, and what it makes of the results."""

import math
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from facial_keypoints.core.errors import ConfigError, DataError, KeypointsError
from pipeline.commands.sweep import queue, sweep
from pipeline.evaluation.style import style
from pipeline.experiments.sweeps.figure import sweep_figure
from pipeline.experiments.sweeps.leaderboard import leaderboard, pooled_spread, seeds_needed
from pipeline.experiments.sweeps.plan import planned_trainings
from pipeline.experiments.sweeps.settings import check, parse_seeds, parse_settings, refuse_equal_values
from pipeline.experiments.sweeps.verdict import verdict
from tests.architecture import ROOT


def test_trainings_are_all_combinations_with_all_seeds():
    planned = planned_trainings({"train.lr": ["1e-3", "2e-3"], "model.name": ["a", "b"]}, [0, 7])
    assert len(planned) == 8
    assert planned[0] == {"train.lr": "1e-3", "model.name": "a", "train.seed": "0"}
    assert planned[-1] == {"train.lr": "2e-3", "model.name": "b", "train.seed": "7"}


def test_settings_are_read_with_and_without_brackets():
    expected = {"train.lr": ["1e-3", "2e-3"], "train.loss": ["l1"]}
    assert parse_settings(["train.lr=[1e-3, 2e-3]", "train.loss=l1"]) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["train.lr"], "'train.lr' is no setting; write it as train.lr=1e-3,2e-3"),
        (["train.lr=1,,2"], "is no setting"),
        (["train.lr=1", "train.lr=2"], "train.lr is set twice"),
        (["train.seed=1"], "give all its values at once with --seeds"),
        (["train.lr=1,1"], "names a value twice"),
        (["split.seed=0,1"], "changes on which faces the validation error is measured"),
        (["fetch.synthetic.people=8,9"], "dvc exp run -S fetch.synthetic.people=8"),
    ],
)
def test_a_malformed_setting_is_named(settings, expected):
    with pytest.raises(ConfigError, match=expected.replace("'", ".")):
        parse_settings(settings)


@pytest.mark.parametrize("setting", ["train.lr=1e-3,0.001", "train.batch_size=8,0x8", "train.loss=l1,'l1'"])
def test_one_value_in_two_ways_of_writing_it_is_no_setting_of_its_own(monkeypatch, setting):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match="is one value twice; leave one of the two out"):
        refuse_equal_values(parse_settings([setting]))
    refuse_equal_values(parse_settings(["train.lr=1e-3,2e-3", "train.loss=l1,mse"]))


@pytest.mark.parametrize("text", ["a", "1,1", "", "1.5"])
def test_malformed_seeds_are_named(text):
    with pytest.raises(ConfigError, match=f"--seeds {text}"):
        parse_seeds(text)


@pytest.fixture
def params(workspace):
    (workspace / "params.yaml").write_text((ROOT / "params.yaml").read_text())


def test_long_settings_are_told_in_part():
    for settings in (
        ["x" * 5000],
        ["train.lr=1,1," + "2" * 5000],
        ["x" * 5000 + "=1"] * 2,
        ["fetch." + "x" * 5000 + "=1"],
    ):
        with pytest.raises(ConfigError) as caught:
            parse_settings(settings)
        assert len(str(caught.value)) < 300
    for seeds in ("9" * 5000, "0-" + "9" * 20, ",".join(["1"] * 5000)):
        with pytest.raises(ConfigError) as caught:
            parse_seeds(seeds)
        assert len(str(caught.value)) < 200


def test_more_trainings_than_anybody_waits_for_are_not_even_listed():
    choices = {f"a{n}": [str(value) for value in range(100)] for n in range(4000)}
    with pytest.raises(ConfigError, match="more than 1,000 trainings; try fewer values or seeds at a time"):
        planned_trainings(choices, [0])


@pytest.mark.parametrize(
    "value",
    [
        "9" * 5000,
        "0x" + "f" * 5000,
        "2001-99-99",
        "&a [*a]",
        "[" * 5000,
        "a: b: c",
        "!!python/name:os.system",
        "a\n---\nb",
        "\ud800",
    ],
)
def test_odd_values_are_one_line(params, value):
    with pytest.raises(ConfigError, match=r"train\.lr") as caught:
        check([{"train.lr": value}])
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_good_values_pass(params):
    check(planned_trainings({"train.lr": ["1e-3", "0.002"], "model.name": ["resnet18"]}, [0, 1]))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("train.lr", "2", "train.lr is 2 but should be less than or equal to 1"),
        ("train.lr", "fast", "train.lr is 'fast' but should be a valid number"),
        ("train.nothing", "1", "train.nothing is not a known parameter"),
        ("nowhere.lr", "1", "nowhere.lr is not a known parameter"),
        ("split.val_people_frac", "0.0", "ranked by their validation error"),
    ],
)
def test_one_wrong_value_stops_all_before_anything_is_queued(params, name, value, expected):
    with pytest.raises(ConfigError, match=expected) as caught:
        check([*planned_trainings({"train.lr": ["1e-3"]}, [0]), {name: value}])
    assert "/tmp" not in str(caught.value)


def test_a_sweep_that_cannot_be_queued_whole_is_not_queued(monkeypatch):
    put, take_back = Mock(side_effect=[None, None, ConfigError("DVC does not queue sweep1-03")]), Mock()
    monkeypatch.setattr("pipeline.experiments.dvc.queue.put", put)
    monkeypatch.setattr("pipeline.experiments.dvc.queue.take_back", take_back)
    with pytest.raises(ConfigError, match="does not queue"):
        queue({f"sweep1-{number:02d}": {"train.lr": "0.01"} for number in range(1, 5)})
    take_back.assert_called_once_with(["sweep1-01", "sweep1-02"])


def results(**errors: list[float]) -> pd.DataFrame:
    rows = [
        {"train.lr": lr, "name": f"sweep1-{lr}-{seed}", "val_nme_percent": error, "test_nme_percent": error + 1}
        for lr, values in errors.items()
        for seed, error in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_the_leaderboard_ranks_by_the_mean_over_seeds():
    table = leaderboard(results(low=[5.0, 3.0], high=[3.9, 3.7]), ["train.lr"])
    assert table["train.lr"].tolist() == ["high", "low"]
    assert table["val_nme_percent"].tolist() == pytest.approx([3.8, 4.0])
    assert table["behind"].tolist() == pytest.approx([0, 0.2])
    assert table["seeds"].tolist() == [2, 2]
    assert table["spread"].tolist() == pytest.approx([0.2 / math.sqrt(2), 2 / math.sqrt(2)])
    assert table["best"].tolist() == ["sweep1-high-1", "sweep1-low-1"]


def test_a_difference_is_significant_only_beyond_what_the_seeds_make():
    table = leaderboard(
        results(best=[3.0, 3.1, 3.2], near=[3.1, 3.2, 3.26], far=[5.0, 5.1, 5.2], once=[6.0]), ["train.lr"]
    )
    assert dict(zip(table["train.lr"], table["significant"], strict=True)) == {
        "best": "",
        "near": "no",
        "far": "yes",
        "once": "unknown",
    }


@pytest.mark.parametrize(("rows", "expected"), [(2, "yes"), (8, "no")])
def test_the_more_rows_are_tried_the_more_it_takes_to_be_significant(rows, expected):
    """Welch's t of (3, 3.1) and (3.4, 3.52): p = 0.032 by scipy.stats.ttest_ind, more than 0.05 / 7."""
    others = {f"worse{number}": [5 + number, 5.1 + number] for number in range(rows - 2)}
    table = leaderboard(results(best=[3.0, 3.1], near=[3.4, 3.52], **others), ["train.lr"])
    assert table.set_index("train.lr")["significant"]["near"] == expected


@pytest.mark.slow
def test_equal_settings_are_rarely_called_different():
    """Five rows of three seeds that differ by chance alone: at most one table in twenty calls any significant."""
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        rows = {f"row{number}": list(rng.normal(4, 0.1, 3)) for number in range(5)}
        called += "yes" in leaderboard(results(**rows), ["train.lr"])["significant"].to_list()
    assert called / 200 < 0.1


def test_the_pooled_spread_weighs_a_row_by_its_seeds_less_one():
    """Variances 0.02 of two seeds and 1 of three: (1 * 0.02 + 2 * 1) / 3; the row of one seed says nothing."""
    table = leaderboard(results(two=[3.0, 3.2], three=[4.0, 5.0, 6.0], one=[7.0]), ["train.lr"])
    assert pooled_spread(table) == pytest.approx(math.sqrt(2.02 / 3))
    assert pooled_spread(leaderboard(results(one=[7.0], other=[8.0]), ["train.lr"])) is None


@pytest.mark.parametrize(("gap", "seeds"), [(0.8, 26), (0.5, 64), (0.2, None), (0.0, None)])
def test_the_seeds_needed_are_those_of_cohens_table(gap, seeds):
    """Cohen 1988, table 2.4.1, two-sided 5 %, power 0.80: 26 for d = 0.8, 64 for 0.5, 393 for 0.2."""
    assert seeds_needed(gap, 1.0, tests=1) == seeds


def test_so_many_seeds_find_the_difference_as_often_as_they_promise():
    seeds = seeds_needed(1.52, 0.314, tests=1)
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 0.314, (2000, seeds)), rng.normal(1.52, 0.314, (2000, seeds))
    found = (scipy.stats.ttest_ind(first, second, axis=1).pvalue < 0.05).mean()
    fewer = scipy.stats.ttest_ind(first[:, :-1], second[:, :-1], axis=1).pvalue < 0.05
    assert seeds == 3
    assert fewer.mean() < 0.8 <= found


def told(**errors: list[float]) -> str:
    return verdict(leaderboard(results(**errors), ["train.lr"]))


def test_the_verdict_says_what_is_tested_and_how_many_seeds_it_takes():
    sentence = told(low=[6.1, 6.26], high=[7.4, 8.0])
    assert "with other seeds, leave the first row ahead (Welch's t-test, 5 % for the whole table)" in sentence
    assert "`keypoints compare` asks whether two trained models would differ so on other people" in sentence
    assert "two seeds rarely suffice: where they spread by 0.31 points, as here, it takes about 3 seeds" in sentence
    assert "a difference of 1.52 points 80 times in 100." in sentence


def test_the_verdict_of_single_seeds_equal_settings_and_plain_cases():
    assert "one seed says nothing of how much seeds differ: add more, as --seeds 0,1,2" in told(low=[3.0], high=[4.0])
    assert "it takes more than 100 seeds" in told(low=[3.0, 3.5], high=[3.01, 3.5])
    assert "two seeds rarely suffice, but do here" in told(low=[3.0, 3.01], high=[9.0, 9.01])


def test_the_plot_shows_every_training_and_marks_what_is_behind_by_more_than_seeds_make():
    trainings = results(best=[3.0, 3.1], far=[5.0, 5.1, 5.2])
    with style():
        axes = sweep_figure(leaderboard(trainings, ["train.lr"]), trainings, ["train.lr"]).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [np.size(line.get_xdata()) for line in dots] == [2, 3]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lr best", "lr far"]
    assert dots[0].get_color() != dots[1].get_color()
    assert "orange" in axes.get_xlabel()


def test_the_plot_names_no_colour_and_no_bar_that_it_does_not_have():
    trainings = results(best=[3.0], other=[3.1]).assign(**{"train.epochs": "2"})
    settings = ["train.lr", "train.epochs"]
    with style():
        figure = sweep_figure(leaderboard(trainings, settings), trainings, settings)
    axes = figure.axes[0]
    assert "orange" not in axes.get_xlabel()
    assert not [text for text in figure.texts if "bar" in text.get_text()]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lr best", "lr other"]  # the epochs are constant
    assert [line.get_marker() for line in axes.lines] == ["o", "o"]


def test_an_experiment_whose_reports_are_lost_leaves_the_others_alone(params, monkeypatch, capsys):
    def result_of(name, settings):
        if name == "sweep1-01":
            raise DataError("reports/metrics.json of 1234567 is neither in git nor in DVC's cache")
        return {**settings, "name": name, "val_nme_percent": 4.0, "test_nme_percent": 5.0}

    def work_off(names, jobs, on_done):
        for name in names:
            on_done(name, "Failed" if name == "sweep1-02" else "Success")

    monkeypatch.setattr("pipeline.commands.sweep._result", result_of)
    for name, stand_in in {"work_off": work_off, "free_name": lambda stem: f"{stem}1"}.items():
        monkeypatch.setattr(f"pipeline.experiments.dvc.queue.{name}", stand_in)
    monkeypatch.setattr("pipeline.experiments.dvc.queue.put", Mock())
    with pytest.raises(KeypointsError, match="2 of 3 experiments failed: sweep1-01, sweep1-02"):
        sweep(["train.lr=0.001,0.002,0.003"])
    told = capsys.readouterr().out
    assert "sweep1-01: FAILED, reports/metrics.json of 1234567 is neither" in told
    assert "sweep1-02: FAILED, see: dvc queue logs sweep1-02" in told
    assert "Apply the best: dvc exp apply sweep1-03" in told
