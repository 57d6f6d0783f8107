"""The first picture of a file, for commands that look at one picture."""

from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable
from facial_keypoints.inputs.decoder import Decoder
from facial_keypoints.inputs.kinds import Kind, content_of
from facial_keypoints.inputs.pages import pages_of


def first_picture(path: Path) -> tuple[np.ndarray, str]:
    """(H, W, 3) uint8 RGB, and a sentence on what else the file holds, empty if nothing. Raises DataError."""
    with Decoder() as decoder:
        picture = decoder.read(path)
    try:
        content, pages = content_of(path), pages_of(path)
    except OSError as error:
        raise DataError(f"{printable(str(path))} cannot be read ({error.strerror}); correct the path") from None
    several = len(pages) > 1 or content.kind is Kind.ANIMATION
    return picture, f"{printable(str(path))} holds several pictures; the first is looked at" if several else ""
