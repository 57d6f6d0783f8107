"""8-bit weights and activations for an exported network, their ranges read off training frames."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facial_keypoints.core.onnx_runtime import import_onnxruntime
from pipeline.export.formats import properties, save_onnx

_PARTS_IN_FLOAT = re.compile(r"\.coarse\.|\.stages\.0\.0\.0\.")
_BATCH = 16
"""Frames that onnxruntime reads the ranges of at once."""
_LARGE = 1000
"""Values from which a tensor is stored in float16."""


def quantize(source: Path, target: Path, frames: np.ndarray) -> None:
    """Write the ONNX file `source` to `target` with convolutions in int8, with the ranges that the frames show.

    On one machine, the same file and frames give the same bytes.

    What moves points most stays float32: all arithmetic on coordinates, the convolutions that see the picture itself
    and those that make the heatmaps, and of `coarse_to_fine` the coarse network, whose error moves the cut-out, and the
    first convolution after the stem. It is stored in float16 where it is large.

    Args:
        source: an ONNX file of `formats.write_onnx`.
        target: the file to write.
        frames: (N, S, S) uint8 training frames.
    """
    import onnx

    import_onnxruntime()
    from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_static

    exact = onnx.load(source)
    # Shapes alone: optimizing is for the runtime that loads the file.
    quant_pre_process(source, target, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        target,
        target,
        _Calibration(frames),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=_float_convolutions(exact.graph),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # 8 bits times 8 overflow 16 on x86 processors without VNNI
    )
    rounded = onnx.load(target)
    _store_in_halves(rounded.graph)
    told = {"precision": "convolutions in int8, all else float32, of which large tensors are stored in float16"}
    save_onnx(target, rounded, properties(exact) | told)


def _store_in_halves(graph: Any) -> None:
    """Store large float32 tensors in float16, for the size of the file; a Cast to `<name>_float32` brings them back.

    Runtimes do that once, when they open the file.
    """
    from onnx import TensorProto, helper, numpy_helper

    large = [one for one in graph.initializer if one.data_type == TensorProto.FLOAT and np.prod(one.dims) >= _LARGE]
    names = {one.name: f"{one.name}_float32" for one in large}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    for one in large:
        one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one).astype(np.float16), one.name))
    for place, (name, full) in enumerate(names.items()):
        graph.node.insert(place, helper.make_node("Cast", [name], [full], name=f"{name}_cast", to=TensorProto.FLOAT))


def _float_convolutions(graph: Any) -> list[str]:
    """Names of the convolutions that stay float32: by their channels, and by the names that `coarse_to_fine` gives."""
    points = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    convolutions = [(node.name, node.input[1]) for node in graph.node if node.op_type == "Conv"]
    return [
        name
        for name, weights in convolutions
        if shapes[weights][0] == points or shapes[weights][1] == 1 or _PARTS_IN_FLOAT.search(weights)
    ]


class _Calibration:
    """The frames in batches, by the interface of onnxruntime's CalibrationDataReader."""

    def __init__(self, frames: np.ndarray) -> None:
        self._batches = self._feeds(frames)

    @staticmethod
    def _feeds(frames: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(frames), _BATCH):
            yield {"frames": np.array(frames[start : start + _BATCH])}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
