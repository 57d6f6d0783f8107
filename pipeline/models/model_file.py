"""Model files: safetensors with the weights and, as metadata, how to rebuild the network and prepare its pictures.

A file may come from anywhere: its description is checked before a network is planned by it, its tensors are compared
with that plan before one is read, and only then is memory taken, as much as the file itself has.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.scheme import IBUG_68, Scheme, scheme_from
from facial_keypoints.core.text import brief, shown
from pipeline.core.params import WrongValuesError, checked
from pipeline.core.settings import Preprocess
from pipeline.models import build_network
from pipeline.models.network import KeypointNetwork
from pipeline.models.settings import Model
from pipeline.models.tensor_files import open_tensors

_SCHEME = "scheme"
_KEY = "facial_keypoints"
"""The only key of the metadata: safetensors writes several in an order that changes between processes."""
_LATER_OPTIONS: dict[str, dict[str, Any]] = {
    "coarse_to_fine": {
        "coarse_width": 16,
        "coarse_blocks": 0,
        "coarse_far_prob": 0.0,
        "coarse_far_deg": 0.0,
        "coarse_neighbour_prob": 0.0,
        "fine_neighbour_prob": 0.0,
        "spread": False,
    },
}
"""Section of `Model` -> options that files of before do not name, as their networks have them.

A section for another network is new as a whole: with its options here, files of before can still be read.
"""
_REMEDY = "give another, or train again: dvc repro -fs train"
_DTYPES = {torch.float32: "F32", torch.int64: "I64"}
"""Types of the tensors in networks by safetensors' names."""


@dataclass(frozen=True)
class Description:
    """How to rebuild the network of a model file: settings with the types and bounds of params.yaml, and its points."""

    model: Model
    preprocess: Preprocess
    scheme: Scheme


def save_model(path: Path, network: KeypointNetwork, description: Mapping[str, Any], scheme: Scheme = IBUG_68) -> None:
    """Write weights and `description`: {"model": section of params.yaml, "preprocess": {"size_px", "fit"}}.

    A file says nothing of its scheme where that is IBUG_68, as all did before there were others.
    """
    if scheme != IBUG_68:
        description = {**description, _SCHEME: scheme.as_data()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with whole(path) as partial:
        partial.write_bytes(save(tensors, {_KEY: json.dumps(description, sort_keys=True)}))


def read_description(path: Path) -> Description:
    """The description that `save_model` wrote, its types and bounds checked. Raises ModelError as `open_model_file`."""
    with in_one_line(path, _REMEDY), open_tensors(path) as file:
        return _description(file)


def load_model(path: Path) -> KeypointNetwork:
    """The network of `open_model_file`, without the description. Raises ModelError."""
    return open_model_file(path)[1]


def open_model_file(path: Path) -> tuple[Description, KeypointNetwork]:
    """The description that `save_model` wrote, and the network, rebuilt from the file alone, in eval mode on the CPU.

    Raises ModelError for a missing, damaged or foreign file, or one whose description and tensors do not agree.
    """
    with in_one_line(path, _REMEDY), open_tensors(path) as file:
        description = _description(file)
        network = planned(description)
        network.load_state_dict(_tensors_for(network, file), assign=True)
    return description, network.eval()


@contextmanager
def in_one_line(path: Path, remedy: str) -> Iterator[None]:
    """Turn what may be raised while a model file is read into a ModelError of one line with the remedy."""
    try:
        yield
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; train a model with: dvc repro train") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or no model of this project ({error}); {remedy}") from None


def _description(file: Any) -> Description:
    try:
        return checked_description(json.loads((file.metadata() or {})[_KEY]))
    except KeyError:
        raise ValueError("it holds no description") from None
    except RecursionError:
        raise ValueError("its description is nested too deeply") from None


def checked_description(values: Any) -> Description:
    """What `save_model` was told, {"model", "preprocess"}, and "scheme" where it is not IBUG_68. Raises ValueError."""
    try:
        own = values.pop(_SCHEME, None) if isinstance(values, dict) else None
        _add_later_options(values)
        scheme = IBUG_68 if own is None else scheme_from(own)
        return Description(**checked(values, {"model": Model, "preprocess": Preprocess}), scheme=scheme)
    except WrongValuesError as error:
        wrong = error.first
        name = ".".join(map(str, wrong["loc"])) or "the whole"
        value = "missing" if wrong["type"] == "missing" else f"{shown(wrong['input'])}: {brief(wrong['msg'], 200)}"
        raise ValueError(f"in its description {brief(name)} is {value}") from None


def _add_later_options(values: Any) -> None:
    """Name what a file of before leaves unsaid; values of other types than expected stay as they are."""
    model = values.get("model") if isinstance(values, dict) else None
    if isinstance(model, dict):
        for section, later in _LATER_OPTIONS.items():
            named = model.get(section, {})
            model[section] = later | named if isinstance(named, dict) else named


class _NotDrawn(TorchFunctionMode):
    """Skips the drawing of initial weights, for which PyTorch would load its compiler first where they have no memory.

    That takes seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in {Tensor.normal_, Tensor.uniform_} else func(*args, **(kwargs or {}))


def planned(description: Description) -> KeypointNetwork:
    """The network of a description, without memory for its tensors."""
    scheme = description.scheme
    mean_shape = torch.zeros(scheme.count, 2)
    with torch.device("meta"), _NotDrawn():
        return build_network(
            asdict(description.model),
            side=description.preprocess.size_px,
            mean_shape=mean_shape,
            flip_index=scheme.flip_index,
        )


def _tensors_for(network: KeypointNetwork, file: Any) -> dict[str, Tensor]:
    """The tensors of the file, once they are seen to be just those of the network. Raises ValueError."""
    planned = network.state_dict()
    if odd := sorted(planned.keys() ^ set(file.keys())):
        raise ValueError(f"it lacks the tensor {odd[0]}" if odd[0] in planned else f"it has a tensor {shown(odd[0])}")
    for name, tensor in planned.items():
        part = file.get_slice(name)
        wanted, found = (_DTYPES[tensor.dtype], list(tensor.shape)), (part.get_dtype(), part.get_shape())
        if found != wanted:
            raise ValueError(f"its {name} is {found[0]} {shown(found[1])} where {wanted[0]} {wanted[1]} is expected")
    # Copies: what the file maps into memory changes, or is gone, with the file.
    tensors = {name: file.get_tensor(name).clone() for name in planned}
    if infinite := next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None):
        raise ValueError(f"its {infinite} holds values that are no numbers")
    return tensors
