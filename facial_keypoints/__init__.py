"""Facial keypoint detection: 68 points of the iBUG 300-W scheme, from raw frames to a measured model."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facial_keypoints.detector import Face, KeypointDetector

__all__ = ["Face", "KeypointDetector"]


def __getattr__(name: str) -> Any:
    """Bring `Face` and `KeypointDetector` when asked for: they load OpenCV and what runs the network."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("facial_keypoints.detector"), name)
