"""What each network of the leaderboard costs, measured with nothing beside it, into reports/costs.csv.

    python -m benchmarks.costs             # all of them
    python -m benchmarks.costs resnet18    # those named; the rows of the others stay

A training step with data and augmentation on all cores, and its share of what the machine can do; the whole training,
pretraining and the drawing of its faces included; forward passes of 1 and of 64 faces, on one thread and on all;
multiply-adds of one face.
"""

import statistics
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.frames import divide, load_frames
from benchmarks.studies import entries
from benchmarks.timing import seconds
from pipeline.experiments.params import Params
from pipeline.models import count_parameters
from pipeline.models.device import best_device, mixed_precision
from pipeline.models.network import KeypointNetwork
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import new_network
from pipeline.training.pretraining import synthetic_faces
from pipeline.training.trainer import Training

TABLE = Path("reports/costs.csv")
_STEPS = 4
_REPEATS = {1: 30, 64: 5}
"""Faces in a forward pass -> how often it is timed."""
_MATRIX = 4096
_PEOPLE = 150


def forward_ms(network: torch.nn.Module, side: int, *, batch: int, threads: int) -> float:
    """Median milliseconds of a forward pass of `batch` faces on the CPU."""
    all_threads = torch.get_num_threads()
    torch.set_num_threads(threads)
    images = torch.rand(batch, 1, side, side)
    with torch.inference_mode():
        times = [seconds(lambda: network(images)) for _ in range(_REPEATS[batch])]
    torch.set_num_threads(all_threads)
    return 1000 * statistics.median(times)


def mega_macs(network: torch.nn.Module, side: int) -> float:
    """Millions of multiply-adds of convolutions and matrix products for one face."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.rand(1, 1, side, side))
    return counter.get_total_flops() / 2e6


def step_seconds(network: KeypointNetwork, params: Params, frames: LabelledFrames) -> float:
    """Seconds of a training step, its data and augmentation included: the median of _STEPS after as many others."""
    training = Training(network.to(frames.images.device), params.train, params.augment, frames)
    _, batches = next(training.epochs())
    times = [seconds(lambda: training.step(*next(batches)).item()) for _ in range(2 * _STEPS)]
    return statistics.median(times[_STEPS:])


def step_flops(network: torch.nn.Module, images: torch.Tensor) -> int:
    """Arithmetic of the convolutions and matrix products of a forward and backward pass, in training."""
    counter = FlopCounterMode(display=False)
    with counter:
        network.train()(images).sum().backward()
    network.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def peak_flops(device: torch.device, precision: str) -> float:
    """Arithmetic a second of one large matrix product in a precision of training: what the machine can do."""
    with mixed_precision(device, precision):
        matrix = torch.rand(_MATRIX, _MATRIX, device=device)
        matrix = matrix.to(torch.bfloat16) if torch.is_autocast_enabled(device.type) else matrix
        return 2 * _MATRIX**3 / min(seconds(lambda: (matrix @ matrix)[0, 0].item()) for _ in range(5))


def pretraining_seconds(params: Params, step: float) -> float:
    """What pretrain takes whose steps take `step` seconds: drawing, of which a part is timed, and training."""
    pretrain = params.pretrain
    if not pretrain.epochs:
        return 0.0
    part = replace(pretrain, people=min(_PEOPLE, pretrain.people))
    drawing = seconds(lambda: synthetic_faces(part, params.preprocess, torch.device("cpu"))) / part.people
    steps = pretrain.epochs * (pretrain.people * pretrain.frames // params.train.batch_size)
    return drawing * pretrain.people + step * steps


def measure(name: str, params: Params, frames: LabelledFrames, peak: float) -> dict[str, object]:
    side, threads = params.preprocess.size_px, torch.get_num_threads()
    network = new_network(params.model, params.preprocess, frames).cpu().eval()
    macs = mega_macs(network, side)
    forwards = {
        f"forward_{batch}_threads_{used}_ms": round(forward_ms(network, side, batch=batch, threads=used), 2)
        for batch in _REPEATS
        for used in (1, threads)
    }
    flops = step_flops(network, frames.batch(torch.arange(2))[0].cpu()) / 2 * params.train.batch_size
    step = step_seconds(network, params, frames)
    steps = params.train.epochs * (len(frames) // params.train.batch_size)
    return {
        "entry": name,
        "parameters": count_parameters(network),
        "mega_macs": round(macs, 1),
        **forwards,
        "step_ms": round(1000 * step, 1),
        "step_share_of_peak": round(flops / step / peak, 3),
        "training_minutes": round((pretraining_seconds(params, step) + step * steps) / 60, 1),
        "device": frames.images.device.type,
        "threads": threads,
    }


def main() -> None:
    asked, networks = sys.argv[1:], dict(entries())
    if not set(asked) <= set(networks):
        sys.exit(f"error: name entries of the leaderboard, or none for all; there are {', '.join(networks)}")
    frames, device = load_frames(), best_device()
    peaks = {precision: peak_flops(device, precision) for precision in ("mixed", "float32")}
    print(
        *(f"a matrix product, {name}: {peak / 1e9:.0f} GFLOP/s" for name, peak in peaks.items()), sep="\n", flush=True
    )
    for name in asked or networks:
        params = networks[name]
        faces = frames.faces(divide(frames.samples, 0, params.split)[0], device)
        row = pd.DataFrame([measure(name, params, faces, peaks[params.train.precision])])
        print(row.iloc[0].to_dict(), flush=True)
        others = pd.read_csv(TABLE).query("entry != @name") if TABLE.exists() else None
        table = pd.concat([others, row]).sort_values("entry")
        table.to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
