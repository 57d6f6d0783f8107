"""A trained network as a file that runs without this project: ONNX, or PyTorch's own .pt2.

Both take gray frames as bytes and give keypoints in pixels, so that whoever uses them has nothing to normalize. ONNX
gives the estimates that lead to them too: `facial_keypoints` runs such files, and tells faces by their estimates.
"""

import io
import json
import logging
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.certainty import NINE_TENTHS
from facial_keypoints.core.errors import KeypointsError, ModelError
from facial_keypoints.core.onnx_runtime import import_onnxruntime
from facial_keypoints.core.text import printable
from pipeline.models.forward import BATCH, keypoints_on_cpu
from pipeline.models.model_file import read_description
from pipeline.models.network import KeypointNetwork, last_estimate, to_unit

TOLERANCE_PX = 0.05
"""The most that a keypoint of an exported file may differ from PyTorch's, in pixels of the frame.

Of a network that puts points off the frame, as a badly trained one does, as much for each side of the frame that the
farthest is off: rounding grows with them.
"""
OPSET = 18
"""The oldest that PyTorch writes; runtimes know it since 2023."""
METADATA_FILE = "metadata.json"
"""Name of the metadata inside a .pt2."""

_FURTHER_OUTPUTS = {
    "estimates": "float32 (batch, E, points, 2), pixels as in keypoints, which are the last of the E; how far they are "
    "apart tells faces from what is none",
    "radii": "float32 (batch, points), pixels; the true point lies within this radius of the keypoint in one of two "
    f"cases, and within {NINE_TENTHS} times it in nine of ten",
    "views": "float32 (batch, 2, E, points, 2), pixels: estimates as the frame shows them, and as its mirror image "
    "does, mirrored back; the mean of both of the last is free of the side to which labels lie",
}
"""What ONNX has beside the keypoints; radii and views only of a network that tells them."""
_FITS = {
    "pad": "keep its aspect ratio, centre it, repeat its border",
    "stretch": "stretch it",
}
"""How a crop becomes a square, for users of the file."""


class BytesToPixels(nn.Module):
    """(B, S, S) uint8 gray frames -> (B, K, 2) float32 keypoints in their pixels."""

    def __init__(self, network: KeypointNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.network.keypoints(to_unit(frames))


class BytesToEstimates(BytesToPixels):
    """(B, S, S) uint8 gray frames -> by the names of outputs, all that a network tells of them.

    The keypoints first; see `facial_keypoints.core.prediction`.
    """

    def forward(self, frames: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        told = self.network.predict(to_unit(frames))
        named = {"keypoints": last_estimate(told.estimates), **told._asdict()}
        return {name: values for name, values in named.items() if values is not None}


def describe_export(model: Path) -> dict[str, str]:
    """What a user of the exported file has to know, by name; all of it goes into the file. Raises ModelError.

    `facial_keypoints.network.onnx` reads "fit", "scheme" and "model_digest", `pipeline.models.onnx_file` also "size_px"
    and "model".
    """
    description = read_description(model)
    side, fit = description.preprocess.size_px, description.preprocess.fit
    scheme = description.scheme
    regions = ", ".join(f"{region} {_span(points)}" for region, points in scheme.regions.items())
    return {
        "points": f"{scheme.title}, counted from 0, left and right as the subject has them: {regions}",
        "input": f"frames: uint8 (batch, {side}, {side}), gray, one {scheme.thing} each",
        "size_px": str(side),
        "fit": fit,
        "crop": f"the crop of {scheme.a_thing} goes to the square so: {_FITS[fit]}",
        "normalization": "none: gray levels 0..255 as they are",
        "output": f"keypoints: float32 (batch, {scheme.count}, 2), x then y in pixels of the {side}x{side} frame; "
        "the centre of the top left pixel is (0, 0)",
        "scheme": json.dumps(scheme.as_data()),
        "network": description.model.name,
        "model": json.dumps(asdict(description.model), sort_keys=True),
        "precision": "float32",
        "licence": "MIT",
        "model_digest": file_sha256(model),
    }


def _span(points: tuple[int, ...]) -> str:
    """Indices in words: 36-41 for a run without gaps, else each."""
    run = len(points) > 1 and list(points) == list(range(points[0], points[-1] + 1))
    return f"{points[0]}-{points[-1]}" if run else " ".join(map(str, points))


def trace(module: nn.Module, side: int) -> ExportedProgram:
    """The graph from (B, side, side) uint8 frames to what `module` makes of them, for batches of any size."""
    # A batch of one would be taken for the only size there is.
    example = torch.zeros(2, side, side, dtype=torch.uint8)
    shapes = {"frames": {0: Dim("batch", min=1)}}
    # Not strict: that takes arrays of NumPy on the way, as `flip_index`, for zeros (PyTorch 2.14).
    program = torch.export.export(module.eval(), (example,), dynamic_shapes=shapes, strict=False)
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else []:
            for origin in ("stack_trace", "from_node"):  # paths of this machine, numbers of this process
                node.meta.pop(origin, None)
    return program


def write_pt2(path: Path, program: ExportedProgram, metadata: dict[str, str]) -> None:
    """Write PyTorch's own format, for `torch.export.load`; the metadata is its extra file METADATA_FILE."""
    content = io.BytesIO()  # a name that does not end in .pt2, as that of a file half written, would bring a warning
    torch.export.save(program, content, extra_files={METADATA_FILE: json.dumps(metadata, indent=2)})
    path.write_bytes(content.getvalue())


def write_onnx(path: Path, program: ExportedProgram, metadata: dict[str, str]) -> None:
    """Write ONNX with the metadata as model properties, the same bytes on every machine. Raises ModelError."""
    from onnx.inliner import inline_local_functions

    outputs: list[str] = program.call_spec.out_spec.context  # keys of what `BytesToEstimates` gives
    exported = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=["frames"],
        output_names=outputs,
        custom_translation_table=_extrema(),
        verbose=False,
    )
    if exported is None:
        raise ModelError("PyTorch exported nothing; install the locked packages again: rm -r .venv && make install")
    model = inline_local_functions(exported.model_proto)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    save_onnx(path, model, metadata | {name: f"{name}: {_FURTHER_OUTPUTS[name]}" for name in outputs[1:]})


def save_onnx(path: Path, model: Any, metadata: Mapping[str, str]) -> None:
    """Write a checked ONNX model with `metadata` alone as its properties, always as the same bytes."""
    import onnx

    _forget_origin(model.graph)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def properties(model: Any) -> dict[str, str]:
    """The metadata of an ONNX model, as `save_onnx` wrote it."""
    return {entry.key: entry.value for entry in model.metadata_props}


def _extrema() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Translations of amin and amax over all axes, which PyTorch's exporter knows over given axes only."""
    from onnxscript import opset18

    def reduce(operator: Any) -> Callable[..., Any]:
        def translate(values: Any, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
            axes = [opset18.Constant(value_ints=list(dim))] if len(dim) else []
            return operator(values, *axes, keepdims=int(keepdim))

        return translate

    reduced: dict[Callable[..., Any], Callable[..., Any]] = {
        torch.ops.aten.amax.default: reduce(opset18.ReduceMax),
        torch.ops.aten.amin.default: reduce(opset18.ReduceMin),
    }
    return reduced


def _forget_origin(graph: Any) -> None:
    """Remove where in the source each part comes from: paths of this machine."""
    for part in (*graph.node, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")


def run_torch(network: KeypointNetwork, frames: np.ndarray) -> np.ndarray:
    """(N, K, 2) float32 keypoints of (N, S, S) uint8 frames by the network itself, on the CPU."""
    return np.concatenate([keypoints_on_cpu(network, batch) for batch in batches(frames)])


def run_pt2(path: Path, frames: np.ndarray) -> np.ndarray:
    """(N, K, 2) float32 keypoints of (N, S, S) uint8 frames by a .pt2 file."""
    module = torch.export.load(io.BytesIO(path.read_bytes())).module()
    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(np.array(batch))).numpy() for batch in batches(frames)])


