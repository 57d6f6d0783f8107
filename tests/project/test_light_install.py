"""What `pip install .` brings: the library alone, in a wheel and a source distribution that hold all of it."""

import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.architecture import LIBRARY, ROOT, graph, lies_in, modules

pytestmark = pytest.mark.long


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


def base_dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def test_the_base_dependencies_are_what_the_library_imports():
    imported = {
        name.partition(".")[0]
        for module in modules()
        if lies_in(module, (LIBRARY,))
        for name in graph().find_modules_directly_imported_by(module)
    }
    distributions = packages_distributions()
    names = {name for top in imported - {LIBRARY} for name in distributions.get(top, [])}
    assert names == {Requirement(text).name for text in base_dependencies()}


def test_the_wheel_holds_the_library_alone(built_dists):
    files = wheel_files(built_dists[0])
    assert {name for name in files if ".dist-info/" not in name} == library()
    assert "facial_keypoints/py.typed" in files


def test_the_source_distribution_makes_the_same_wheel(built_dists, tmp_path):
    wheel, source = built_dists
    with tarfile.open(source) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # not before Python 3.11.4
        archive.extractall(tmp_path)
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


def needed(requirements: list[str]) -> set[str]:
    """Names of the distributions that pip would install for requirements, found among those installed here."""
    names: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name not in names:
            names.add(requirement.name)
            waiting += [Requirement(text) for text in distribution(requirement.name).requires or []]
    return names


def test_it_does_its_work_without_what_trains(built_dists, tmp_path):
    """In an environment that has only what pip would bring, and Pydantic just because Typer needs it."""
    venv.create(tmp_path, with_pip=False, symlinks=True)
    python = tmp_path / "bin" / "python"
    (site,) = tmp_path.glob("lib/*/site-packages")
    for name in needed(base_dependencies()):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            (site / top).symlink_to(str(found.locate_file(top)))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, built_dists[0]], check=True)
    done = subprocess.run([python, "-I", ROOT / "tests" / "light.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
