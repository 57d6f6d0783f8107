"""Train a network of the same kind on synthetic faces; train starts from its weights."""

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.params import flatten
from pipeline.core.settings import Preprocess
from pipeline.models.device import best_device
from pipeline.models.settings import Model
from pipeline.training.checkpoint import resumable, resume_training, training_key
from pipeline.training.initial_weights import transferable_weights, write_weights
from pipeline.training.pretraining import pretraining
from pipeline.training.settings import Augment, Pretrain, Train


def run(
    *,
    preprocess: Preprocess,
    model: Model,
    augment: Augment,
    train: Train,
    pretrain: Pretrain,
) -> None:
    if not pretrain.epochs:
        print("pretrain.epochs is 0: train starts from new weights")
        write_weights(paths.PRETRAINED, {})
        return
    scheme = read_scheme()
    if scheme != IBUG_68:
        raise ConfigError(f"synthetic faces have {IBUG_68.title}, not {scheme.title}; set pretrain.epochs to 0")
    device = best_device()
    sections = {"preprocess": preprocess, "model": model, "augment": augment, "train": train, "pretrain": pretrain}
    with resumable(training_key("pretrain", flatten(sections), [], device)) as checkpoint:
        training = pretraining(
            preprocess=preprocess, model=model, augment=augment, train=train, pretrain=pretrain, device=device
        )
        network, _ = resume_training(training, checkpoint, lambda _: None)
        write_weights(paths.PRETRAINED, transferable_weights(network))