def run_onnx(path: Path, frames: np.ndarray) -> np.ndarray:
    """(N, K, 2) float32 keypoints of (N, S, S) uint8 frames by an ONNX file in onnxruntime."""
    session = import_onnxruntime().InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["keypoints"], {"frames": np.array(batch)})[0] for batch in batches(frames)])


def batches(frames: np.ndarray) -> list[np.ndarray]:
    """The first of (N, S, S) frames alone, then the others BATCH at a time: a file for one size of batch fails here."""
    return [frames[:1], *(frames[start : start + BATCH] for start in range(1, len(frames), BATCH))]


WRITE_AND_RUN = {"onnx": (write_onnx, run_onnx), "pt2": (write_pt2, run_pt2)}
"""Kind of file -> how it is written, and how it is run."""
_GRAPHS = {"onnx": BytesToEstimates, "pt2": BytesToPixels}


def export_model(model: Path, network: KeypointNetwork, path: Path, *, kind: str, frames: np.ndarray) -> float:
    """Write a network as a file that runs without this project, and compare the two.

    Args:
        model: the model file that `network` was loaded from.
        network: in eval mode, on the CPU.
        path: the file to write.
        kind: "onnx" or "pt2".
        frames: (N, S, S) uint8, on which the file is compared with the network.

    Returns:
        By how many pixels a keypoint of the file differs from the network's at most.

    Raises:
        ModelError: where that is more than TOLERANCE_PX allows, or PyTorch cannot export the network.
    """
    write, run = WRITE_AND_RUN[kind]
    metadata = describe_export(model)
    with _exporter_errors(kind):
        write(path, trace(_GRAPHS[kind](network), frames.shape[-1]), metadata)
    expected = run_torch(network, frames)
    difference = np.abs(run(path, frames) - expected).max((1, 2))
    allowed = TOLERANCE_PX * np.maximum(1, np.abs(expected).max((1, 2)) / frames.shape[-1])
    if not (difference <= allowed).all():
        worst = np.argmax(np.nan_to_num(difference, nan=np.inf) / allowed)
        raise ModelError(
            f"the {kind} file puts a point {difference[worst]:.3g} px from where PyTorch does, and "
            f"{allowed[worst]:.2g} px is the most allowed; nothing was written: install the locked packages with: make "
            "install"
        )
    return float(difference.max())


@contextmanager
def _exporter_errors(kind: str) -> Iterator[None]:
    """Turn whatever PyTorch's exporters raise into a ModelError with its first cause, without the graphs they print."""
    logging.disable()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    except (KeypointsError, OSError):
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        reason = printable(textwrap.shorten(f"{type(cause).__name__}: {cause}", 240, placeholder=" ..."))
        raise ModelError(
            f"PyTorch cannot export this network as {kind} ({reason}); change its forward, or install the locked "
            "packages with: make install"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
