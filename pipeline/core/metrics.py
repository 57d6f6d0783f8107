"""Keypoint errors, per face first, as fractions of each face's normalizing length (see `normalizing_length`).

N faces of K points each; coordinates are x then y, in pixels of one frame. True points that are not labelled are NaN:
they count for nothing. `measurable` tells which faces have an error at all.
"""

import numpy as np

from facial_keypoints.core.scheme import IBUG_68, Scheme

FAILURE_THRESHOLD = 0.08
"""NME above which a face counts as failed, and up to which AUC looks (as Kowalski et al., "Deep Alignment Network",
CVPRW 2017, have it on 300-W)."""
_DRAWN = 1_000_000
"""Groups that a bootstrap draws at once, to bound the memory."""


def point_distances(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, K) Euclidean distances in pixels between (N, K, 2) predicted and true keypoints of one frame.

    NaN where a point is not labelled. Raises ValueError for other shapes.
    """
    if predicted.shape != truth.shape or truth.ndim != 3:
        raise ValueError(f"predicted {predicted.shape} and truth {truth.shape} should both be (N, K, 2)")
    return np.asarray(np.linalg.norm(predicted.astype(np.float64) - truth.astype(np.float64), axis=-1))


def normalizing_length(truth: np.ndarray, scheme: Scheme) -> np.ndarray:
    """(N,) pixels that an error of (N, K, 2) true keypoints is divided by.

    The distance of the scheme's two points (of iBUG 300-W the outer eye corners: the interocular distance), the
    diagonal of the box round the labelled points, or `box_size`. NaN where one of the two is not labelled, or of the
    box fewer than half of all points: it says little of the size then.
    """
    if scheme.normalizer is None:
        return box_size(truth)
    if scheme.normalizer == "diagonal":
        return np.asarray(np.linalg.norm(_box_sides(truth), axis=-1))
    one, other = (truth[:, point].astype(np.float64) for point in scheme.normalizer)
    return np.asarray(np.linalg.norm(one - other, axis=-1))


def box_size(truth: np.ndarray) -> np.ndarray:
    """(N,) root of the area of the box round the labelled ones of (N, K, 2) points.

    NaN where fewer than half of them are labelled.
    """
    return np.asarray(np.sqrt(_box_sides(truth).prod(-1)))


def _box_sides(truth: np.ndarray) -> np.ndarray:
    """(N, 2) width and height of the box round the labelled points; NaN where fewer than half of them are labelled."""
    truth = truth.astype(np.float64)
    sides = np.fmax.reduce(truth, axis=-2) - np.fmin.reduce(truth, axis=-2)  # they pass over NaN
    labelled = np.isfinite(truth).all(-1)
    return np.where(2 * labelled.sum(-1, keepdims=True) >= labelled.shape[-1], sides, np.nan)


def measurable(truth: np.ndarray, scheme: Scheme) -> np.ndarray:
    """(N,) bool: which of (N, K, 2) true faces have the length that errors are divided by."""
    return np.asarray(normalizing_length(truth, scheme) > 0)


def normalizer_in_words(scheme: Scheme) -> str:
    """What `normalizing_length` measures, as captions and reports name it."""
    if scheme == IBUG_68:
        return "distance between the outer eye corners"
    if scheme.normalizer is None:
        return "size of the box round the points"
    if scheme.normalizer == "diagonal":
        return "diagonal of the box round the points"
    return "distance between points {} and {}".format(*scheme.normalizer)


def group_in_words(scheme: Scheme) -> str:
    """What `person` of a sample is, as captions and reports name it: a dataset keeps together what belongs together."""
    return "person" if scheme.thing == "face" else "group"


def groups_in_words(scheme: Scheme) -> str:
    """The plural of `group_in_words`."""
    return "people" if scheme.thing == "face" else "groups"


def nme(predicted: np.ndarray, truth: np.ndarray, scheme: Scheme) -> np.ndarray:
    """(N,) normalized mean error of each face: mean distance of its labelled points over `normalizing_length`."""
    return np.asarray(_mean_distance(predicted, truth) / normalizing_length(truth, scheme))


def _mean_distance(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) mean distance of the labelled points, pixels; NaN for a face without any."""
    labelled = np.isfinite(truth).all(-1)
    sums = np.where(labelled, point_distances(predicted, truth), 0).sum(1)
    return np.asarray(sums / np.where(labelled.any(1), labelled.sum(1), np.nan))


def point_errors(predicted: np.ndarray, truth: np.ndarray, scheme: Scheme) -> np.ndarray:
    """(N, K) distance of each point over the `normalizing_length` of its face, NaN where it is not labelled."""
    return np.asarray(point_distances(predicted, truth) / normalizing_length(truth, scheme)[:, None])


def nme_box(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) mean distance over `box_size`, which a rotated head shrinks less than the distance of its eyes.

    NaN where that is not known, or 0.
    """
    size = box_size(truth)
    return np.asarray(_mean_distance(predicted, truth) / np.where(size > 0, size, np.nan))


def region_nme(sums: np.ndarray, counts: np.ndarray, scheme: Scheme) -> dict[str, float]:
    """Region -> mean error of its labelled points alone; without regions that have none.

    sums, counts: (K,) of the `point_errors` of each point over all faces, those that are no NaN.
    """
    points = {region: list(of_region) for region, of_region in scheme.regions.items()}
    return {name: float(sums[of].sum() / counts[of].sum()) for name, of in points.items() if counts[of].any()}


def ced(errors: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(T,) cumulative error distribution: share of the (N,) errors at or below each of (T,) thresholds."""
    return np.searchsorted(np.sort(errors), thresholds, side="right") / len(errors)


def auc(errors: np.ndarray, threshold: float = FAILURE_THRESHOLD) -> float:
    """Area under the CED up to `threshold`, over `threshold`: exactly the mean of max(0, 1 - error / threshold)."""
    return float(np.maximum(0, 1 - errors / threshold).mean())


def failure_rate(errors: np.ndarray, threshold: float = FAILURE_THRESHOLD) -> float:
    """Share of the (N,) errors above `threshold`."""
    return float((errors > threshold).mean())


def bootstrap_interval(
    errors: np.ndarray, groups: np.ndarray, *, samples: int, generator: np.random.Generator
) -> tuple[float, float] | None:
    """95 % percentile interval of the mean of (N,) errors when whole groups are drawn with replacement.

    Frames of one person resemble each other, so people are the independent unit (cluster bootstrap; Field and Welsh,
    "Bootstrapping clustered data", JRSS B 2007).

    Args:
        errors: (N,) numbers of any unit.
        groups: (N,) the group of each, e.g. the person whom a face shows.
        samples: How many times as many groups as there are are drawn.
        generator: Draws them.

    Returns:
        Lower and upper bound; None for a single group, which tells nothing of how groups differ.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(group_of, weights=errors), np.bincount(group_of)
    if len(sums) < 2:
        return None
    means = []
    for start in range(0, samples, at_once := max(1, _DRAWN // len(sums))):
        drawn = generator.integers(len(sums), size=(min(at_once, samples - start), len(sums)))
        means += (sums[drawn].sum(1) / counts[drawn].sum(1)).tolist()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
