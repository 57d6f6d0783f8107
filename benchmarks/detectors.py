"""What each face detector finds with the network, misses and invents, on synthetic scenes and labelled frames of val.

Writes the tables of docs/detection.md. Needs YuNet's file and the prepared frames. Takes a model, that of the workspace
unless given: python -m benchmarks.detectors model.safetensors
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import scenes
from benchmarks.found import FOUND, overlaps_with
from benchmarks.scenes import Scene
from benchmarks.split_frames import SplitFrames
from facial_keypoints import KeypointDetector
from facial_keypoints.core.boxes import boxes_of_points, overlaps
from facial_keypoints.core.terminal import say
from facial_keypoints.finding.windows import mean_face_in, to_gray
from pipeline.datasets.synthetic import Pose

PAGE = Path("docs/detection.md")
PICTURES = 20
"""Synthetic pictures of each kind, and labelled frames."""
EMPTY = 120
"""Pictures without a face."""
ELSEWHERE = 0.1
"""Overlap with a face up to which an answer is invented."""
NEAR = 0.3
"""Overlap from which a place that is proposed holds a face, before the network frames it by its points."""
COLUMNS = ("found %", "proposed %", "false")
"""What the page tells of each detector."""
INTRODUCTION = """# What the detectors find

`python -m benchmarks.detectors` writes this page. Of each detector it tells how many of the faces it finds, in percent
(a detection overlaps the face by more than half: intersection over union of the boxes round the 68 points); of how many
its search alone proposes a place, in percent; and false: how many detections overlap no face, in all {pictures}
pictures of the row ({empty} without a face). All detectors see the same pictures; people and frames are others than
those to which the score was fitted.
"""

Kind = Callable[[np.random.Generator], Scene]


def _held(yaw: float = 0, pitch: float = 0) -> Kind:
    """A person with the head turned or nodding by some degrees, to either side."""

    def draw(rng: np.random.Generator) -> Scene:
        side = rng.choice((-1, 1))
        return scenes.person(rng, 45, Pose(side * yaw, side * pitch, rng.normal(0, 4)))

    return draw


def _plain(rng: np.random.Generator) -> Scene:
    return scenes.person(rng, 45)


SYNTHETIC: dict[str, Kind] = {
    "upright": _plain,
    **{f"turned aside by {yaw}°": _held(yaw=yaw) for yaw in (30, 45, 60, 75)},
    **{f"nodding by {pitch}°": _held(pitch=pitch) for pitch in (30, 45)},
    "three rows of three, eye distance 20 px": lambda rng: scenes.crowd(rng, 9, 20),
    "four rows of four, eye distance 10 px": lambda rng: scenes.crowd(rng, 16, 10),
}
Harm = Callable[[Scene, np.random.Generator], Scene]


def _tilted(tilt: float) -> Harm:
    return lambda scene, rng: scenes.tilted(scene, rng.choice((-1, 1)) * tilt)


def _eyes(eye_px: float) -> Harm:
    return lambda scene, rng: scenes.smaller(scene, eye_px / scene.eye_px)


def _blurred(eyes_frac: float) -> Harm:
    return lambda scene, rng: scenes.blurred(scene, eyes_frac)


HARMS: dict[str, Harm] = {
    "as it is": lambda scene, rng: scene,
    **{f"tilted by {tilt}°": _tilted(tilt) for tilt in (30, 45, 60, 90, 135)},
    "upside down": _tilted(180),
    **{f"eye distance {eye_px} px": _eyes(eye_px) for eye_px in (6, 8, 10, 14, 20)},
    **{f"blurred by {frac} eye distances": _blurred(frac) for frac in (0.1, 0.2)},
    "a tenth of the light": lambda scene, rng: scenes.dark(scene, rng, 0.1),
    "half covered": scenes.covered,
    "a third cut off": lambda scene, rng: scenes.cut_off(scene, rng, 1 / 3),
}


@dataclass
class Count:
    """What a detector made of the pictures of one kind."""

    faces: int = 0
    proposed: int = 0
    found: int = 0
    invented: int = 0

    def add(self, detector: KeypointDetector, scene: Scene) -> None:
        candidates = detector.find(scene.picture, to_gray(scene.picture))
        places = np.array([mean_face_in(window) for window in candidates.windows]).reshape(-1, 68, 2)
        near = overlaps(boxes_of_points(places), boxes_of_points(scene.truth)) > NEAR
        shares = overlaps_with(detector(scene.picture), scene.truth)
        self.faces += len(scene.truth)
        self.proposed += int(near.any(0).sum())
        self.found += int((shares > FOUND).any(0).sum())
        self.invented += int((shares.max(1, initial=0) < ELSEWHERE).sum())

    def __str__(self) -> str:
        """Cells of a row, under COLUMNS."""
        found, proposed = (
            f"{100 * count / self.faces:.0f}" if self.faces else "-" for count in (self.found, self.proposed)
        )
        return f"{found} | {proposed} | {self.invented}"


def contestants(model: str | None) -> dict[str, KeypointDetector]:
    """Detectors by the heading of their columns."""
    return {
        "Haar": KeypointDetector.load(model, detector="haar"),
        "YuNet": KeypointDetector.load(model, detector="yunet"),
        "both, to hide": KeypointDetector.load(model, suspicious=True),
    }


def table(title: str, kinds: dict[str, Iterable[Scene]], detectors: dict[str, KeypointDetector]) -> list[str]:
    """Lines of a table, a row a kind of picture."""
    columns = [cell for name in detectors for cell in (f"{name}: {COLUMNS[0]}", *COLUMNS[1:])]
    lines = [f"| {title} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, drawn in kinds.items():
        counts = {key: Count() for key in detectors}
        for scene in drawn:
            for key, detector in detectors.items():
                counts[key].add(detector, scene)
        lines.append(f"| {name} | {' | '.join(map(str, counts.values()))} |")
        say(lines[-1])
    return [*lines, ""]


def synthetic(kind: Kind, seed: int) -> Iterator[Scene]:
    """Pictures of one kind; a seed of this page is none of the fit's."""
    rng = np.random.default_rng((7, seed))
    return (kind(rng) for _ in range(PICTURES))


def harmed(originals: list[Scene], harm: Harm) -> Iterator[Scene]:
    rng = np.random.default_rng(7)
    return (harm(scene, rng) for scene in originals)


def main() -> None:
    detectors = contestants(sys.argv[1] if len(sys.argv) > 1 else None)
    frames = SplitFrames("val", PICTURES)
    labelled = [
        Scene(picture, points[None].astype(np.float64))
        for picture, points in zip(frames.pictures, frames.truth, strict=True)
    ]
    drawn = list(synthetic(_plain, len(SYNTHETIC)))
    lines = [
        *table(
            "synthetic people",
            {name: synthetic(kind, at) for at, (name, kind) in enumerate(SYNTHETIC.items())},
            detectors,
        ),
        *table("synthetic people", {name: harmed(drawn, harm) for name, harm in HARMS.items()}, detectors),
        *table("labelled frames", {name: harmed(labelled, harm) for name, harm in HARMS.items()}, detectors),
        *table("without a face", {"backgrounds, noise, balls, hands": empty()}, detectors),
    ]
    PAGE.write_text(
        "\n".join([INTRODUCTION.format(pictures=PICTURES, empty=EMPTY), *lines]).rstrip() + "\n", encoding="utf-8"
    )


def empty() -> Iterator[Scene]:
    rng = np.random.default_rng(7)
    return (Scene(scenes.without_faces(rng), np.zeros((0, 68, 2))) for _ in range(EMPTY))


if __name__ == "__main__":
    main()
