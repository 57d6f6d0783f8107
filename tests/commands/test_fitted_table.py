"""Tables and notes that fit the terminal."""

import pytest

from pipeline.commands.fitted_table import say_fitted, say_wrapped


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Prints in a terminal of so many columns; the lines of what came out."""

    def print_in(columns: int, tell, *arguments) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        tell(*arguments)
        return capsys.readouterr().out.splitlines()

    return print_in


def test_columns_are_aligned_by_places_not_characters(lines):
    rows = [("train.lr", "0.1", "0.02"), ("漢", "", "1")]
    assert lines(80, say_fitted, {"": "left", "A: 漢字": "left", "B: x\x1b[1m": "left"}, rows) == [
        "          A: 漢字  B: x\\x1b[1m",
        "train.lr  0.1      0.02",
        "漢                 1",
    ]


def test_numbers_keep_to_their_side(lines):
    assert lines(80, say_fitted, {"name": "left", "NME %": "right"}, [("a", "3.58"), ("b", "28.46")]) == [
        "name  NME %",
        "a      3.58",
        "b     28.46",
    ]


def test_what_is_too_wide_goes_on_below_and_nothing_is_lost(lines):
    shown = lines(20, say_fitted, {"name": "left", "differs": "left"}, [("a", "x" * 30)])
    assert max(map(len, shown)) <= 20
    assert "".join(shown).count("x") == 30


def test_what_looks_like_markup_is_text(lines):
    assert lines(80, say_fitted, {"name": "left"}, [("[red]a[/red] :smile:",)]) == ["name", "[red]a[/red] :smile:"]


def test_a_note_is_wrapped_at_spaces_and_keeps_options_whole(lines):
    assert lines(20, say_wrapped, "keypoints predict --model runs:/ID/model") == [
        "keypoints predict",
        "--model",
        "runs:/ID/model",
    ]
