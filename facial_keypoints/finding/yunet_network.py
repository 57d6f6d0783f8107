"""YuNet's network in ONNX Runtime: boxes, five points and scores of the faces in one picture, as large as it is."""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.onnx_runtime import Session
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief, printable, shown

_STRIDES = (8, 16, 32)
_OUTPUTS = [f"{kind}_{stride}" for stride in _STRIDES for kind in ("cls", "obj", "bbox", "kps")]
_FARTHEST = 4.0
"""Farthest point of a face that is believed, over the longer side of the picture."""
_OVERLAP = 0.3
"""Overlap from which two boxes are one face; with this and the number below the answers are those of OpenCV's
FaceDetectorYN, by the same arithmetic, in a third of its time."""
_MOST_BOXES = 5000
_FILE_MOST = 10_000_000
"""Bytes of a model file: forty times those of YuNet."""
_THREADS = 1
"""With more, they would keep a core busy waiting while the network that places the points wants it: a photo of one face
took 24 ms on two threads and not 13 (`python -m benchmarks.photo`)."""
_FIXED = b"\x0a\x02\x08\x01\x0a\x02\x08\x03" + 2 * b"\x0a\x03\x08\x80\x05"
_FREE = b"\x0a\x02\x08\x01\x0a\x02\x08\x03" + b"\x0a\x03\x12\x01h" + b"\x0a\x03\x12\x01w"
"""The shape of the input in the file of 2023mar, 1 x 3 x 640 x 640, which ONNX Runtime insists on though the network
takes any size; and with names in place of the last two numbers: dim_value and dim_param of ONNX's TensorShapeProto."""
_REMEDY = "give YuNet's ONNX file, face_detection_yunet_2023mar.onnx"


class YuNetNetwork:
    """A model file of YuNet; thread-safe.

    Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023.
    """

    def __init__(self, file: Path) -> None:
        """Open a file. Raises ModelError where it is missing or is no YuNet model, or ONNX Runtime is not installed."""
        self._file = printable(str(file))
        try:
            content = read_plain(file, _FILE_MOST)
        except FileNotFoundError:
            raise ModelError(f"{self._file} is missing; {_REMEDY}") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"{self._file} cannot be read ({getattr(error, 'strerror', error)}); {_REMEDY}") from None
        try:
            self._session = Session(content.replace(_FIXED, _FREE), _THREADS)
        except ValueError as error:
            raise self._no_model(error) from None
        self(np.zeros((32, 32), np.uint8), 1.0)

    def __call__(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """(K, 15) float64 box x, y, width, height, five points x and y, and score of each face, best first.

        Args:
            image: (H, W, 3) RGB or (H, W) gray uint8.
            min_score: score 0..1 from which a place is a face.

        Raises:
            ModelError: the file is no YuNet model.
        """
        height, width = image.shape[:2]
        padding = (0, -height % _STRIDES[-1], 0, -width % _STRIDES[-1])
        colours = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
        padded = cv2.copyMakeBorder(colours, *padding, cv2.BORDER_CONSTANT)
        try:
            maps = self._session.run(_OUTPUTS, {"input": cv2.dnn.blobFromImage(padded, swapRB=True)})
            rows = np.concatenate([_rows(stride, padded.shape, maps, min_score) for stride in _STRIDES])
        except ValueError as error:
            raise self._no_model(error) from None
        rows = rows[(np.abs(rows[:, :14]) < _FARTHEST * max(height, width)).all(1) & (rows[:, 2:4] > 0).all(1)]
        kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), 0, _OVERLAP, top_k=_MOST_BOXES)
        return np.asarray(rows[np.asarray(kept, int)])

    def _no_model(self, error: ValueError) -> ModelError:
        return ModelError(f"{self._file} is no YuNet model ({brief(str(error), 200)}); {_REMEDY}")


def _rows(stride: int, shape: tuple[int, ...], maps: list[np.ndarray], min_score: float) -> np.ndarray:
    """(K, 15) rows of the cells of one stride that score enough. Raises ValueError for maps of another size."""
    cells, columns = shape[0] * shape[1] // stride**2, shape[1] // stride
    at = _OUTPUTS.index(f"cls_{stride}")
    cls, obj, bbox, kps = maps[at : at + 4]
    if [part.shape for part in (cls, obj, bbox, kps)] != [(1, cells, length) for length in (1, 1, 4, 10)]:
        raise ValueError(f"its outputs have shapes {shown([part.shape for part in (cls, obj, bbox, kps)])}")
    scores = np.sqrt(np.clip(cls, 0, 1).astype(np.float64) * np.clip(obj, 0, 1))[0, :, 0]
    sure = np.flatnonzero(scores >= min_score)
    cell = np.stack([sure % columns, sure // columns], 1)
    with np.errstate(over="ignore"):  # now and then a size overflows
        size = np.exp(bbox[0, sure, 2:].astype(np.float64))
    corner = bbox[0, sure, :2] + cell - size / 2
    points = kps[0, sure].astype(np.float64) + np.tile(cell, 5)
    return np.column_stack([stride * corner, stride * size, stride * points, scores[sure]])
