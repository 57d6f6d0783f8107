"""Find faces and their keypoints in pictures, by a trained network: 68 points of the iBUG 300-W scheme, or yours.

What is wrong with a picture, a box, an option or a model is a `KeypointsError`, whose text says what, what was
expected, and the remedy.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facial_keypoints.core.errors import ConfigError, DataError, KeypointsError, KeypointsWarning, ModelError
    from facial_keypoints.detector import Convention, Face, KeypointDetector
    from facial_keypoints.filters.apply import filter_faces
    from facial_keypoints.filters.crop import aligned_crop
    from facial_keypoints.filters.sticker import load_sticker
    from facial_keypoints.finding.head_rotation import HeadRotation
    from facial_keypoints.inputs.pictures import read_picture
    from facial_keypoints.prediction.overlay import draw_faces
    from facial_keypoints.prediction.tracks import FaceTracker

    __version__: str

__all__ = [
    "ConfigError",
    "Convention",
    "DataError",
    "Face",
    "FaceTracker",
    "HeadRotation",
    "KeypointDetector",
    "KeypointsError",
    "KeypointsWarning",
    "ModelError",
    "__version__",
    "aligned_crop",
    "draw_faces",
    "filter_faces",
    "load_sticker",
    "read_picture",
]
_HOMES = {
    "Convention": "detector",
    "Face": "detector",
    "FaceTracker": "prediction.tracks",
    "HeadRotation": "finding.head_rotation",
    "KeypointDetector": "detector",
    "aligned_crop": "filters.crop",
    "draw_faces": "prediction.overlay",
    "filter_faces": "filters.apply",
    "load_sticker": "filters.sticker",
    "read_picture": "inputs.pictures",
}
"""Where in the package a name is, if not among the errors."""

if not TYPE_CHECKING:  # which would take any name for one of these

    def __getattr__(name: str) -> Any:
        """Bring what is asked for: `KeypointDetector` loads OpenCV and what runs the network."""
        if name == "__version__":
            return importlib.metadata.version("facial-keypoints")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'core.errors')}"), name)

    def __dir__() -> list[str]:
        """Also what has not been asked for yet, for completion."""
        return sorted({*globals(), *__all__})
