"""A training step with its data and augmentation against forward and backward of the bare network on one batch."""

import torch

from benchmarks.timing import compare, show
from pipeline import paths
from pipeline.augment import Augmentation
from pipeline.config import load_params
from pipeline.device import best_device, mixed_precision
from pipeline.losses import keypoint_loss
from pipeline.models import build_network
from pipeline.stages.train import labelled_faces
from pipeline.trainer import Faces, Recipe, fit

STEPS = 40


def main() -> None:
    params = load_params()
    torch.manual_seed(0)
    device = best_device()
    faces = labelled_faces(paths.PROCESSED / "train", params.preprocess.size_px, device)
    faces = Faces(*(part[: STEPS * params.train.batch_size] for part in (faces.images, faces.keypoints_crop)))
    none = Faces(faces.images[:0], faces.keypoints_crop[:0])
    mean_shape = faces.keypoints_crop.mean(0).cpu()
    network = build_network(params.model.model_dump(), side=params.preprocess.size_px, mean_shape=mean_shape).to(device)
    network.to(memory_format=torch.channels_last)
    images, keypoints = faces.batch(torch.arange(params.train.batch_size))

    def bare() -> None:
        network.train()
        for _ in range(STEPS):
            with mixed_precision(device, recipe.precision):
                estimates = network(images)
            torch.autograd.backward(
                keypoint_loss(params.train.loss, params.train.loss_unit, estimates.float(), keypoints)
            )
            network.zero_grad()

    recipe = Recipe(**params.train.model_dump() | {"epochs": 1})
    amounts = Augmentation(**params.augment.model_dump())

    def product() -> None:
        fit(network, faces, none, recipe=recipe, amounts=amounts, on_epoch=lambda epoch, state: None)

    mine, theirs = compare(product, bare, rounds=5)
    frames = STEPS * params.train.batch_size
    print(f"{frames / mine:.0f} frames/s in training, {frames / theirs:.0f} in the bare network, on {device.type}")
    show(f"training, {STEPS} steps", mine, "bare network", theirs)


if __name__ == "__main__":
    main()
