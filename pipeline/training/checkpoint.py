"""Checkpoints: the state of a training after its last finished epoch, from which it goes on when it was killed.

A checkpoint is one safetensors file, written after every epoch. It lies in the main workspace and is no output of a
stage: DVC removes those before it runs the stage again.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save
from torch import Tensor

from facial_keypoints.core import terminal
from facial_keypoints.core.atomic_files import file_sha256, remove_abandoned, whole
from facial_keypoints.core.text import brief, reason_of
from pipeline.core.paths import workspace_root
from pipeline.models.device import has_bfloat16
from pipeline.models.network import KeypointNetwork
from pipeline.models.tensor_files import open_tensors
from pipeline.training.trainer import Epoch
from pipeline.training.training_state import State

_KEY = "facial_keypoints_training"
_ROOT = Path(__file__).parents[2]
_ROOMS = ("facial_keypoints/core", "pipeline/core", "pipeline/models", "pipeline/training")
CODE = {
    "pretrain": (*_ROOMS, "facial_keypoints/mean_face", "pipeline/datasets/synthetic", "pipeline/stages/pretrain.py"),
    "train": (*_ROOMS, "pipeline/stages/train.py"),
}
"""Stage that trains -> rooms and files of code that decide what it computes, those that it depends on in dvc.yaml."""
_HEADER_BYTES = 8_000_000
"""Twice what 10,000 epochs of history and the state of the largest network take."""


def training_key(stage: str, params: Mapping[str, Any], data: Sequence[Path], device: torch.device) -> str:
    """SHA-256 over all that decides what a training computes, so that no other training takes its checkpoint.

    Args:
        stage: "pretrain" or "train", whose CODE is hashed.
        params: values by dotted names.
        data: files, and folders of files, that are hashed.
        device: where it trains; with PyTorch's version and the processor's instructions it decides the arithmetic.
    """
    content = {
        "params": dict(params),
        "data": {path.as_posix(): file_sha256(path) for place in data for path in _files(place, "*")},
        "code": {path: file_sha256(_ROOT / path) for path in _code(stage)},
        "arithmetic": [
            str(torch.__version__),
            device.type,
            torch.backends.cpu.get_cpu_capability(),
            has_bfloat16(device),
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _code(stage: str) -> list[str]:
    """Files of the stage's CODE, from the root of the repository; compiled ones beside them are left out."""
    return [path.relative_to(_ROOT).as_posix() for place in CODE[stage] for path in _files(_ROOT / place, "*.py")]


def _files(place: Path, pattern: str) -> list[Path]:
    """The file `place` itself, or all files of this pattern in the folder `place` and in folders below it."""
    return [place] if place.is_file() else sorted(path for path in place.rglob(pattern) if path.is_file())


@contextmanager
def resumable(key: str) -> Iterator["Checkpoint"]:
    """Give the body the checkpoint of the training with this key, and remove it when the body ends well.

    One process at a time has it; another one waits.
    """
    path = workspace_root() / ".checkpoints" / "train" / f"{key[:16]}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        terminal.tell("another process trains exactly this; waiting for it to end")
        lock.acquire()
    try:
        remove_abandoned(path.parent)
        yield (checkpoint := Checkpoint(path, key))
        checkpoint.remove()
    finally:
        lock.release()


def resume_training(
    training: Callable[..., KeypointNetwork], checkpoint: "Checkpoint", tell: Callable[[Sequence[Epoch]], None]
) -> tuple[KeypointNetwork, list[Epoch]]:
    """Train from where an earlier process was killed, or from the beginning, and write the checkpoint after each epoch.

    Args:
        training: `trainer.fit` with all arguments but `on_epoch` and `resume`.
        checkpoint: of this training.
        tell: called with the epochs of the earlier process, if there are any, then with each new one.

    Returns:
        What `fit` returns, and the history with all epochs.
    """
    saved, history = checkpoint.read()
    if history:
        print(f"going on after epoch {len(history)}", flush=True)
        tell(history)

    def on_epoch(epoch: Epoch, state: State) -> None:
        checkpoint.write(state, [*history, epoch])  # before anybody hears of it: what was told, no restart takes back
        history.append(epoch)
        tell([epoch])

    try:
        return training(on_epoch=on_epoch, resume=saved), history
    except KeyboardInterrupt:
        if history and not checkpoint.failed:
            terminal.tell(f"epochs 1 to {len(history)} are kept: the same training goes on after them")
        raise


class Checkpoint:
    """State and history of a training after its last finished epoch, in one file that is whole or not there."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self.failed = False

    def write(self, state: State, history: Sequence[Epoch]) -> None:
        """Replace the file. Where it cannot be written, warn once: a training needs it only if it is killed."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        about = {"key": self.key, "history": [asdict(epoch) for epoch in history]}
        header = json.dumps(about | {"sha256": _digest(about, tensors)})
        try:
            with whole(self.path) as partial:
                partial.write_bytes(save(tensors, {_KEY: header}))
        except OSError as error:
            if not self.failed:
                terminal.tell(f"warning: no checkpoint can be kept ({reason_of(error)}); training goes on")
            self.failed = True

    def remove(self) -> None:
        """Remove the file and what lies beside it: nobody goes on with this training.

        What cannot be removed stays: the same training would go on after its last epoch, and so be done at once.
        """
        for left in self.path.parent.glob(f"{self.path.stem}.*"):  # the lock too: a second process would only work more
            with contextlib.suppress(OSError):
                left.unlink()

    def read(self) -> tuple[State | None, list[Epoch]]:
        """State and history that `write` wrote last; None and no rows where there is no file.

        A file that holds something else is set aside with a warning, and read as no file.
        """
        try:
            return self._read()
        except FileNotFoundError:
            return None, []
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            why = brief(str(error), 120)
            terminal.tell(
                f"warning: {self.path} is no checkpoint of this training ({why}); {self._set_aside()}training starts "
                "from the beginning"
            )
            return None, []

    def _set_aside(self) -> str:
        """Give the file another name; returns what is told of that, nothing where it cannot be."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        try:
            os.replace(self.path, aside)
        except OSError:
            return ""
        return f"it is called {aside.name} now, and "

    def _read(self) -> tuple[State, list[Epoch]]:
        with open_tensors(self.path, _HEADER_BYTES) as file:
            about = dict(json.loads((file.metadata() or {})[_KEY]))
            if about["key"] != self.key:
                raise ValueError("it is of another one")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.pop("sha256") != _digest(about, tensors):
            raise ValueError("it is damaged")
        return tensors, [Epoch(**row) for row in about["history"]]


def _digest(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the header and the tensors, by which a damaged file is told."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}".encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
