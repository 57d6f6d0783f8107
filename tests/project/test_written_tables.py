"""Tables that benchmarks write into pages."""

from pathlib import Path

import pytest

from benchmarks.pages import write_between
from facial_keypoints.core.errors import DataError

START = "<!-- times -->\n"


def test_the_table_is_replaced_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{START}old\n<!-- end -->\nafter\n<!-- end -->\n")
    write_between(page, START, "new\n")
    assert page.read_text() == f"before\n{START}new\n<!-- end -->\nafter\n<!-- end -->\n"


@pytest.mark.parametrize("text", [f"{START}old\nREST\n", "old\n<!-- end -->\nREST\n", "REST\n"])
def test_a_page_without_its_marks_stays_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(DataError, match=r"lacks the line <!-- (times|end) -->"):
        write_between(page, START, "new\n")
    assert page.read_text() == text
