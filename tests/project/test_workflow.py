"""The workflow of GitHub Actions: its shell is shell, its files exist, and it trusts nobody else's actions."""

import re
import subprocess
import sys
import tomllib

import pytest
from ruamel.yaml import YAML

from tests.architecture import ROOT, imported_modules

JOBS = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_shell_and_lets_no_title_into_it(script):
    subprocess.run(["bash", "-n", "-c", script], check=True)
    assert "${{" not in script  # a title or branch name could hold commands


def test_only_the_actions_of_github_are_used():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)


def test_figures_and_targets_are_there():
    (script,) = [script for script in SCRIPTS if "metrics diff" in script]
    (names,) = re.findall(r"for figure in ([\w ]+);", script)
    definition = (ROOT / "dvc.yaml").read_text()
    assert all(f"reports/figures/{name}.png:\n          cache: false" in definition for name in names.split())
    for target in ("test", "coverage", "light"):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert any(script.startswith(f"make {target}") for script in SCRIPTS)


def test_nothing_but_the_comment_may_write():
    rights = [job.get("permissions", {}) for job in JOBS.values()]
    assert rights == [{}, {}, {}, {"contents": "read", "pull-requests": "write"}]


def test_the_library_is_tried_on_the_versions_of_python_that_it_names():
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    named = [found[1] for text in classifiers if (found := re.fullmatch(r".* :: Python :: (3\.\d+)", text))]
    assert JOBS["light"]["strategy"]["matrix"]["python"] == named
    assert named[0] == "3.11"


def test_the_tests_of_the_library_need_no_pipeline():
    (places,) = re.findall(r"^LIBRARY_TESTS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    patterns = [place if place.endswith(".py") else f"{place}/*.py" for place in places.split()]
    waiting = [file for pattern in patterns for file in ROOT.glob(pattern)]
    assert len(waiting) > len(patterns)
    imported: set[str] = set()
    while waiting:
        new = imported_modules(waiting.pop()) - imported
        imported |= new
        files = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in new if name.startswith("tests.")]
        waiting += [file for file in files if file.is_file()]
    others = {name.split(".")[0] for name in imported} - sys.stdlib_module_names - {"tests", "facial_keypoints"}
    assert others <= {"PIL", "av", "cv2", "hypothesis", "numpy", "pytest", "requests", "typer"}
