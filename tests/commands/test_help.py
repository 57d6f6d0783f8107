"""The help of `predict` and `filter` as a terminal of 80 columns shows it."""

import re
import shlex

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from facial_keypoints.cli import new_app

app = new_app()


def shown(name: str) -> str:
    return CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).stdout


@pytest.mark.parametrize("name", ["predict", "filter"])
def test_help_has_an_example_line_that_the_command_takes(name):
    (example,) = re.findall(rf"Example: keypoints {name} (.*)", shown(name))
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    context = command.make_context(name, shlex.split(example))
    assert "clip.mp4" in context.params["path"]


@pytest.mark.parametrize("name", ["predict", "filter"])
def test_help_breaks_no_choice_apart_and_fits(name):
    lines = shown(name).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("<auto|yunet|haar>" in line for line in lines)
    assert any("<mp4|webm>" in line for line in lines)


def test_help_of_filter_names_every_filter():
    from typing import get_args

    from facial_keypoints.filters.apply import Name

    told = re.sub(r"[│\s]+", " ", shown("filter"))
    assert ", ".join(get_args(Name)) in told
