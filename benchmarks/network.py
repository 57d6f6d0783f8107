"""The network alone: PyTorch against ONNX Runtime, exact and in 8 bits, on one and two threads, one face and sixteen.

Each is timed in turn with PyTorch on as many threads. Takes a model file, that of the workspace unless given.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.timing import compare
from facial_keypoints.network import SHIPPED, Network, OnnxNetwork
from pipeline.core import paths
from pipeline.experiments.tracking.model_location import open_model
from pipeline.export.formats import export_model
from pipeline.export.sample_frames import synthetic_frames
from pipeline.models.model_file import open_model_file

ROUNDS = 40


def time_both(name: str, network: Network, trained: Network, frames: np.ndarray, threads: int) -> None:
    mine, theirs = compare(partial(network, frames), partial(trained, frames), rounds=ROUNDS)
    each, baseline = (1000 * seconds / len(frames) for seconds in (mine, theirs))
    print(
        f"{threads} thread(s), {len(frames):2} at once: {name:16} {each:6.2f} ms a face; PyTorch {baseline:6.2f} ms; "
        f"ratio {mine / theirs:.2f}"
    )


def main() -> None:
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else paths.MODEL
    description, module = open_model_file(model)
    faces = np.tile(synthetic_frames(description.preprocess.size_px), (4, 1, 1))
    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder) / "float32.onnx"
        export_model(model, module, exact, kind="onnx", frames=faces[:4])
        trained = open_model(model)
        trained.device, trained.module = torch.device("cpu"), trained.module.cpu()
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for name, file in {"ONNX, float32": exact, "ONNX, as shipped": SHIPPED}.items():
                network = OnnxNetwork(file, threads)
                for count in (1, len(faces)):
                    time_both(name, network, trained, faces[:count], threads)


if __name__ == "__main__":
    main()
