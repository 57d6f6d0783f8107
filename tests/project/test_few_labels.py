"""The study of few labels: its points, its choice of rates, its chart."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import few_labels
from benchmarks.few_labels import BATCH, FACES, PICTURES, RATES, SCHEME, STEPS, Training
from benchmarks.few_labels_figure import few_labels_figure
from facial_keypoints.core.scheme import IBUG_68
from pipeline.training.frames import LabelledFrames


def test_the_jaw_is_divided_evenly_and_lids_and_lips_give_their_middles():
    ibug = np.zeros((68, 2))
    ibug[:17, 0] = np.arange(17.0) ** 2  # a straight jaw of 256 pixels, its points ever further apart
    ibug[[37, 38, 40, 41]] = [(1, 1), (3, 1), (3, 5), (1, 5)]
    ibug[[62, 66]] = [(10, 20), (10, 24)]
    points = few_labels.points_of(ibug)
    assert points[18:, 0] == pytest.approx(np.linspace(0, 256, 11))
    assert points[7].tolist() == [2, 3]
    assert points[16].tolist() == [10, 22]


def test_points_of_a_mirrored_face_are_those_of_the_scheme_mirrored():
    ibug = np.random.default_rng(0).random((68, 2))
    mirrored = (ibug * [-1, 1])[IBUG_68.flip_index]
    assert few_labels.points_of(mirrored) == pytest.approx((few_labels.points_of(ibug) * [-1, 1])[SCHEME.flip_index])


def test_fewer_pictures_of_a_seed_are_among_the_more():
    faces = LabelledFrames(torch.arange(300)[:, None, None], torch.zeros(300, 29, 2), SCHEME)
    few, many = (set(few_labels.some(faces, count, 1).images.flatten().tolist()) for count in (10, 100))
    assert (len(few), len(many)) == (10, 100)
    assert few < many


@pytest.mark.parametrize("pictures", PICTURES)
def test_all_trainings_take_the_same_steps(pictures):
    training = Training("test", "shipped", pictures, 0, 0.001, 0.5)
    settings = few_labels.params_of(training).train
    assert settings.epochs * max(1, pictures // BATCH) == STEPS
    assert (settings.lr, settings.trunk_lr_factor, settings.start) == (0.001, 0.5, "shipped")


def table() -> pd.DataFrame:
    rows = [
        {"split": "val", "start": start, "pictures": 30, "seed": 0, "lr": lr, "trunk_lr_factor": factor,
         "faces": FACES["val"], "nme_percent": 9 - index}
        for start, rates in RATES.items()
        for index, (lr, factor) in enumerate(rates)
    ]  # fmt: skip
    rows += [
        {"split": "test", "start": start, "pictures": pictures, "seed": 0, "lr": 1.0, "trunk_lr_factor": 1.0,
         "faces": FACES["test"], "nme_percent": 1.0}
        for start in RATES
        for pictures in PICTURES
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_rates_are_the_best_on_val():
    assert {start: few_labels.chosen_rates(table(), start) for start in RATES} == {
        start: rates[-1] for start, rates in RATES.items()
    }


def test_what_is_done_is_known_by_all_that_makes_it():
    training = Training("test", "shipped", 10, 0, 1.0, 1.0)
    assert few_labels.is_done(training, table())
    assert not few_labels.is_done(Training("test", "shipped", 10, 1, 1.0, 1.0), table())


def test_the_table_has_a_row_for_each_number_of_pictures():
    rows = few_labels.as_markdown(table()).splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {count}" for count in PICTURES]
    assert rows[2] == "| 10 | 1.00 % | 1.00 % |"


def test_the_chart_tells_the_fewest_pictures():
    rows = table()
    rows.loc[(rows["split"] == "test") & (rows["start"] == "scratch"), "nme_percent"] = 7.0
    figure = few_labels_figure(rows, mean_face_percent=20.0)
    assert (
        figure.texts[0].get_text()
        == "With 10 labelled pictures: NME 1.00 % from the shipped model, 7.00 % from scratch"
    )
