"""Small reports as JSON, bounded and checked."""

import json
import math
from pathlib import Path
from typing import Any

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import reason_of, shown

_JSON_BYTES = 1_000_000
_JSON_LEVELS = 10


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError."""
    try:
        return load_json(read_plain(path, _JSON_BYTES))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {reason_of(error, path)}; make it again with: dvc repro") from None


def load_json(content: bytes) -> dict[str, Any]:
    """The object in the content of a JSON file. Raises ValueError for anything else, NaN and infinity included."""
    if len(content) > _JSON_BYTES:
        raise ValueError(f"it has {len(content):,} bytes where {_JSON_BYTES:,} are the most")
    try:
        value = json.loads(content.decode(), parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        value = None
    if not isinstance(value, dict) or _is_deeper(value, _JSON_LEVELS):
        raise ValueError(f"it holds no object of at most {_JSON_LEVELS} levels")
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"it holds {shown(text)} where a finite number is expected")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(_is_deeper(part, levels - 1) for part in parts)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON; refuses NaN and infinity."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
