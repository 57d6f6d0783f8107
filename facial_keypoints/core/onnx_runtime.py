"""ONNX Runtime, whose packages since 1.29 report to Microsoft which models run on which computer, unless told not to.

https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
"""

import os
from types import ModuleType


def import_onnxruntime() -> ModuleType:
    """The package, which sends nothing unless the user has set ORT_DISABLE_TELEMETRY to 0. Raises ImportError."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    module: ModuleType = onnxruntime
    return module
