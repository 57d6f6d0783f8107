"""Tables of pages in docs/ that a benchmark writes itself."""

from pathlib import Path

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError

END = "<!-- end -->\n"


def write_between(page: Path, start: str, content: str) -> None:
    """Replace what a page has between the lines `start` and END. Raises DataError where it lacks one of them."""
    before, begun, rest = page.read_text(encoding="utf-8").partition(start)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise DataError(f"{page} lacks the line {(END if begun else start).strip()}; put it back where the table goes")
    with whole(page) as partial:
        partial.write_text(before + start + content + END + after, encoding="utf-8")
