"""A training that starts from a trained model: which one `train.start` names, and which of its weights serve."""

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.text import brief, shown
from pipeline.core.params import flatten
from pipeline.models.model_file import Description, planned
from pipeline.models.network import KeypointNetwork
from pipeline.training.initial_weights import Weights, tensor_kinds, transferable_weights
from pipeline.training.settings import Pretrain

SCRATCH, SHIPPED = "scratch", "shipped"
_MARK = "@sha256:"
_NAMED_CONTENT = re.compile(rf"(.+){_MARK}([0-9a-f]{{12,64}})")
_NEVER_CHANGES = re.compile(r"runs:/+[^/]+/.+|models:/+[^/@]+/[0-9]+")
"""What MLflow keeps as it is: the model of a run, and a version of a registered one by its number."""
_SHOWN_DIGITS = 16


def refuse_second_start(start: str, model_weights: str, pretrain: Pretrain) -> None:
    """Raise ConfigError where other parameters, too, say what weights a training starts from that has a `start`."""
    others = {"pretrain.epochs": (pretrain.epochs, 0), "model.weights": (model_weights, SCRATCH)}
    for name, (value, off) in others.items():
        if value != off:
            raise ConfigError(
                f"train.start is {_shown(start)} and {name} is {value}: a training has one start; set {name} to {off} "
                f"or train.start to {SCRATCH}"
            )


def place_of(start: str) -> str:
    """The path or MLflow URI that `start` names, without the digest of its content, which has to be one.

    Raises ConfigError.
    """
    named = _NAMED_CONTENT.fullmatch(start)
    place, marked, digest = start.rpartition(_MARK)
    if marked and not named:
        raise ConfigError(
            f"train.start names {_shown(place)} with the SHA-256 {shown(digest)}, which should be its first 12 to 64 "
            "hexadecimal digits; mend it"
        )
    return named[1] if named else start


def check_content(start: str, file: Path) -> None:
    """Raise ConfigError where `file`, which lies at the place of `start`, may be another one tomorrow, or is by now.

    What a training starts from has to be known by the value of the parameter: DVC looks at nothing else, and runs the
    training again when that changes.
    """
    place, digest, named = place_of(start), file_sha256(file), _NAMED_CONTENT.fullmatch(start)
    present = f"{_shown(place)}@sha256:{digest[:_SHOWN_DIGITS]}"
    if named and not digest.startswith(named[2]):
        raise ConfigError(
            f"train.start names {_shown(place)} with the SHA-256 {named[2][:_SHOWN_DIGITS]}, and that file is another "
            f"one by now; bring it back, or take the present one: train.start={present}"
        )
    if not named and not _NEVER_CHANGES.fullmatch(place):
        raise ConfigError(
            f"train.start is {_shown(place)}, whose content may change unseen; name that too: train.start={present}"
        )


def weights_that_serve(network: KeypointNetwork, found: Description, wanted: Description) -> Weights:
    """The weights of a trained network of the description `found` that a training of the one `wanted` starts from.

    The head is among them where both have the same scheme. Raises ConfigError for networks that differ in more.
    """
    try:
        alike = planned(replace(wanted, scheme=found.scheme))
    except ValueError as error:
        raise ConfigError(f"model.name {wanted.model.name} cannot be built as params.yaml says: {error}") from None
    if tensor_kinds(transferable_weights(network)) != tensor_kinds(transferable_weights(alike)):
        raise ConfigError(
            f"train.start: that network has {_differences(found, wanted)}; set what differs to what it has, or "
            f"train.start to {SCRATCH}"
        )
    return transferable_weights(network, head=found.scheme == wanted.scheme)


def _differences(found: Description, wanted: Description) -> str:
    """Parameters that decide what tensors a network has, where they differ."""
    theirs, ours = _of_the_network(found), _of_the_network(wanted)
    differing = [name for name in theirs if name in ours and theirs[name] != ours[name]]
    return ", ".join(f"{name} {theirs[name]} where params.yaml says {ours[name]}" for name in differing)


def _of_the_network(description: Description) -> dict[str, Any]:
    """By dotted name; options of networks that are not in use say nothing."""
    model = asdict(description.model)
    named = {"name": model["name"], model["name"]: model.get(model["name"], {})}
    return flatten({"model": named, "preprocess": {"size_px": description.preprocess.size_px}})


def _shown(place: str) -> str:
    return brief(without_credentials(place), 300)
