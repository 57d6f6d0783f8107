"""ONNX Runtime, which since 1.29 reports to its maker what models it opens unless it is told otherwise beforehand."""

import os
from types import ModuleType


def import_onnxruntime() -> ModuleType:
    """The package, which sends nothing unless the user has set ORT_DISABLE_TELEMETRY to 0. Raises ImportError."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    module: ModuleType = onnxruntime
    return module
