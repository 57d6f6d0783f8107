"""How much results change where the same bits are not promised: other numbers of threads, other instructions.

    python -m benchmarks.variation

Each row is a process of its own: the committed model measured on the test frames, and a training of an eighth of the
epochs measured on the validation frames. Without bfloat16 a training computes in float32, as it does on processors that
lack it.
"""

import json
import os
import subprocess
import sys

import torch

from pipeline import device, paths
from pipeline.checkpoint import load_model
from pipeline.config import Params, load_params
from pipeline.recipe import with_values
from pipeline.trainer import Recipe, validate

ALL = str(os.cpu_count())
MACHINES: dict[str, dict[str, str]] = {
    f"{ALL} threads": {"OMP_NUM_THREADS": ALL},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    f"{ALL} threads, AVX-512 without bfloat16": {"OMP_NUM_THREADS": ALL, "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    f"{ALL} threads, AVX2": {"OMP_NUM_THREADS": ALL, "ONEDNN_MAX_CPU_ISA": "AVX2"},
}
"""Name -> environment of the process."""


def shortened() -> Params:
    """The parameters with an eighth of the epochs."""
    return with_values({"train.epochs": max(1, load_params().train.epochs // 8)})


def measure() -> dict[str, float]:
    """NME in percent of the committed model on test, and of a network trained here on val."""
    from benchmarks.frames import divide, load_frames
    from benchmarks.trainings import train_network

    if "ONEDNN_MAX_CPU_ISA" in os.environ:  # PyTorch asks the processor, which still has it
        device.cpu_has_bfloat16 = lambda: False
    frames, params, here = load_frames(), shortened(), torch.device("cpu")
    train, val, test = (frames.faces(rows, here) for rows in divide(frames.samples, 0))
    recipe = Recipe(**params.train.model_dump())
    committed = validate(load_model(paths.MODEL), test, recipe)[1]
    trained = validate(train_network(params, train), val, recipe)[1]
    return {"committed_test_nme": round(100 * (committed or 0), 5), "trained_val_nme": round(100 * (trained or 0), 3)}


def main() -> None:
    if sys.argv[1:] == ["measure"]:
        print(json.dumps(measure()))
        return
    for name, settings in MACHINES.items():
        command = [sys.executable, "-m", "benchmarks.variation", "measure"]
        done = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, check=True)
        print(f"{name}: {done.stdout.splitlines()[-1]}", flush=True)


if __name__ == "__main__":
    main()
