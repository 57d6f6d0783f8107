"""Train a network of the same kind on drawn faces; train starts from its weights."""

from pipeline.core import config, paths
from pipeline.models.device import best_device
from pipeline.training.checkpoint import go_on, resumable, training_key
from pipeline.training.initial_weights import weights_to_leave, write_weights
from pipeline.training.pretraining import pretraining


def run(
    *,
    preprocess: config.Preprocess,
    model: config.Model,
    augment: config.Augment,
    train: config.Train,
    pretrain: config.Pretrain,
) -> None:
    if not pretrain.epochs:
        print("pretrain.epochs is 0: train starts from new weights")
        write_weights(paths.PRETRAINED, {})
        return
    device = best_device()
    sections = {"preprocess": preprocess, "model": model, "augment": augment, "train": train, "pretrain": pretrain}
    with resumable(training_key(config.flatten_all(sections), [], device)) as checkpoint:
        training = pretraining(
            preprocess=preprocess, model=model, augment=augment, train=train, pretrain=pretrain, device=device
        )
        network, _ = go_on(training, checkpoint, lambda _: None)
        write_weights(paths.PRETRAINED, weights_to_leave(network))
