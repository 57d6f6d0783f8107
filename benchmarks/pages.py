"""Tables of pages in docs/ that a benchmark writes itself."""

from pathlib import Path

END = "<!-- end -->\n"


def write_between(page: Path, start: str, content: str) -> None:
    """Replace what a page has between the lines `start` and END."""
    before, _, rest = page.read_text(encoding="utf-8").partition(start)
    page.write_text(before + start + content + END + rest.partition(END)[2], encoding="utf-8")
