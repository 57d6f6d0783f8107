"""What the benchmarks count and average, on cases worked out by hand."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import costs, detection, hiding, robustness, scale, search, turned, video
from benchmarks.corruptions import CORRUPTIONS, corrupt
from benchmarks.found import overlaps_with
from benchmarks.hiding import SIZE, Moment
from benchmarks.robustness_figure import robustness_figure
from facial_keypoints.filters.outline import cover
from pipeline.experiments.params import load_params
from tests.architecture import ROOT
from tests.discs import disc_detector, disc_face, draw_discs

FACE = disc_face(100, 100, 20)
EYES_PX = float(np.linalg.norm(FACE[36] - FACE[45]))


def moving(velocities: np.ndarray) -> np.ndarray:
    """(T, 1, 68, 2) a face that rests for STILL frames and then moves by these pixels a frame to the right."""
    at = np.concatenate([np.zeros(video.STILL), np.cumsum(velocities)])
    return FACE + np.stack([at, np.zeros_like(at)], -1)[:, None, None, :]


def test_jitter_is_the_step_of_what_rests_over_the_eye_distance():
    truth = moving(np.zeros(3))
    found = truth.copy()
    found[::2, ..., 0] += 2  # to and fro by 2 px
    assert video.jitter(found, truth) == pytest.approx(2 / EYES_PX)
    assert video.jitter(truth + 5, truth) == 0
    assert video.error_percent(found, truth) == pytest.approx(100 * 2 * 17 / 33 / EYES_PX)


def test_points_that_trail_by_a_frame_lag_by_one():
    truth = moving(np.array([1.0, 3, 5, 3, 1, -1, -3, -5, -3, -1]))
    late = np.concatenate([truth[:1], truth[:-1]])
    assert video.lag_frames(late, truth) == pytest.approx(1, abs=0.01)
    assert video.lag_frames(truth, truth) == pytest.approx(0)


def test_a_hidden_face_is_hidden_and_one_elsewhere_hides_nothing():
    far = FACE + np.array([300, 100])
    moment = Moment(np.zeros((*SIZE, 3), np.uint8), [cover(face, 1.0, SIZE) > 0.5 for face in (FACE, far)], [])
    answers: list[Any] = [[SimpleNamespace(keypoints=FACE)], []]
    hidden, elsewhere, *unseen = hiding.hidden_shares(answers, [moment, moment])
    assert hidden > hiding.ENOUGH
    assert [elsewhere, *unseen] == [0, 0, 0]


def test_places_hidden_besides_lie_on_a_head_that_looks_away_or_elsewhere():
    moment = Moment(np.zeros((*SIZE, 3), np.uint8), [cover(FACE, 1.0, SIZE) > 0.5], [np.array([400.0, 100])])
    boxes = [(*FACE.min(0), *np.ptp(FACE, axis=0)), (380, 90, 40, 40), (500, 250, 40, 40), (0, 320, 9, 9)]
    answers: list[Any] = [[SimpleNamespace(box=box) for box in boxes]]
    assert hiding.hidden_besides(answers, [moment]) == (1, 2)


def test_of_two_pictures_one_has_the_face_that_is_meant():
    picture = draw_discs([(100, 100, 30)])
    there, elsewhere = disc_face(100, 100, 30), disc_face(250, 100, 30)
    assert turned.found_share(disc_detector(), [(picture, there), (picture, elsewhere)]) == 0.5


def test_a_box_half_as_wide_overlaps_by_half():
    face: Any = SimpleNamespace(box=(0, 0, 10, 10))
    points = np.zeros((1, 68, 2))
    points[0, 0] = (5, 10)
    assert overlaps_with([face], points).tolist() == [[0.5]]
    assert overlaps_with([], points).shape == (0, 1)


def test_faces_missed_and_answers_besides_are_counted(capsys):
    def answer(shift: float) -> Any:
        low, high = (FACE + shift).min(0), (FACE + shift).max(0)
        return SimpleNamespace(box=(*low, *(high - low)), keypoints=FACE + shift)

    frames: Any = SimpleNamespace(files=["a", "b", "c"], truth=np.stack([FACE] * 3))
    whole = np.stack([FACE + np.array([0.1 * EYES_PX, 0])] * 3)
    detection.accuracy(frames, whole, [[answer(0), answer(200)], [answer(200)], [answer(0), answer(1)]])
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "1 of 3 labelled faces missed; 3 answers besides",
        "NME of the found ones 0.00 %, of the same with --whole 10.00 %",
    ]


def test_corruptions_move_the_points_with_the_pixels():
    """A dot at the first point, the tip of the left jaw, is still there, or where a mirror brings it: at the right."""
    points = np.stack([FACE, FACE])
    image = np.zeros((2, 200, 200), np.uint8)
    x, y = points[0, 0].round().astype(int)
    image[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    for corruption in CORRUPTIONS:
        if corruption.name == "cover":
            continue  # hides it at times
        changed, moved = corrupt(image, points, corruption, corruption.grades[0])
        brightest = np.array([np.unravel_index(frame.argmax(), frame.shape)[::-1] for frame in changed])
        place = moved[:, 16 if corruption.name == "mirror" else 0]
        assert np.abs(brightest - place).max() < 3, corruption.name


def test_a_patch_covers_its_share_of_the_face():
    image = np.stack([np.full((200, 200), level, np.uint8) for level in (100, 101)])
    changed, _ = corrupt(image, np.stack([FACE, FACE]), CORRUPTIONS[8], 0.4)
    box = np.ptp(FACE, axis=0).prod()
    assert [(frame != was).sum() / box for frame, was in zip(changed, image, strict=True)] == pytest.approx(
        [0.4, 0.4], abs=0.05
    )


def test_the_score_is_the_mean_over_kinds_of_the_means_over_grades():
    rows = [("none", 0, 4.0), *((kind.name, grade, 6.0) for kind in CORRUPTIONS[1:] for grade in kind.grades)]
    rows += [(CORRUPTIONS[0].name, 1, 10.0), (CORRUPTIONS[0].name, 2, 26.0)]
    table = pd.DataFrame(rows, columns=["corruption", "grade", "nme_percent"]).assign(model="ours")
    found = robustness.means(table).loc["ours"]
    assert found[["none", CORRUPTIONS[0].name, "mean"]].tolist() == [4, 18, 6 + 12 / len(CORRUPTIONS)]


def test_the_chart_has_a_place_for_each_kind_and_a_line_for_each_model():
    rows = [("none", 0.0, "", 4.0)] + [(k.name, g, k.unit, 6.0) for k in CORRUPTIONS for g in k.grades]
    table = pd.DataFrame(rows, columns=["corruption", "grade", "unit", "nme_percent"])
    both = pd.concat([table.assign(model="ours"), table.assign(model="another")])
    figure = robustness_figure(both, dataset="synthetic")
    assert [axes.get_title() for axes in figure.axes] == [kind.name for kind in CORRUPTIONS]
    assert {len(axes.lines) for axes in figure.axes} == {4}  # and a dashed one for each


@pytest.mark.slow
def test_multiply_adds_are_those_of_the_layer():
    """A 3 x 3 convolution of one channel to four on 10 x 10 pixels: 4 x 8 x 8 outputs of 9 each."""
    layer = torch.nn.Conv2d(1, 4, 3, bias=False)
    assert costs.mega_macs(layer, 10) == pytest.approx(4 * 64 * 9 / 1e6)
    # Backwards once more for the kernels; nothing asks for the gradient of the picture.
    assert costs.step_flops(layer, torch.rand(2, 1, 10, 10)) == 2 * 2 * (2 * 4 * 64 * 9)
    assert layer.weight.grad is None


def test_pretraining_is_all_the_drawing_and_all_the_steps(monkeypatch):
    params: Any = load_params(ROOT / "params.yaml")
    pretrain = replace(params.pretrain, epochs=2, people=300, frames=4)
    params = replace(params, pretrain=pretrain, train=replace(params.train, batch_size=100))
    drawn: list[int] = []
    monkeypatch.setattr(costs, "synthetic_faces", lambda part, *_: drawn.append(part.people))
    monkeypatch.setattr(costs, "seconds", lambda work: work() or 3.0)
    # 150 people are drawn in 3 s, so 300 in 6 s; 2 epochs of 1,200 faces are 24 steps of half a second.
    assert costs.pretraining_seconds(params, 0.5) == pytest.approx(6 + 12)
    assert drawn == [150]
    assert costs.pretraining_seconds(replace(params, pretrain=replace(pretrain, epochs=0)), 0.5) == 0


def test_a_training_counts_once_its_search_has_taken_all_its_steps():
    done = pd.DataFrame({"steps": [40, 10, 40, 40], "nme_percent": [9.0, np.nan, 7.0, 5.0]})
    assert [search.best_after(done, steps) for steps in (40, 89, 90, 129, 130)] == [9, 9, 7, 7, 5]


def test_methods_are_compared_after_the_same_steps_by_the_mean_over_seeds():
    """Random search takes 80 steps; what the search finds after them does not count."""
    of_seed = {
        "random": [(40, 8.0), (40, 6.0)],
        "search": [(40, 8.0), (20, np.nan), (20, np.nan), (40, 1.0)],
    }
    rows = [
        {"method": method, "seed": seed, "steps": steps, "nme_percent": nme + seed}
        for method, trainings in of_seed.items()
        for seed in (0, 1)
        for steps, nme in trainings
    ]
    *_, at_random, by_search = search.as_markdown(pd.DataFrame(rows)).splitlines()
    assert at_random == "| at random | nan % | 8.50 % | 8.50 % | 6.50 % | 6.00, 7.00 | 4, 0 pruned |"
    assert by_search == "| by search | nan % | 8.50 % | 8.50 % | 8.50 % | 8.00, 9.00 | 8, 4 pruned |"


def test_growth_is_that_from_the_second_size_to_the_last_by_frame_worked_on():
    rows = pd.DataFrame(
        {
            "stage": "evaluate",
            "frames": scale.COUNTS,
            "stage_frames": [1000, 10_000, 100_000, 300_000],
            "cpu_seconds": [9.0, 20.0, 200.0, 630.0],
            "peak_anonymous_mb": [100, 200, 210, 260],
        }
    )
    assert scale.growth_table(rows).splitlines()[-1] == "| evaluate | +60 MB | +5 % |"
