from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.datasets import definition
from pipeline.importing.request import Request
from tests.faces import drawn_face


def points_of(keypoints: np.ndarray, count: int) -> np.ndarray:
    """(count, 2) points along the (68, 2) keypoints of a synthetic face, with parts of pixels."""
    along = np.linspace(0, len(keypoints) - 1, count)
    return np.stack([np.interp(along, np.arange(len(keypoints)), axis) for axis in keypoints.T], -1)


@pytest.fixture(scope="session")
def faces() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name of a picture -> (200, 200, 3) uint8 BGR and (68, 2) keypoints of a synthetic face."""
    shown = {"ann_00.png": drawn_face(), "bob_00.png": drawn_face(20, 5)}
    found = {name: (np.ascontiguousarray(rgb[..., ::-1]), points) for name, (rgb, points) in shown.items()}
    picture, points = found["bob_00.png"]
    return found | {"cy_00.png": (np.ascontiguousarray(picture[::-1]), points * (1, -1) + (0, len(picture) - 1))}


@pytest.fixture
def checkout(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace whose datasets/ is that of the code too."""
    monkeypatch.setattr(definition, "DATASETS", workspace / "datasets")
    return workspace


@pytest.fixture
def images(checkout: Path, faces: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """A folder with the pictures of the faces."""
    folder = checkout / "mine"
    folder.mkdir()
    for name, (picture, _) in faces.items():
        cv2.imwrite(str(folder / name), picture)
    return folder


@pytest.fixture
def request_of(images: Path) -> Callable[..., Request]:
    """Makes a request to import labels of the faces."""

    def make(kind: str, labels: Path, **changes: Any) -> Request:
        usual: dict[str, Any] = {
            "images": images,
            "name": "mine",
            "scheme": None,
            "first_pixel": None,
            "stored": False,
            "test_frac": 0.34,
            "seed": 0,
            "skip_faulty": False,
            "licence": "MIT",
        }
        return Request(format=kind, labels=labels, **usual | changes)

    return make
