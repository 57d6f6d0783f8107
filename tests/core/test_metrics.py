from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.core.scheme import IBUG_68, Scheme
from pipeline.core import metrics


def square_face(eye_distance: float) -> np.ndarray:
    """Truth with the outer eye corners `eye_distance` apart and a box of 40 by 90 pixels."""
    truth = np.zeros((1, IBUG_68.count, 2))
    truth[0, 45, 0] = eye_distance
    truth[0, 0], truth[0, 8] = (40, 0), (0, 90)
    return truth


def test_nme_by_hand():
    truth = square_face(20.0)
    predicted = truth.copy()
    predicted[0, 5] += [3, 4]  # 5 pixels off in one of 68 points, eyes 20 pixels apart
    assert metrics.nme(predicted, truth, IBUG_68) == pytest.approx([5 / 68 / 20])


def test_nme_box_by_hand():
    truth = square_face(20.0)
    assert metrics.nme_box(truth + np.array([0, 6]), truth) == pytest.approx([6 / 60])  # sqrt(40 * 90) = 60


FOUR = Scheme("four", "four points", 4, (), {"a": (0, 1), "b": (2,), "c": (3,)}, (), (0, 1))
MISSING = [np.nan, np.nan]
PARTLY = np.array([[[0, 0], [10, 0], [0, 5], MISSING], [[0, 0], MISSING, [4, 3], MISSING]])
"""Two faces: of the first one point is not labelled, of the second a point that errors are divided by."""


def test_points_without_a_label_count_for_nothing():
    predicted = np.nan_to_num(PARTLY) + np.array([[[0, 0], [0, 0], [3, 0], [99, 99]]])  # 3 px in one of three, over 10
    assert metrics.nme(predicted[:1], PARTLY[:1], FOUR) == pytest.approx([0.1])
    assert metrics.nme_box(predicted[:1], PARTLY[:1]) == pytest.approx([1 / np.sqrt(50)])
    errors = metrics.point_errors(predicted[:1], PARTLY[:1], FOUR)
    assert metrics.region_nme(np.nansum(errors, 0), np.isfinite(errors).sum(0), FOUR) == {
        "a": 0.0,
        "b": pytest.approx(0.3),
    }


def test_a_face_without_the_points_that_errors_are_divided_by_is_not_measured():
    assert metrics.measurable(PARTLY, FOUR).tolist() == [True, False]
    assert np.isnan(metrics.nme(PARTLY, PARTLY, FOUR)[1])


@pytest.mark.parametrize(("normalizer", "length"), [("diagonal", 5.0), (None, np.sqrt(12))])
def test_a_box_counts_where_half_of_the_points_are_labelled(normalizer, length):
    scheme = replace(FOUR, normalizer=normalizer)
    few = PARTLY[1:].copy()
    few[0, 2] = np.nan
    assert metrics.normalizing_length(PARTLY[1:], scheme) == pytest.approx([length])
    assert metrics.measurable(np.concatenate([PARTLY, few]), scheme).tolist() == [True, True, False]


def test_nme_does_not_depend_on_scale():
    generator = np.random.default_rng(0)
    truth, predicted = generator.random((2, 5, IBUG_68.count, 2)) * 100
    assert metrics.nme(7 * predicted, 7 * truth, IBUG_68) == pytest.approx(metrics.nme(predicted, truth, IBUG_68))


def test_a_single_face_without_its_batch_axis_is_refused():
    with pytest.raises(ValueError, match=r"\(N, K, 2\)"):
        metrics.point_distances(np.zeros((IBUG_68.count, 2)), np.zeros((IBUG_68.count, 2)))


def test_regions_average_to_the_whole():
    generator = np.random.default_rng(0)
    truth, predicted = generator.random((2, 5, IBUG_68.count, 2)) * 100
    errors = metrics.point_errors(predicted, truth, IBUG_68)
    regions = metrics.region_nme(errors.sum(0), np.full(IBUG_68.count, len(errors)), IBUG_68)
    sizes = {name: len(points) for name, points in IBUG_68.regions.items()}
    weighted = sum(regions[name] * sizes[name] for name in regions) / IBUG_68.count
    assert weighted == pytest.approx(metrics.nme(predicted, truth, IBUG_68).mean())


def test_auc_is_the_area_under_the_ced():
    errors = np.random.default_rng(0).gamma(2, 0.02, 500)
    thresholds = np.linspace(0, 0.08, 100_001)
    area = np.trapezoid(metrics.ced(errors, thresholds), thresholds) / 0.08
    assert metrics.auc(errors) == pytest.approx(area, abs=1e-4)


def test_auc_and_failures_by_hand():
    errors = np.array([0.0, 0.04, 0.08, 0.2])
    assert metrics.auc(errors) == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert metrics.failure_rate(errors) == 0.25
    assert metrics.ced(errors, np.array([0, 0.05, 0.08, 1])) == pytest.approx([0.25, 0.5, 0.75, 1])


def test_one_person_tells_nothing_of_how_people_differ():
    errors, people = np.array([0.1, 0.2]), np.array(["a", "a"])
    assert metrics.bootstrap_interval(errors, people, samples=50, generator=np.random.default_rng(0)) is None


def test_frames_of_one_person_count_as_one_draw():
    # Ten people, each with 20 equal errors: the interval is that of ten numbers, not of 200.
    errors = np.random.default_rng(1).random(10)
    few = metrics.bootstrap_interval(errors, np.arange(10), samples=4000, generator=np.random.default_rng(0))
    many = metrics.bootstrap_interval(
        errors.repeat(20), np.arange(10).repeat(20), samples=4000, generator=np.random.default_rng(0)
    )
    assert many == pytest.approx(few)
    expected_width = 2 * 1.96 * errors.std() / np.sqrt(10)
    assert few[1] - few[0] == pytest.approx(expected_width, rel=0.15)
