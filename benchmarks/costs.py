"""What each network of the leaderboard costs, measured with nothing beside it, into reports/costs.csv.

A training step with data and augmentation on all cores, a forward pass of one face on one thread, multiply-adds of it.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.studies import OURS
from benchmarks.timing import seconds
from pipeline import paths
from pipeline.augment import Augmentation
from pipeline.config import Params, load_params
from pipeline.device import best_device
from pipeline.models import build_network, count_parameters
from pipeline.recipe import recipe_names, recipe_values, with_values
from pipeline.stages.train import labelled_faces
from pipeline.trainer import Faces, Recipe, Training

TABLE = Path("reports/costs.csv")
_STEPS = 8
_FORWARDS = 30


def entries() -> Iterator[tuple[str, Params]]:
    yield OURS, load_params()
    for name in recipe_names():
        yield name, with_values(recipe_values(name))


def forward_ms(network: torch.nn.Module, side: int, *, batch: int, threads: int) -> float:
    """Median milliseconds of a forward pass on the CPU."""
    all_threads = torch.get_num_threads()
    torch.set_num_threads(threads)
    images = torch.rand(batch, 1, side, side)
    with torch.inference_mode():
        times = sorted(seconds(lambda: network(images)) for _ in range(_FORWARDS))
    torch.set_num_threads(all_threads)
    return 1000 * times[_FORWARDS // 2]


def mega_macs(network: torch.nn.Module, side: int) -> float:
    """Millions of multiply-adds of convolutions and matrix products for one face."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.rand(1, 1, side, side))
    return counter.get_total_flops() / 2e6


def step_seconds(network: torch.nn.Module, params: Params, faces: Faces) -> float:
    """Seconds of a training step, its data and augmentation included: the median of _STEPS after as many others."""
    recipe, amounts = Recipe(**params.train.model_dump()), Augmentation(**params.augment.model_dump())
    training = Training(network.to(faces.images.device), recipe, amounts, faces)
    _, batches = next(training.epochs())
    times = [seconds(lambda: training.step(*next(batches)).item()) for _ in range(2 * _STEPS)]
    return statistics.median(times[_STEPS:])


def measure(name: str, params: Params, faces: Faces) -> dict[str, object]:
    side = params.preprocess.size_px
    network = build_network(params.model.model_dump(), side=side, mean_shape=faces.keypoints_crop.mean(0).cpu()).eval()
    macs, forward = mega_macs(network, side), forward_ms(network, side, batch=1, threads=1)
    step = step_seconds(network, params, faces)
    steps = params.train.epochs * (len(faces) // params.train.batch_size)
    return {
        "entry": name,
        "parameters": count_parameters(network),
        "mega_macs": round(macs, 1),
        "forward_ms_1_thread": round(forward, 2),
        "step_ms": round(1000 * step, 1),
        "training_minutes": round(step * steps / 60, 1),
        "device": faces.images.device.type,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    faces = labelled_faces(paths.PROCESSED / "train", load_params().preprocess.size_px, best_device())
    rows = []
    for name, params in entries():
        rows.append(measure(name, params, faces))
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
