"""8-bit weights and activations for an exported network, their ranges read off training frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facial_keypoints.core.scheme import IBUG_68

_BATCH = 16


def quantize(source: Path, target: Path, frames: np.ndarray) -> None:
    """Turn the convolutions of the ONNX file `source` into int8, with the ranges that (N, S, S) uint8 frames show.

    Each convolution that sees the picture itself and each that makes the maps of the points stays float32, as all
    arithmetic on coordinates does: they are little work, and a quarter of the rounding error went with them (measured).
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_static

    # Shapes alone: optimizing is for the runtime that loads the file.
    quant_pre_process(source, target, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        target,
        target,
        _Calibration(frames),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=_float_convolutions(onnx.load(source).graph),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # 8 bits times 8 overflow 16 on x86 processors without VNNI
    )


def _float_convolutions(graph: Any) -> list[str]:
    """Names of the convolutions with a one-channel input or the channels of points as output."""
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    convolutions = [(node.name, shapes[node.input[1]]) for node in graph.node if node.op_type == "Conv"]
    return [name for name, (outputs, inputs, *_) in convolutions if inputs == 1 or outputs % IBUG_68.count == 0]


class _Calibration:
    """The frames batch by batch, as onnxruntime asks for them."""

    def __init__(self, frames: np.ndarray) -> None:
        self._batches = self._feeds(frames)

    @staticmethod
    def _feeds(frames: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(frames), _BATCH):
            yield {"frames": np.array(frames[start : start + _BATCH])}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
