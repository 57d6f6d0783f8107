"""ONNX Runtime on the processor: imported so that it reports nothing, opened and run with errors of one kind.

Its packages since 1.29 report to Microsoft which models run on which computer, unless told not to.
https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
"""

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.text import brief, one_line

_OTHER_FILES = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")
"""Stands in a file whose weights lie in others, which it could name as it likes: the key of ONNX's ExternalData.

Its tag and its length may be written with needless bytes, and it may stand before its value or after it.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, StringStringEntryProto
"""

MOST_THREADS = 1000
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processor time and of the period in which a container may use them."""
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
    return int(told) if told.isdecimal() and 0 < int(told) <= MOST_THREADS else _cores()


def _cores() -> int:
    """Cores that this process may use, by what it is bound to and by the quota of its container (cgroup 2)."""
    bound = len(os.sched_getaffinity(0))
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, min(bound, round(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no quota
        return bound


class Session:
    """A network of ONNX Runtime on the processor, silent; thread-safe, and pickled with the content of its file."""

    def __init__(self, content: bytes, threads: int | None = None) -> None:
        """Open the content of an ONNX file.

        Args:
            content: of a file, which may come from anywhere.
            threads: with how many threads it computes; None for `default_threads`.

        Raises:
            ValueError: the content is no model that ONNX Runtime runs, or its weights lie in other files.
            MissingRuntimeError: ONNX Runtime is not installed.
        """
        self._opened_by = content, threads
        self._session = _opened(content, threads)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.inputs: list[Any] = self._session.get_inputs()
        self.outputs: list[Any] = self._session.get_outputs()

    def __reduce__(self) -> tuple[type["Session"], tuple[bytes, int | None]]:
        return Session, self._opened_by

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """The arrays of the named outputs for the named input arrays. Raises ValueError where the network fails."""
        results: list[Any] = _with_value_errors(self._session.run, outputs, inputs)
        return results


def _opened(content: bytes, threads: int | None) -> Any:
    """What `Session` opens, as ONNX Runtime has it."""
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


def _with_value_errors(call: Any, *args: Any, **options: Any) -> Any:
    """What a call of ONNX Runtime gives. Raises ValueError for its errors, which have only Exception in common."""
    try:
        return call(*args, **options)
    except Exception as error:
        raise ValueError(brief(one_line(str(error).removeprefix("[ONNXRuntimeError] : ")), 160)) from None
