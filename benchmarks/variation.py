"""How much results change where the same bits are not promised: other numbers of threads, other instructions.

    python -m benchmarks.variation                  # trainings of an eighth of the epochs: quarter of an hour
    python -m benchmarks.variation --epochs 50      # whole ones

Each row is a process of its own: the committed model measured on the test frames, and a training measured on them and
on the validation frames. Without bfloat16 a training computes in float32, as it does on processors that lack it.
"""

import argparse
import json
import os
import subprocess
import sys
from unittest.mock import patch

import torch

from pipeline.core import paths
from pipeline.experiments.params import load_params
from pipeline.experiments.recipe import with_values
from pipeline.models.model_file import load_model
from pipeline.training.trainer import validate

ALL = str(os.cpu_count())
MACHINES: dict[str, dict[str, str]] = {
    f"{ALL} threads": {"OMP_NUM_THREADS": ALL},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    f"{ALL} threads, AVX-512 without bfloat16": {"OMP_NUM_THREADS": ALL, "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    f"{ALL} threads, AVX2": {"OMP_NUM_THREADS": ALL, "ONEDNN_MAX_CPU_ISA": "AVX2"},
}
"""Name -> environment of the process."""


def measure(epochs: int) -> dict[str, float]:
    """NME in percent of the committed model on test, and of a network trained here on both."""
    from benchmarks.frames import divide, load_frames
    from benchmarks.trainings import train_network

    if "ONEDNN_MAX_CPU_ISA" in os.environ:  # PyTorch asks the processor, which still has it
        patch("torch.cpu.get_capabilities", dict).start()
    frames, params, here = load_frames(), with_values({"train.epochs": epochs}), torch.device("cpu")
    train, val, test = (frames.faces(rows, here) for rows in divide(frames.samples, 0, params.split))
    recipe = params.train
    trained = train_network(params, train)
    measured = {
        "committed_test_nme": (load_model(paths.MODEL), test),
        "trained_test_nme": (trained, test),
        "trained_val_nme": (trained, val),
    }
    return {name: round(100 * (validate(*pair, recipe)[1] or 0), 5) for name, pair in measured.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--epochs", type=int, default=max(1, load_params().train.epochs // 8))
    arguments.add_argument("--here", action="store_true", help="only one row, in this process and its environment")
    options = arguments.parse_args()
    if options.here:
        print(json.dumps(measure(options.epochs)))
        return
    for name, settings in MACHINES.items():
        command = [sys.executable, "-m", "benchmarks.variation", "--here", "--epochs", str(options.epochs)]
        done = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, check=True)
        print(f"{name}: {done.stdout.splitlines()[-1]}", flush=True)


if __name__ == "__main__":
    main()
