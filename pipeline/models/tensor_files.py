"""Safetensors files, looked at before they are read. The format: https://github.com/huggingface/safetensors#format"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from facial_keypoints.core.plain_files import check_plain
from facial_keypoints.core.text import brief

MODEL_HEADER_BYTES = 1_000_000
"""Ten times that of the largest network there is; what a header can name then is parsed in a few milliseconds."""


@contextmanager
def open_tensors(path: Path, most_header_bytes: int = MODEL_HEADER_BYTES) -> Iterator[Any]:
    """The opened file, as `safetensors.safe_open` gives it: no tensor is read yet, and none outside of the file.

    Raises OSError, and ValueError in one line for what is no such file, is cut short or has a larger header.
    """
    check_plain(path)
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        if header_bytes > os.fstat(file.fileno()).st_size - 8:
            raise ValueError("it is no safetensors file, or is cut short")
    if header_bytes > most_header_bytes:
        raise ValueError(f"its header has {header_bytes:,} bytes where {most_header_bytes:,} are the most")
    try:
        with safe_open(path, framework="pt") as opened:
            yield opened
    except SafetensorError as error:
        raise ValueError(brief(str(error), 120)) from None
    except MemoryError:
        raise ValueError("it is larger than memory") from None
