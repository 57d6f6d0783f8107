"""A training step and its parts: frames and their augmentation, the bare network there and back, optimizer and average.

python -m benchmarks.training
"""

import itertools

import torch

from benchmarks.timing import compare
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.experiments.params import load_params
from pipeline.models.device import best_device, mixed_precision
from pipeline.training.augment import augment
from pipeline.training.initial_weights import new_network
from pipeline.training.losses import keypoint_loss
from pipeline.training.stored_frames import load_labelled_frames
from pipeline.training.trainer import Training

STEPS, ROUNDS = 20, 5


def main() -> None:
    params = load_params()
    torch.manual_seed(0)
    device = best_device()
    faces = load_labelled_frames(paths.PROCESSED / "train", params.preprocess.size_px, IBUG_68, device)
    network = new_network(params.model, params.preprocess, faces)
    settings, amounts = params.train, params.augment
    training = Training(network, settings, amounts, faces)
    batches = itertools.chain.from_iterable(batches for _, batches in training.epochs())
    resident = next(faces.batches(settings.batch_size))

    def steps() -> None:
        for batch in itertools.islice(batches, STEPS):
            training.step(*batch)

    def frames() -> None:
        generator = torch.Generator().manual_seed(0)
        for _ in range(STEPS):
            rows = torch.randperm(len(faces))[: settings.batch_size]
            augment(*next(faces.chosen_batches([rows])), amounts, generator, flip_index=faces.scheme.flip_index)

    def bare() -> None:
        network.train()
        for _ in range(STEPS):
            with mixed_precision(device, settings.precision):
                estimates = network(resident[0])
            torch.autograd.backward(keypoint_loss(settings.loss, settings.loss_unit, estimates.float(), resident[1]))
            network.zero_grad()

    whole, alone = compare(steps, bare, rounds=ROUNDS)
    prepared, _ = compare(frames, bare, rounds=ROUNDS)
    size = settings.batch_size
    print(f"{STEPS * size / whole:.0f} frames/s in training, on {device.type}; a step of {size} frames:")
    for name, seconds in (
        ("all of it", whole),
        ("the bare network, there and back, on one batch", alone),
        ("frames and augmentation", prepared),
        ("optimizer and average, the rest", whole - alone - prepared),
    ):
        print(f"  {1000 * seconds / STEPS:6.1f} ms, {seconds / alone:.2f} of the bare network: {name}")


if __name__ == "__main__":
    main()
