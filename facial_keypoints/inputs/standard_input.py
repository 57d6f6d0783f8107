"""A picture on standard input."""

import io
import sys

from facial_keypoints.core.errors import DataError
from facial_keypoints.inputs.kinds import HEAD_BYTES, Kind, content_of_file
from facial_keypoints.inputs.pages import page_numbers
from facial_keypoints.inputs.pictures import BYTE_LIMIT


def read_standard_input() -> bytes:
    """The bytes of one picture. Raises DataError where there is anything else, too much or nothing."""
    try:
        content = sys.stdin.buffer.read(HEAD_BYTES) if sys.stdin else b""
        if not content:
            raise DataError("standard input is empty or closed; send a picture to it, or give a path in place of -")
        _refuse_other_than_picture(content)
        rest = sys.stdin.buffer.read(BYTE_LIMIT)
    except OSError as error:
        raise DataError(f"standard input cannot be read ({error.strerror}); send a picture to it") from None
    if len(rest) == BYTE_LIMIT:
        raise DataError(f"standard input has more than {BYTE_LIMIT >> 20} MB, too many for a picture; make it smaller")
    content += rest
    _refuse_other_than_picture(content)
    if len(page_numbers(io.BytesIO(content))) > 1:
        raise DataError("standard input holds several pictures; save it as a file and give that")
    return content


def _refuse_other_than_picture(content: bytes) -> None:
    """Raise DataError unless bytes are a picture, or its beginning: what never ends is most often none."""
    held = content_of_file(io.BytesIO(content))
    if held.kind in (Kind.VIDEO, Kind.ANIMATION):
        raise DataError(f"standard input holds {held.name}; save it as a file and give that")
    if held.kind is None:
        remedy = "convert it to JPEG" if held.foreign else "send a JPEG, PNG, WebP, TIFF or another picture"
        raise DataError(f"standard input holds {held.name}, which cannot be read here; {remedy}")
