"""The weights of the model that a user names, for what looks into a network and not only at its answers."""

from pathlib import Path


def weights_of(model: str | None, folder: Path, command: str) -> Path:
    """The file that training wrote, brought to `folder` if need be; for None that of the workspace.

    Raises ModelError, for an ONNX file too, which is a graph without names, and TrackingError.
    """
    from facial_keypoints.core.errors import ModelError
    from facial_keypoints.network import is_onnx
    from pipeline.experiments.tracking.model_location import locate_weights

    path = locate_weights(model, folder)
    if is_onnx(path):
        raise ModelError(
            f"{path} is an ONNX file, and {command} needs PyTorch; give the model.safetensors that it was exported from"
        )
    return path
