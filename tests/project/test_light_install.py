"""What `pip install .` brings: the library alone, in a wheel and a source distribution that hold all of it."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.architecture import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built_dists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


def build(checkout: Path, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=checkout, check=True)


def wheel_files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def library() -> set[str]:
    """Every file of the library that git holds or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "facial_keypoints"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in listed if (ROOT / name).is_file()}


def test_the_wheel_holds_the_library_alone(built_dists):
    files = wheel_files(built_dists[0])
    assert {name for name in files if ".dist-info/" not in name} == library()
    assert "facial_keypoints/py.typed" in files


def test_the_source_distribution_makes_the_same_wheel(built_dists, tmp_path):
    wheel, source = built_dists
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert {path.name for path in unpacked.iterdir()} == {
        "facial_keypoints",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
        ".gitignore",  # hatchling reads it
    }
    build(unpacked, tmp_path / "again")
    assert wheel_files(tmp_path / "again" / wheel.name) == wheel_files(wheel)
