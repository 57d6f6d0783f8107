"""Benchmarks and examples are run by hand; here, that they fit the code."""

import importlib

import pytest

from tests.imports import ROOT

MODULES = sorted(path for folder in ("benchmarks", "examples") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_can_be_imported(path):
    importlib.import_module(f"{path.parent.name}.{path.stem}")
