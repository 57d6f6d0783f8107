"""The pages of the documentation, and what they say of code and results."""

import re
import subprocess
from functools import cache

from tests.architecture import MAY_IMPORT, ONLY_IN, PACKAGES, ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def committed(path: str) -> str:
    """A file of the last commit: an experiment in the working tree may change results and parameters."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@cache
def pages() -> dict[str, str]:
    """Text of every Markdown file by its path."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(found)}


def on_one_line(path: str) -> str:
    """The text of a page as if it had no line ends."""
    return " ".join(pages()[path].split())


def python_examples(path: str) -> list[str]:
    """Its blocks of Python."""
    return [code for language, code in _FENCE.findall(pages()[path]) if language == "python"]


@cache
def commands(path: str) -> list[str]:
    """Its lines of the shell, and all that stands in backticks."""
    text = pages()[path]
    shell = [block.replace("\\\n", "") for language, block in _FENCE.findall(text) if not language]
    lines = [line for block in shell for line in block.splitlines()]
    return lines + re.findall(r"`([^`]+)`", " ".join(_FENCE.sub("", text).split()))


def named(pattern: str) -> list[tuple[str, str]]:
    """Page and what the one group of `pattern` finds in its commands; each once."""
    return sorted({(path, name) for path in pages() for line in commands(path) for name in re.findall(pattern, line)})


def import_table(package: str) -> list[str]:
    """Rows of the table of allowed imports of a package, as docs/architecture.md shows it."""
    rooms = {room: allowed for room, allowed in MAY_IMPORT.items() if room.startswith(f"{package}.")}
    return [
        f"| {_place(room, package)} | {', '.join(_place(name, package) for name in allowed) or 'nothing'} |"
        for room, allowed in rooms.items()
    ]


def packages_table() -> list[str]:
    """Rows of the table of others' packages that stay in some rooms."""
    return [f"| {package} | {', '.join(_place(room) for room in rooms)} |" for package, rooms in ONLY_IN.items()]


def _place(room: str, package: str = "") -> str:
    if room in PACKAGES:
        return f"all of `{room}`"
    return f"`{room.removeprefix(f'{package}.').replace('.', '/')}`"
