from pathlib import Path

import pytest

from facial_keypoints.core.text import amount, reason_of


@pytest.mark.parametrize(
    ("error", "path", "expected"),
    [
        (FileNotFoundError(2, "No such file or directory", "a/b"), None, "a/b: No such file or directory"),
        (FileNotFoundError(2, "No such file or directory", "a/b"), Path("a/b"), "No such file or directory"),
        (FileNotFoundError(2, "No such file or directory", b"a/b"), "a/b", "No such file or directory"),
        (OSError(5, "Input/output error"), None, "Input/output error"),
        (OSError(5, "Input/output error", ""), None, "Input/output error"),
        (OSError(18, "Invalid link", "a/b", None, "c/d"), "a/b", "a/b -> c/d: Invalid link"),
        (OSError("no number"), None, "no number"),
        (ValueError("odd"), "a/b", "odd"),
        (ValueError(), None, "ValueError"),
    ],
)
def test_the_reason_of_an_error_has_no_number_and_no_path_twice(error, path, expected):
    assert reason_of(error, path) == expected


@pytest.mark.parametrize(("count", "expected"), [(0, "0 faces"), (1, "1 face"), (1200, "1,200 faces")])
def test_amounts_are_told_in_words(count, expected):
    assert amount(count, "face") == expected
