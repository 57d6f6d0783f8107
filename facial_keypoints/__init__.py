"""Find faces and their keypoints in pictures, by a trained network: 68 points of the iBUG 300-W scheme, or yours.

Everything that goes wrong is a `KeypointsError`, whose text says what, what was expected, and the remedy.
"""

import importlib
from typing import TYPE_CHECKING, Any

from facial_keypoints.core.errors import ConfigError, DataError, KeypointsError, ModelError

if TYPE_CHECKING:
    from facial_keypoints.detector import Face, KeypointDetector

__all__ = ["ConfigError", "DataError", "Face", "KeypointDetector", "KeypointsError", "ModelError"]


def __getattr__(name: str) -> Any:
    """Bring `Face` and `KeypointDetector` when asked for: they load OpenCV and what runs the network."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("facial_keypoints.detector"), name)
