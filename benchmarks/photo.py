"""Time of a user's work: the search alone, a photo of one face and of twenty, a video of two people, 640 x 480.

Everything runs in turn with a baseline, the Haar cascade and the PyTorch network of the workspace, on one core and on
two. The photo of twenty is as large as its faces need. dlib and MediaPipe are measured where they are installed and
have their models. Takes what `--model` takes: python -m benchmarks.photo model.onnx
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.scenes import crowd, person
from benchmarks.timing import compare
from benchmarks.video import people_moving
from facial_keypoints import KeypointDetector
from facial_keypoints.finding.haar import HaarDetector
from facial_keypoints.finding.windows import to_gray
from facial_keypoints.prediction.tracks import FaceTracker

THREADS = (1, 2)
SIZE = (480, 640)
FRAMES = 60
ROUNDS = {"search": 15, "photo": 15, "crowd": 5, "video": 2}

Work = dict[str, Callable[[], object]]
"""What is timed, by what it is: search, photo, crowd, video."""


def photo(people: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of one face, in a picture of SIZE, or of many in one that holds them."""
    rng = np.random.default_rng(people)
    if people > 1:
        return crowd(rng, people, 45).picture
    picture = person(rng, 60).picture[: SIZE[0], : SIZE[1]]
    down, across = SIZE[0] - picture.shape[0], SIZE[1] - picture.shape[1]
    return np.asarray(
        cv2.copyMakeBorder(picture, 0, down, across // 2, across - across // 2, cv2.BORDER_REPLICATE), np.uint8
    )


def work_of(detector: KeypointDetector, one: np.ndarray, many: np.ndarray, frames: list[np.ndarray]) -> Work:
    def video() -> None:
        follow = FaceTracker(detector)
        for number, frame in enumerate(frames):
            follow(frame, number / 30)

    return {
        "search": lambda: detector.find(one, to_gray(one)),
        "photo": lambda: detector(one),
        "crowd": lambda: detector(many),
        "video": video,
    }


def dlib_work(one: np.ndarray, many: np.ndarray, frames: list[np.ndarray]) -> Work:
    """dlib's detector and 68 points; its model file is named by DLIB_68, as it does not come with dlib."""
    import dlib  # type: ignore[import-not-found]

    search, model = dlib.get_frontal_face_detector(), os.environ.get("DLIB_68")
    if model is None:
        return {"search": lambda: search(one, 0)}
    points = dlib.shape_predictor(model)

    def look(picture: np.ndarray) -> list:
        return [points(picture, box) for box in search(picture, 0)]

    return {
        "search": lambda: search(one, 0),
        "photo": lambda: look(one),
        "crowd": lambda: look(many),
        "video": lambda: [look(frame) for frame in frames],
    }


def mediapipe_work(one: np.ndarray, many: np.ndarray, frames: list[np.ndarray]) -> Work:
    """MediaPipe's face mesh; nothing where this version of it came without its models."""
    import mediapipe  # type: ignore[import-not-found]

    if not hasattr(mediapipe, "solutions"):
        return {}
    mesh = mediapipe.solutions.face_mesh.FaceMesh
    still, moving = mesh(static_image_mode=True, max_num_faces=20), mesh(static_image_mode=False, max_num_faces=2)
    return {
        "photo": lambda: still.process(one),
        "crowd": lambda: still.process(many),
        "video": lambda: [moving.process(frame) for frame in frames],
    }


def measure(model: str | None, threads: int) -> None:
    """Print a line for each work of each contestant, in a process that has as many cores as threads."""
    from pipeline.experiments.tracking.model_location import open_model

    cv2.setNumThreads(threads)
    frames = [frame for frame, _ in people_moving(FRAMES, size=SIZE)]
    seen = (photo(1), photo(20), frames)
    baseline = work_of(KeypointDetector(open_model(None, threads), HaarDetector()), *seen)
    contestants = {
        "YuNet": work_of(KeypointDetector.load(model, detector="yunet", threads=threads), *seen),
        "Haar": work_of(KeypointDetector.load(model, detector="haar", threads=threads), *seen),
    }
    for package, make_work in (("dlib", dlib_work), ("mediapipe", mediapipe_work)):
        if importlib.util.find_spec(package):
            contestants[package] = make_work(*seen)
    for name, works in contestants.items():
        for what, work in works.items():
            ours, theirs = compare(work, baseline[what], rounds=ROUNDS[what])
            rate = f", {FRAMES / ours:.0f} frames/s" if what == "video" else ""
            print(f"{threads} | {name} | {what} | {1000 * ours:.1f} ms{rate} | {ours / theirs:.2f}", flush=True)


def main() -> None:
    """Measure in a process for each number of threads, which has so many cores, whatever its libraries ask for."""
    print("threads | detector | work | time | over the baseline: Haar and the PyTorch network")
    cores = sorted(os.sched_getaffinity(0))
    for threads in THREADS:
        command = [sys.executable, "-m", "benchmarks.photo", *sys.argv[1:], f"--threads={threads}"]
        chosen = ",".join(map(str, cores[:threads]))
        subprocess.run(
            ["taskset", "-c", chosen, *command], env=os.environ | {"OMP_NUM_THREADS": str(threads)}, check=True
        )


if __name__ == "__main__":
    options = [argument for argument in sys.argv[1:] if not argument.startswith("--threads=")]
    if len(options) < len(sys.argv) - 1:
        measure(options[0] if options else None, int(sys.argv[-1].partition("=")[2]))
    else:
        main()
