"""One stage of benchmarks.scale, run and measured in this process: its seconds, memory and waiting, as JSON."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from pipeline.core import paths
from pipeline.core.dataset_scheme import read_scheme
from pipeline.experiments.params import Params, load_params
from pipeline.models.device import best_device
from pipeline.models.model_file import save_model
from pipeline.stages import evaluate, preprocess
from pipeline.training.initial_weights import new_network
from pipeline.training.stored_frames import load_labelled_frames
from pipeline.training.trainer import Training

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
_EVERY_S = 0.02
_FIRST_STEPS = 3
"""Not timed: memory is found and the network warms up."""


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
        while not self._end.wait(_EVERY_S):
            self.anonymous_mb = max(self.anonymous_mb, memory_mb("RssAnon"))

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def run_preprocess(params: Params, steps: int) -> dict[str, Any]:
    start = time.perf_counter()
    preprocess.run(preprocess=params.preprocess)
    return {"seconds": time.perf_counter() - start}


def run_train(params: Params, steps: int) -> dict[str, Any]:
    """Steps of the default, then the refinement of as many frames as these had, as the last epoch does it."""
    device = best_device()
    frames = load_labelled_frames(paths.PROCESSED / "train", params.preprocess.size_px, read_scheme(), device)
    training = Training(new_network(params.model, params.preprocess, frames), params.train, params.augment, frames)
    batches = (batch for _, of_epoch in training.epochs() for batch in of_epoch)
    waited = spent = 0.0
    for number in range(_FIRST_STEPS + steps):
        start = time.perf_counter()
        batch = next(batches)
        got = time.perf_counter()
        training.step(*batch)
        if number >= _FIRST_STEPS:
            waited, spent = waited + got - start, spent + time.perf_counter() - start
    batches.close()
    network = training.average.network
    network.skip_refinement(False)
    network.fit_refinement(islice(frames.batches(params.train.batch_size), steps))
    return {
        "seconds": spent,
        "stage_frames": steps * params.train.batch_size,
        "waiting_percent": 100 * waited / spent,
    }


def run_evaluate(params: Params, steps: int) -> dict[str, Any]:
    """By a small network that has learned nothing."""
    options = replace(params.model.coarse_to_fine, coarse_width=8, fine_px=64, fine_width=8, fine_pyramid=8)
    model = replace(params.model, coarse_to_fine=replace(options, mirrored_view=False))
    scheme = read_scheme()
    frames = load_labelled_frames(paths.PROCESSED / "val", params.preprocess.size_px, scheme, torch.device("cpu"))
    network = new_network(model, params.preprocess, frames).eval()
    save_model(paths.MODEL, network, {"model": asdict(model), "preprocess": asdict(params.preprocess)}, scheme)
    start = time.perf_counter()
    evaluate.run(evaluate=params.evaluate)
    return {"seconds": time.perf_counter() - start}


STAGES: dict[str, Callable[[Params, int], dict[str, Any]]] = {
    "preprocess": run_preprocess,
    "train": run_train,
    "evaluate": run_evaluate,
}


def main() -> None:
    stage, size_px, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    params = load_params(PARAMS)
    params = replace(params, preprocess=replace(params.preprocess, size_px=size_px))
    with PeakMemory() as peak:
        told = {"waiting_percent": None} | STAGES[stage](params, steps)
    memory = {"peak_anonymous_mb": peak.anonymous_mb, "peak_resident_mb": memory_mb("VmHWM")}
    print(json.dumps(told | memory))


if __name__ == "__main__":
    main()
