"""Outputs of pages that a file no longer has: of a TIFF that was saved again with fewer pages, or with one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder

_PAGE = re.compile(r"(-page\d+)?(-\d+)?")
"""What follows the stem of a file in the names of its pages: the page, and a number where a name was taken."""


def remove_lost_pages(output: OutputFolder, sources: Sequence[Source], failed: Iterable[Source], endings: str) -> None:
    """Remove what an earlier run made of pages that files no longer have; what somebody changed since stays.

    Args:
        output: where the run wrote.
        sources: all that the run was to look at.
        failed: those of them that it could not look at: of their files nothing is removed.
        endings: a regular expression of all that may follow the name of a page in what is made of it.
    """
    unknown = {source.origin for source in failed} | {None}
    names: defaultdict[tuple[Path | str | None, str], set[str]] = defaultdict(set)
    for source in sources:
        if source.origin not in unknown:
            names[source.origin, source.stem].add(source.name)
    named = re.compile(f"(.*?)(?:{endings})", re.DOTALL)
    for (origin, stem), present in names.items():
        output.remove_outdated(output.called(origin), partial(_is_of_lost_page, named, stem, present))


def _is_of_lost_page(named: re.Pattern[str], stem: str, present: set[str], output: str) -> bool:
    """Whether the file `output`, of a source of this stem, is called by a name that none of its pages has now."""
    found = named.fullmatch(output)
    name = found[1] if found else ""
    return name.startswith(stem) and bool(_PAGE.fullmatch(name[len(stem) :])) and name not in present
