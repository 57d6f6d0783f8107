"""A pickle that betrays itself: whoever loads it makes a folder beside the file."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

MARK = "payload ran"


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path.with_name(MARK)),)


def plant_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(path), protocol=2))


def plant_torch_archive(path: Path) -> None:
    with path.open("wb") as file:
        torch.save(Payload(path), file)


def plant_torch_legacy(path: Path) -> None:
    with path.open("wb") as file:
        torch.save(Payload(path), file, _use_new_zipfile_serialization=False)


def plant_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([Payload(path)], dtype=object), allow_pickle=True)


PLANTS: list[Callable[[Path], None]] = [plant_pickle, plant_torch_archive, plant_torch_legacy, plant_array]
