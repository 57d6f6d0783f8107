"""Fit the score of a face: what the disagreement of the network and the score of YuNet say about whether there is one.

Faces: labelled training frames, and synthetic people of whom half are turned aside; most made small, blurred, dark,
tilted, half covered or cut off. No faces: what the detectors propose elsewhere, in these pictures and in backgrounds,
noise, balls and hands. Prints the constants of facial_keypoints/finding/scores.py.

Takes a model, that of the workspace unless given: python -m benchmarks.score_fit model.safetensors
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from benchmarks import scenes
from benchmarks.found import overlaps_with
from benchmarks.scenes import Scene
from benchmarks.split_frames import SplitFrames
from facial_keypoints import KeypointDetector
from facial_keypoints.detector import make_face
from facial_keypoints.finding.box_detector import BoxDetector, box_detector
from facial_keypoints.finding.windows import mean_face_in, to_gray
from facial_keypoints.finding.yunet import YuNetDetector, windows_of_faces
from pipeline.datasets.synthetic import Pose

FACES, EMPTY = 160, 320
"""Pictures of labelled faces, as many synthetic ones; pictures without any."""
ON_FACE, ELSEWHERE = 0.4, 0.1
"""Overlap with a face from which points are that face, and up to which points and box are none; what is between, or is
a face whose points are elsewhere, is left out."""
ALARM = 2.0
"""Weight of what is no face: an alarm is as bad as two faces missed."""

Harm = Callable[[Scene, np.random.Generator], Scene]
HARMS: dict[str, Harm] = {
    "as it is": lambda scene, rng: scene,
    "small": lambda scene, rng: scenes.smaller(scene, rng.uniform(5, 16) / scene.eye_px),
    "blurred": lambda scene, rng: scenes.blurred(scene, rng.uniform(0.04, 0.2)),
    "small and blurred": lambda scene, rng: scenes.smaller(
        scenes.blurred(scene, 0.1), rng.uniform(8, 20) / scene.eye_px
    ),
    "dark": lambda scene, rng: scenes.dark(scene, rng, rng.uniform(0.06, 0.3)),
    "tilted": lambda scene, rng: scenes.tilted(scene, rng.uniform(-60, 60)),
    "half covered": scenes.covered,
    "cut off": lambda scene, rng: scenes.cut_off(scene, rng, rng.uniform(0.1, 0.5)),
}


@dataclass(frozen=True)
class Answers:
    """What was proposed in many pictures, one row each."""

    kind: np.ndarray
    """(N,) name of the harm, or of what is no face."""
    face: np.ndarray
    """(N,) bool."""
    log_disagreement: np.ndarray
    """(N,) logarithm of the disagreement."""
    log_odds: np.ndarray
    """(N,) of YuNet's score; nan for boxes of the cascade."""


def pictures(frames: SplitFrames, rng: np.random.Generator) -> Iterator[tuple[str, Scene]]:
    """Pictures and what was done to them."""
    names = list(HARMS)
    chosen = rng.permutation(len(frames.files))[:FACES]
    for count, row in enumerate(chosen):
        labelled = Scene(frames.pictures[row], frames.truth[row : row + 1].astype(np.float64))
        yaw = rng.uniform(-75, 75) if count % 2 else rng.normal(0, 12)
        drawn = scenes.person(rng, rng.uniform(20, 60), Pose(yaw, rng.normal(0, 12), rng.normal(0, 10)))
        for scene in (labelled, drawn):
            name = names[int(rng.integers(len(names)))]
            yield name, HARMS[name](scene, rng)
    for _ in range(EMPTY):
        yield "nothing", Scene(scenes.without_faces(rng), np.zeros((0, 68, 2)))


def collect(detector: KeypointDetector, find: BoxDetector, frames: SplitFrames, seed: int = 0) -> Answers:
    """Look at everything that is proposed in every picture, as it is first seen."""
    rows = []
    for name, scene in pictures(frames, np.random.default_rng(seed)):
        gray = to_gray(scene.picture)
        windows, log_odds = _proposed(find, scene.picture, gray)
        points, disagreements, _ = detector.predictor.in_windows([gray], np.zeros(len(windows), int), windows)
        for keypoints, window, difference, odds in zip(points, windows, disagreements, log_odds, strict=True):
            share, near = (
                overlaps_with([make_face(seen, 0)], scene.truth).max(initial=0)
                for seen in (keypoints, mean_face_in(window))
            )
            if share > ON_FACE or max(share, near) < ELSEWHERE:
                rows.append((name, share > ON_FACE, np.log(difference), odds))
    return Answers(*(np.array(column) for column in zip(*rows, strict=True)))


def _proposed(find: BoxDetector, picture: np.ndarray, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, 4) windows and (K,) log-odds of YuNet's scores, nan of the cascade's."""
    if not isinstance(find, YuNetDetector):
        windows = find(picture, gray).windows
        return windows, np.full(len(windows), np.nan)
    found = find.faces(picture)
    scores = found[:, 14].clip(0.01, 0.99)
    return windows_of_faces(found), np.log(scores / (1 - scores))


def fit(yunet: Answers, haar: Answers) -> np.ndarray:
    """Coefficients that make what came the likeliest: log-odds of a face are, with c of them,

    c[0] - c[2] log_disagreement + c[3] log_odds for YuNet, and c[1] - c[2] log_disagreement for the cascade.
    """
    columns, face = np.concatenate([_columns(yunet), _columns(haar)]), np.concatenate([yunet.face, haar.face])
    weight, sign = np.where(face, 1, ALARM), np.where(face, 1, -1)
    found = minimize(lambda c: (weight * np.logaddexp(0, -sign * (columns @ c))).mean(), np.array([-12.0, -12, 4, 1]))
    return np.asarray(found.x)


def _columns(answers: Answers) -> np.ndarray:
    """(N, 4) what the coefficients are multiplied with."""
    is_yunet = np.isfinite(answers.log_odds)
    return np.column_stack([is_yunet, ~is_yunet, -answers.log_disagreement, np.nan_to_num(answers.log_odds)])


def report(name: str, answers: Answers, coefficients: np.ndarray) -> None:
    """Print what is missed and invented at the score 0.5, by what was done to the pictures."""
    found = _columns(answers) @ coefficients > 0
    for kind in dict.fromkeys(answers.kind):
        faces, others = ((answers.kind == kind) & (answers.face == is_face) for is_face in (True, False))
        missed = f"{(faces & ~found).sum()} of {faces.sum()} faces missed"
        print(f"{name}, {kind}: {missed}, {(others & found).sum()} of {others.sum()} other places taken for one")


def main() -> None:
    detector = KeypointDetector.load(sys.argv[1] if len(sys.argv) > 1 else None, detector="yunet")
    frames = SplitFrames("train", FACES)
    yunet = collect(detector, box_detector("yunet", None, suspicious=True), frames)
    haar = collect(detector, box_detector("haar", None), frames)
    coefficients = fit(yunet, haar)
    at_yunet, at_haar, steepness, weight = coefficients
    report("YuNet", yunet, coefficients)
    report("Haar", haar, coefficients)
    print(f"_DISAGREEMENT_AT_HALF, _STEEPNESS = {np.exp(at_haar / steepness):.3f}, {steepness:.1f}")
    print(f"_YUNET_AT_HALF, _YUNET_WEIGHT = {at_yunet - at_haar:.1f}, {weight:.1f}")


if __name__ == "__main__":
    main()
