"""Predict on labelled frames: does --whole equal evaluate, what does finding the faces cost, and how fast is it?

Takes a split, val unless given: python -m benchmarks.detection test
"""

import sys
from functools import partial
from statistics import median

import cv2
import numpy as np
import torch

from benchmarks.found import FOUND, overlaps_with
from benchmarks.split_frames import SplitFrames
from benchmarks.timing import compare, seconds
from facial_keypoints.core.boxes import boxes_of_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Face, KeypointDetector
from facial_keypoints.finding.windows import to_gray
from pipeline.core import paths
from pipeline.core.labels import read_keypoints_csv
from pipeline.core.metrics import nme

SPEED_PICTURES = 64


def equality(frames: SplitFrames, whole: np.ndarray) -> None:
    table = dict(zip(*read_keypoints_csv(paths.TEST_PREDICTIONS), strict=True))
    evaluated = np.stack([table[file] for file in frames.files])
    print(f"predict --whole differs from evaluate by up to {np.abs(whole - evaluated).max():.4f} px")


def accuracy(frames: SplitFrames, whole: np.ndarray, answers: list[list[Face]]) -> None:
    """How many labelled faces are among the answers, and how well their points lie."""
    found: dict[int, np.ndarray] = {}
    others = 0
    for row, faces in enumerate(answers):
        shares = overlaps_with(faces, frames.truth[row : row + 1])[:, 0]
        hits = np.flatnonzero(shares > FOUND)
        others += len(faces) - min(1, len(hits))
        if len(hits):
            found[row] = faces[int(shares.argmax())].keypoints
    rows = list(found)
    truth = frames.truth[rows]
    mine, theirs = (nme(points, truth, IBUG_68) for points in (np.stack(list(found.values())), whole[rows]))
    print(f"{len(frames.files) - len(rows)} of {len(frames.files)} labelled faces missed; {others} answers besides")
    print(f"NME of the found ones {100 * mine.mean():.2f} %, of the same with --whole {100 * theirs.mean():.2f} %")


def separation(detector: KeypointDetector, frames: SplitFrames) -> None:
    """Scores of boxes on labelled faces and of boxes far from any, among all that the detector proposes."""
    scores: dict[bool, list[float]] = {True: [], False: []}
    for picture, truth in zip(frames.pictures, frames.truth, strict=True):
        gray = to_gray(picture)
        faces = detector.faces_in([gray], [detector.find(picture, gray)])[0]
        for face in faces:
            share = overlaps_with([face], truth[None])[0, 0]
            if share > FOUND or share < 0.1:
                scores[share > FOUND].append(face.score)
    for on_face, name in ((True, "on the face"), (False, "elsewhere")):
        low, middle, high = np.percentile(np.array(scores[on_face] or [np.nan]), [2, 50, 98])
        print(f"{len(scores[on_face])} boxes {name}: score {low:.2f} (2 %), {middle:.2f} (median), {high:.2f} (98 %)")


def speed(detector: KeypointDetector, frames: SplitFrames, threads: int) -> None:
    """Detector and bare network apart: many faces together, and how long a single one takes."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    pictures, boxes = frames.pictures[:SPEED_PICTURES], list(boxes_of_points(frames.truth)[:SPEED_PICTURES, None])
    crops = np.zeros((len(pictures), detector.network.size_px, detector.network.size_px), np.uint8)

    def search(picture: np.ndarray) -> None:
        detector.find(picture, to_gray(picture))

    given, network = compare(lambda: detector.many(pictures, boxes), lambda: detector.network(crops), rounds=3)
    count = len(pictures)
    print(
        f"{threads} thread(s), {count} faces together: bare network, one look, {count / network:.0f} faces/s; keypoints"
    )
    print(f"  in known boxes, {count / given:.0f} faces/s, {given / network:.2f} times the time of one look")
    alone = {
        "bare network": [seconds(lambda: detector.network(crops[:1])) for _ in pictures],
        "keypoints in a known box": [seconds(partial(detector, *pair)) for pair in zip(pictures, boxes, strict=True)],
        "search for boxes": [seconds(partial(search, picture)) for picture in pictures],
        "search and keypoints": [seconds(partial(detector, picture)) for picture in pictures],
    }
    print("  one alone: " + ", ".join(f"{name} {1000 * median(times):.1f} ms" for name, times in alone.items()))


def main() -> None:
    split = sys.argv[1] if len(sys.argv) > 1 else "val"
    detector, frames = KeypointDetector.load(convention="dataset"), SplitFrames(split)
    whole = np.stack([detector.whole(picture).keypoints for picture in frames.pictures])
    if split == "test":
        equality(frames, whole)
    accuracy(frames, whole, detector.many(frames.pictures))
    separation(detector, frames)
    for threads in (1, 2):
        speed(detector, frames, threads)


if __name__ == "__main__":
    main()
