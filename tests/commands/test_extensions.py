"""What is said where the pipeline, or a package that a command needs, is not installed."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from facial_keypoints.cli import errors_as_one_line, new_app
from facial_keypoints.commands import ENTRY_POINTS
from facial_keypoints.commands import extensions as commands
from facial_keypoints.core import extensions as core

MISSING = "error: runs is none of the commands installed here (predict, filter); those that train and measure come with"


def entry(module: str) -> EntryPoint:
    return EntryPoint("pipeline", f"{module}:add_commands", ENTRY_POINTS)


@pytest.fixture(autouse=True)
def _load_anew():
    commands.command_extensions.cache_clear()
    yield
    commands.command_extensions.cache_clear()


def test_outside_of_a_checkout_no_entry_point_is_followed(monkeypatch):
    monkeypatch.setattr(core, "entry_points", lambda group: [entry("pipeline.cli")])
    assert [found.module for found in core.extensions(ENTRY_POINTS)] == ["pipeline.cli"]
    monkeypatch.setattr(core, "_CHECKOUT", Path("/nowhere/pyproject.toml"))
    assert core.extensions(ENTRY_POINTS) == []


def test_a_command_of_the_pipeline_says_what_brings_it(monkeypatch):
    monkeypatch.setattr(commands, "extensions", lambda group: [])
    done = CliRunner().invoke(new_app(), ["runs", "--help"])
    assert done.exit_code == 2
    assert done.stderr == f"{MISSING} a checkout of the project: make install\n"
    assert CliRunner().invoke(new_app(), ["predict", "--help"]).exit_code == 0


def test_a_checkout_that_lacks_a_package_has_the_commands_of_the_library(monkeypatch):
    monkeypatch.setattr(commands, "extensions", lambda group: [entry("missing_package_of_others")])
    assert commands.command_extensions() == ([], " (No module named 'missing_package_of_others')")
    assert (
        CliRunner()
        .invoke(new_app(), ["runs"])
        .stderr.endswith("make install (No module named 'missing_package_of_others')\n")
    )


def test_with_the_pipeline_a_wrong_name_gets_the_nearest_ones(monkeypatch):
    monkeypatch.setattr(commands, "extensions", lambda group: [entry("pipeline.cli")])
    done = CliRunner().invoke(new_app(), ["predct"])
    assert done.exit_code == 2
    assert "Did you mean 'predict'" in done.stderr


def test_a_package_that_is_not_installed_is_named_with_its_remedy(capsys):
    with pytest.raises(typer.Exit), errors_as_one_line("inspect"):
        import missing_package_of_others  # type: ignore[import-not-found]  # noqa: F401
    told = "error: inspect: No module named 'missing_package_of_others'; install it with all that the commands need, "
    assert capsys.readouterr().err == f"{told}in a checkout of the project: make install\n"


def test_an_import_that_fails_within_the_project_stays_a_traceback():
    with pytest.raises(ModuleNotFoundError), errors_as_one_line():
        import facial_keypoints.no_such_module  # type: ignore[import-not-found]  # noqa: F401
