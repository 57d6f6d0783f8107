"""Find faces and their keypoints in pictures, by a trained network: 68 points of the iBUG 300-W scheme, or yours.

Everything that goes wrong is a `KeypointsError`, whose text says what, what was expected, and the remedy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facial_keypoints.core.errors import ConfigError, DataError, KeypointsError, ModelError
    from facial_keypoints.detector import Face, KeypointDetector

__all__ = ["ConfigError", "DataError", "Face", "KeypointDetector", "KeypointsError", "ModelError"]


def __getattr__(name: str) -> Any:
    """Bring what is asked for: `KeypointDetector` loads OpenCV and what runs the network."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "core.errors" if name.endswith("Error") else "detector"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """Also what has not been asked for yet, for completion."""
    return sorted({*globals(), *__all__})
