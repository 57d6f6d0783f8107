"""One stage of benchmarks.scale, run and measured in this process: its seconds, memory and waiting, as JSON."""

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from pipeline.core import paths
from pipeline.core.arrays import image_files
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.samples import count_samples
from pipeline.experiments.params import Params, load_params
from pipeline.models.device import best_device
from pipeline.models.model_file import save_model
from pipeline.stages import evaluate, preprocess
from pipeline.training.frames import Batch, TrainingFrames
from pipeline.training.initial_weights import new_network
from pipeline.training.stored_frames import load_labelled_frames
from pipeline.training.trainer import Training

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
_EVERY_S = 0.02
_FIRST_STEPS = 3
"""Not timed: memory is found and the network warms up."""
_FRAMES_READ = 20_000


def memory_mb(what: str) -> int:
    """RssAnon, the memory of this process's own, or VmHWM, the most that was resident."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[what].split()[0]) >> 10


class PeakMemory:
    """The most anonymous memory while it watches."""

    def __init__(self) -> None:
        self.anonymous_mb, self._end = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while True:
            self.anonymous_mb = max(self.anonymous_mb, memory_mb("RssAnon"))
            if self._end.wait(_EVERY_S):
                return

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


class Waiting:
    """Batches, and the seconds for which each was waited for."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches, self.seconds = batches, 0.0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        start = time.perf_counter()
        batch = next(self._batches)
        self.seconds += time.perf_counter() - start
        return batch


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds on the clock, and those that the processor spent on this process."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - busy}


def read_from_disk(params: Params) -> TrainingFrames:
    """The training frames, none of whose images the system holds in memory."""
    for path in image_files(paths.PROCESSED / "train"):
        with path.open("rb") as file:
            os.fsync(file.fileno())  # what is not on the disk yet stays in memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return load_labelled_frames(paths.PROCESSED / "train", params.preprocess.size_px, read_scheme(), best_device())


def run_samples(params: Params, steps: int) -> dict[str, Any]:
    return timed(lambda: count_samples(paths.SAMPLES))


def run_preprocess(params: Params, steps: int) -> dict[str, Any]:
    return timed(lambda: preprocess.run(preprocess=params.preprocess))


def run_read(params: Params, steps: int) -> dict[str, Any]:
    """Frames in random order, as an epoch takes them, and nothing done with them."""
    frames = read_from_disk(params)
    rows = torch.randperm(len(frames), generator=torch.Generator().manual_seed(0))[:_FRAMES_READ]
    batches = frames.chosen_batches(iter(torch.split(rows, params.train.batch_size)))
    return timed(lambda: deque(batches, maxlen=0)) | {"stage_frames": len(rows)}


def run_train(params: Params, steps: int) -> dict[str, Any]:
    """Steps of the default, then the refinement of as many frames as these had, as the last epoch does it."""
    frames = read_from_disk(params)
    training = Training(new_network(params.model, params.preprocess, frames), params.train, params.augment, frames)
    batches = Waiting(batch for _, of_epoch in training.epochs() for batch in of_epoch)
    take(training, batches, _FIRST_STEPS)
    batches.seconds = 0.0
    told = timed(lambda: take(training, batches, steps))
    network = training.average.network
    network.skip_refinement(False)
    network.fit_refinement(islice(frames.batches(params.train.batch_size), steps))
    waiting = {"waiting_percent": 100 * batches.seconds / told["seconds"]}
    return told | waiting | {"stage_frames": steps * params.train.batch_size}


def take(training: Training, batches: Waiting, steps: int) -> None:
    for batch in islice(batches, steps):
        training.step(*batch)


def run_evaluate(params: Params, steps: int) -> dict[str, Any]:
    """By a small network that has learned nothing."""
    options = replace(params.model.coarse_to_fine, coarse_width=8, fine_px=64, fine_width=8, fine_pyramid=8)
    model = replace(params.model, coarse_to_fine=replace(options, mirrored_view=False))
    scheme = read_scheme()
    frames = load_labelled_frames(paths.PROCESSED / "val", params.preprocess.size_px, scheme, torch.device("cpu"))
    network = new_network(model, params.preprocess, frames).eval()
    save_model(paths.MODEL, network, {"model": asdict(model), "preprocess": asdict(params.preprocess)}, scheme)
    return timed(lambda: evaluate.run(evaluate=params.evaluate))


def hash_folder(folder: Path) -> dict[str, Any]:
    """By DVC, as when a stage has made it; nothing is copied."""
    from dvc.cli import main as dvc  # takes a second to import, which the other stages need not wait for

    return timed(lambda: dvc(["add", "--quiet", "--no-commit", folder.as_posix()]))


STAGES: dict[str, Callable[[Params, int], dict[str, Any]]] = {
    "read samples.csv": run_samples,
    "preprocess": run_preprocess,
    "read frames": run_read,
    "train": run_train,
    "evaluate": run_evaluate,
    "hash prepared": lambda params, steps: hash_folder(paths.PROCESSED),
    "hash raw": lambda params, steps: hash_folder(paths.RAW),
}


def main() -> None:
    stage, size_px, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    params = load_params(PARAMS)
    params = replace(params, preprocess=replace(params.preprocess, size_px=size_px))
    with PeakMemory() as peak:
        told = STAGES[stage](params, steps)
    memory = {"peak_anonymous_mb": peak.anonymous_mb, "peak_resident_mb": memory_mb("VmHWM")}
    print(json.dumps(told | memory))


if __name__ == "__main__":
    main()
