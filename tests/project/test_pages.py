"""What the pages of the documentation name exists: links, files, commands, options, modules, parameters."""

import re
import tomllib

import pytest
from ruamel.yaml import YAML

from pipeline.cli import STAGES, app
from tests.architecture import MAY_IMPORT, PACKAGES, ROOT
from tests.commands_of import commands_of
from tests.project.pages import import_table, named, packages_table, pages

KEYPOINTS = named(r"\bkeypoints ([a-z]+[^|;&]*)")
"""Page and command line, without `keypoints`."""
OPTIONS = sorted(
    {(rest.split()[0], option) for _, rest in KEYPOINTS for option in re.findall(r" (--?[A-Za-z][\w-]*)", rest)}
)
LINKS = sorted({(path, link) for path, text in pages().items() for link in re.findall(r"\]\(([^)\s]+)\)", text)})
MADE = ("data/", "reports/figures/", "reports/model_card.md")
"""What stages make and git does not hold."""


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("path", "link"), [pair for pair in LINKS if not pair[1].startswith("http")])
def test_a_link_leads_somewhere(path, link):
    file, _, anchor = link.partition("#")
    target = (ROOT / path).parent / file if file else ROOT / path
    assert target.resolve().exists()
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def test_every_page_is_reached_from_the_readme():
    linked = {link.partition("#")[0] for path, link in LINKS if path == "README.md"}
    assert set(pages()) - {"README.md"} <= linked


FILES = named(r"^((?:facial_keypoints|pipeline|reports|data|benchmarks|tests|docs|examples)/[\w./-]+)$")


@pytest.mark.parametrize(("path", "file"), FILES)
def test_a_file_that_is_named_exists(path, file):
    made = file.startswith(MADE) and file in (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert made or (ROOT / file).exists() or (ROOT / f"{file}.py").exists()


@pytest.mark.parametrize(("path", "target"), named(r"\bmake ([a-z]+)\b"))
def test_a_make_target_that_is_named_exists(path, target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("path", "rest"), KEYPOINTS)
def test_a_command_that_is_named_exists(path, rest):
    assert rest.split()[0] in commands_of(app)


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_option_that_is_named_exists(command, option):
    assert option in [text for taken in commands_of(app)[command].params for text in taken.opts + taken.secondary_opts]


@pytest.mark.parametrize(("path", "module"), named(r"python -m ((?:pipeline|benchmarks|examples|tests)[\w.]*)"))
def test_a_module_that_is_named_exists(path, module):
    place = ROOT.joinpath(*module.split("."))
    assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


@pytest.mark.parametrize(("path", "name"), named(r"-S ([\w.]+)="))
def test_a_parameter_that_is_named_exists(path, name):
    node = YAML(typ="safe").load(ROOT / "params.yaml")
    for part in name.split("."):
        node = node[part]


def test_the_stages_are_told_in_their_order():
    line = f"`{' → '.join(STAGES)}`"
    for path in ("README.md", "docs/experiments.md"):
        assert line in pages()[path].splitlines()
    told = re.findall(r"^\| (\w+) \|", pages()["docs/experiments.md"], re.MULTILINE)
    assert [name for name in told if name in STAGES] == list(STAGES)


def test_the_architecture_page_shows_the_table_of_imports():
    lines = pages()["docs/architecture.md"].splitlines()
    for package in ("facial_keypoints", "pipeline"):
        start = lines.index(f"| in {package} | may import |") + 2
        rows = import_table(package)
        assert lines[start : start + len(rows) + 1] == [*rows, ""]
    start = lines.index("| package | only in |") + 2
    assert lines[start : start + len(packages_table()) + 1] == [*packages_table(), ""]


def test_the_architecture_page_tells_what_every_room_holds():
    told = re.findall(r"^\| `((?:facial_keypoints|pipeline)/\w+)` \|", pages()["docs/architecture.md"], re.MULTILINE)
    rooms = [room for room in MAY_IMPORT if ROOT.joinpath(*room.split(".")).is_dir() and room not in PACKAGES]
    assert {room.replace(".", "/") for room in rooms} <= set(told)


def test_the_hooks_are_the_commands_of_make_lint():
    hooks = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    commands = [f".venv/{command}" for command in re.findall(r"^\t\$\(VENV\)/(.*)$", recipe, re.MULTILINE)]
    assert [hook["entry"] for hook in hooks] == commands


def test_the_changelog_knows_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", pages()["CHANGELOG.md"], re.MULTILINE)
