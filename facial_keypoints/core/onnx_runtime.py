"""ONNX Runtime on the processor: imported so that it reports nothing, opened and run with errors of one kind.

Its packages since 1.29 report to Microsoft which models run on which computer, unless told not to.
https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
"""

import os
import re
from types import ModuleType
from typing import Any

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.text import brief, one_line

_OTHER_FILES = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")
"""Stands in a file whose weights lie in others, which it could name as it likes: the key of ONNX's ExternalData.

Its tag and its length may be written with needless bytes, and it may stand before its value or after it.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, StringStringEntryProto
"""

MOST_BYTES = 500_000_000
"""Of a model file that is read: more than twice the largest network there is."""


class MissingRuntimeError(ModelError):
    """ONNX Runtime is not installed, or cannot be loaded."""


def import_onnxruntime() -> ModuleType:
    """The package, which sends nothing unless the user has set ORT_DISABLE_TELEMETRY to 0. Raises ImportError."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    module: ModuleType = onnxruntime
    return module


def default_threads() -> int:
    """OMP_NUM_THREADS, by which users tell PyTorch too, else a thread for each core that this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and 0 < int(told) < 1000 else len(os.sched_getaffinity(0))


def open_session(content: bytes, threads: int | None = None) -> Any:
    """An InferenceSession of the content of an ONNX file, silent and on the processor.

    Args:
        content: of a file, which may come from anywhere.
        threads: with how many threads it computes; None for `default_threads`.

    Raises:
        ValueError: the content is no model that ONNX Runtime runs, or its weights lie in other files.
        MissingRuntimeError: ONNX Runtime is not installed.
    """
    try:
        onnxruntime = import_onnxruntime()
    except ImportError as error:
        raise MissingRuntimeError(
            f"onnxruntime cannot be imported ({error}); install it: pip install onnxruntime"
        ) from None
    if _OTHER_FILES.search(content):
        raise ValueError("its weights lie in other files")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.log_severity_level = 4  # what goes wrong is raised too
    return _with_value_errors(onnxruntime.InferenceSession, content, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
    """The arrays of the named outputs for the named input arrays. Raises ValueError where the network fails."""
    results: list[Any] = _with_value_errors(session.run, outputs, inputs)
    return results


def _with_value_errors(call: Any, *args: Any, **options: Any) -> Any:
    """What a call of ONNX Runtime gives. Raises ValueError for its errors, which have only Exception in common."""
    try:
        return call(*args, **options)
    except Exception as error:
        raise ValueError(brief(one_line(str(error).removeprefix("[ONNXRuntimeError] : ")), 160)) from None
