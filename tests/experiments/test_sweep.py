"""What a sweep runs, what it refuses, and what it makes of the results."""

import math
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from facial_keypoints.core.errors import ConfigError, DataError, PipelineError
from pipeline.commands.sweep import queue, sweep
from pipeline.evaluation.style import style
from pipeline.experiments.sweeps.figure import sweep_figure
from pipeline.experiments.sweeps.settings import check, parse_seeds, parse_settings
from pipeline.experiments.sweeps.summary import leaderboard, members
from tests.architecture import ROOT


def test_members_are_all_combinations_with_all_seeds():
    planned = members({"train.lr": ["1e-3", "2e-3"], "model.name": ["a", "b"]}, [0, 7])
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


def test_more_members_than_anybody_waits_for_are_not_even_listed():
    choices = {f"a{n}": [str(value) for value in range(100)] for n in range(4000)}
    with pytest.raises(ConfigError, match="more than 1,000 trainings; try fewer values or seeds at a time"):
        members(choices, [0])


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
    check(members({"train.lr": ["1e-3", "0.002"], "model.name": ["resnet18"]}, [0, 1]))


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
        check([*members({"train.lr": ["1e-3"]}, [0]), {name: value}])
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
        {"train.lr": lr, "name": f"sweep1-{lr}-{seed}", "val_nme_percent": error, "test_nme_percent": error + 0.01}
        for lr, values in errors.items()
        for seed, error in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_the_leaderboard_ranks_by_the_mean_over_seeds():
    table = leaderboard(results(low=[0.05, 0.03], high=[0.039, 0.037]), ["train.lr"])
    assert table["train.lr"].tolist() == ["high", "low"]
    assert table["val_nme_percent"].tolist() == pytest.approx([0.038, 0.04])
    assert table["behind"].tolist() == pytest.approx([0, 0.002])
    assert table["seeds"].tolist() == [2, 2]
    assert table["spread"].tolist() == pytest.approx([0.002 / math.sqrt(2), 0.02 / math.sqrt(2)])
    assert table["best"].tolist() == ["sweep1-high-1", "sweep1-low-1"]


def test_a_difference_is_clear_only_beyond_what_the_seeds_make():
    table = leaderboard(
        results(best=[0.030, 0.031, 0.032], near=[0.031, 0.032, 0.0326], far=[0.05, 0.051, 0.052], once=[0.06]),
        ["train.lr"],
    )
    assert dict(zip(table["train.lr"], table["clear"], strict=True)) == {
        "best": "",
        "near": "no",
        "far": "yes",
        "once": "unknown",
    }


@pytest.mark.parametrize(("rows", "expected"), [(2, "yes"), (8, "no")])
def test_the_more_rows_are_tried_the_more_it_takes_to_be_clear(rows, expected):
    """Welch's t of (0.03, 0.031) and (0.034, 0.0352): p = 0.032 by scipy.stats.ttest_ind, more than 0.05 / 7."""
    others = {f"worse{number}": [0.05 + number / 100, 0.051 + number / 100] for number in range(rows - 2)}
    table = leaderboard(results(best=[0.03, 0.031], near=[0.034, 0.0352], **others), ["train.lr"])
    assert table.set_index("train.lr")["clear"]["near"] == expected


def test_equal_settings_are_rarely_called_apart():
    """Five rows of three seeds that differ by chance alone: at most one table in twenty calls any of them clear."""
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        rows = {f"row{number}": list(rng.normal(0.04, 0.001, 3)) for number in range(5)}
        called += "yes" in leaderboard(results(**rows), ["train.lr"])["clear"].to_list()
    assert called / 200 < 0.1


def test_the_plot_shows_every_member_and_marks_what_is_clearly_behind():
    members_of = results(best=[0.030, 0.031], far=[0.05, 0.051, 0.052])
    with style():
        axes = sweep_figure(leaderboard(members_of, ["train.lr"]), members_of, ["train.lr"]).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [2, 3]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lr best", "lr far"]
    assert dots[0].get_color() != dots[1].get_color()


def test_a_member_whose_reports_are_lost_leaves_the_others_alone(params, monkeypatch, capsys):
    def result_of(name, settings):
        if name == "sweep1-01":
            raise DataError("reports/metrics.json of 1234567 is neither in git nor in DVC's cache")
        return {**settings, "name": name, "val_nme_percent": 4.0, "test_nme_percent": 5.0}

    def work_off(names, jobs, on_done):
        for name in names:
            on_done(name, "Failed" if name == "sweep1-02" else "Success")

    for name, stand_in in {"result_of": result_of, "work_off": work_off, "free_name": lambda stem: f"{stem}1"}.items():
        monkeypatch.setattr(f"pipeline.experiments.dvc.queue.{name}", stand_in)
    monkeypatch.setattr("pipeline.experiments.dvc.queue.put", Mock())
    with pytest.raises(PipelineError, match="2 of 3 members failed: sweep1-01, sweep1-02"):
        sweep(["train.lr=0.001,0.002,0.003"])
    told = capsys.readouterr().out
    assert "sweep1-01: FAILED, reports/metrics.json of 1234567 is neither" in told
    assert "sweep1-02: FAILED, see: dvc queue logs sweep1-02" in told
    assert "Take the best over: dvc exp apply sweep1-03" in told
