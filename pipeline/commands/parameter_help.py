"""What the help of a stage says of its parameters: the lines of params.yaml with their comments."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.paths import PARAMS

_COMMITTED = Path(__file__).parents[2] / PARAMS


def parameter_lines(sections: list[str]) -> list[str]:
    """Of each parameter in these sections its dotted name, value and comment, as in params.yaml.

    The file of the working folder, else that beside the code; nothing where neither can be read.
    """
    for path in (PARAMS, _COMMITTED):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        return [line for line in _dotted(text) if line.split(".")[0] in sections]
    return []


def _dotted(text: str) -> Iterator[str]:
    """The lines that set a value, the names of their sections before them."""
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        indent, content = len(line) - len(line.lstrip()), line.strip()
        key, colon, rest = content.partition(":")
        if not colon or content.startswith("#"):
            continue
        above = [(depth, name) for depth, name in above if depth < indent]
        if rest.split("#")[0].strip():
            yield f"{'.'.join([name for _, name in above] + [key])}:{rest}"
        else:
            above.append((indent, key))
