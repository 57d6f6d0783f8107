"""Benchmarks and examples are run by hand; here, that they fit the code."""

import importlib
import subprocess
import sys

import pytest

from tests.architecture import ROOT

MODULES = sorted(path for folder in ("benchmarks", "examples") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_can_be_imported(path):
    importlib.import_module(f"{path.parent.name}.{path.stem}")


@pytest.mark.long
def test_a_long_video_takes_no_more_memory_than_a_short_one():
    """Read, held and written, at 720p, each in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.video_files"]
    short, long = (int(subprocess.check_output([*command, frames], cwd=ROOT)) for frames in ("40", "120"))
    assert long < 1.15 * short
