"""ONNX files whose answers are worked out by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from facial_keypoints.core.scheme import IBUG_68

SIDE, ESTIMATES = 64, 2
POINTS = np.arange(ESTIMATES * 68 * 2, dtype=np.float32).reshape(ESTIMATES, 68, 2)
METADATA = {"fit": "pad", "scheme": json.dumps(IBUG_68.as_data()), "model_digest": "ab" * 32}


def value(name: str, kind: int, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


FRAMES = value("frames", TensorProto.UINT8, "batch", SIDE, SIDE)
KEYPOINTS = value("keypoints", TensorProto.FLOAT, "batch", 68, 2)
ESTIMATED = value("estimates", TensorProto.FLOAT, "batch", ESTIMATES, 68, 2)


def small_onnx(
    *,
    inputs: Sequence[Any] = (FRAMES,),
    outputs: Sequence[Any] = (KEYPOINTS, ESTIMATED),
    metadata: dict[str, str] = METADATA,
    points: np.ndarray = POINTS,
    weights: TensorProto | None = None,
    added: str = "estimates",
    more: Sequence[Any] = (),
) -> bytes:
    """A network that moves POINTS by the gray level of the pixel in the middle of the frame.

    `added` is what it calls these, and `more` are nodes that follow.
    """
    nodes = [
        helper.make_node("Slice", [inputs[0].name, "from", "to", "axes"], ["middle"]),
        helper.make_node("Cast", ["middle"], ["level"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["level", "last"], ["levels"]),
        helper.make_node("Add", ["levels", "points"], [added]),
        helper.make_node("Gather", [added, "end"], ["keypoints"], axis=1),
        *more,
    ]
    constants = {"from": [32, 32], "to": [33, 33], "axes": [1, 2], "last": [3], "one": [1]}
    initializers = [numpy_helper.from_array(np.array(numbers), name) for name, numbers in constants.items()]
    initializers.append(numpy_helper.from_array(np.array(len(points) - 1), "end"))
    initializers.append(weights or numpy_helper.from_array(points[None], "points"))
    graph = helper.make_graph(nodes, "small", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def write_small_onnx(path: Path, **options: Any) -> Path:
    path.write_bytes(small_onnx(**options))
    return path


def crops(*levels: int) -> np.ndarray:
    """(N, 64, 64) uint8 of the gray levels."""
    return np.repeat(np.array(levels, np.uint8), SIDE * SIDE).reshape(-1, SIDE, SIDE)


def outside(location: str) -> TensorProto:
    """The points as data of another file."""
    tensor = TensorProto(name="points", data_type=TensorProto.FLOAT, dims=[1, ESTIMATES, 68, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, "length": str(POINTS.nbytes)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return tensor
