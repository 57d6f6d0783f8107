"""YAML from outside, in bounded time and memory, by the reader DVC uses: the values are those that DVC hashes.

A few hundred bytes of aliases of aliases stand for gigabytes, and as many brackets for more levels than Python can
nest. So the events of the parser are counted on their way to what builds values of them, each alias as large as what
it stands for.
"""

import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.parser import Parser, RoundTripParser

from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief, shown

_MOST_BYTES = 100_000
_MOST_LEVELS = 20
_MOST_VALUES = 10_000
"""Of keys, values and sections, aliases written out."""
_MOST_CHARACTERS = 1000
"""Of one value. Python writes no whole number of more than 4,300 digits; a hexadecimal one of 1,000 has 1,204."""


def read_yaml(path: Path) -> Any:
    """What a file holds. Raises OSError, and ValueError that says in one line what is wrong with the content."""
    return load_yaml(read_plain(path, _MOST_BYTES))


def load_yaml(content: bytes) -> Any:
    """The same of a file's content."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Parser, yaml.Constructor = _SafeParser, _SafeConstructor
    return _loaded(yaml, content)


def edited_yaml(path: Path, edit: Callable[[Any], None]) -> bytes:
    """What a file should hold after `edit` of its values, comments kept. Raises as `read_yaml` does."""
    yaml = YAML(typ="rt", pure=True)
    yaml.Parser, yaml.width = _RoundTripParser, 10 * _MOST_CHARACTERS  # never break a line
    content = read_plain(path, _MOST_BYTES)
    document = _loaded(yaml, content)
    edit(document)
    text = io.StringIO()
    yaml.dump(document, text)
    return _laid_out_as(content.decode(), text.getvalue()).encode()


def _laid_out_as(before: str, text: str) -> str:
    """The text with the line ends of another, and as many spaces before comments: ruamel keeps their column."""
    end = "\r\n" if "\r\n" in before else "\n"
    lines, old_lines = (each.replace("\r\n", "\n").removesuffix("\n").split("\n") for each in (text, before))
    if len(lines) == len(old_lines):
        lines = [_with_gap(new, old) for new, old in zip(lines, old_lines, strict=True)]
    return end.join(lines) + (end if before.endswith("\n") else "")


def _with_gap(new: str, old: str) -> str:
    comment = re.search(r"( +)(#.*)$", old)
    if comment is None or not new.endswith(comment[2]):
        return new
    return new.removesuffix(comment[2]).rstrip() + comment[0]


def _loaded(yaml: YAML, content: bytes) -> Any:
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has {len(content):,} bytes where {_MOST_BYTES:,} are the most")
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()  # as DVC opens it, line ends too
        with warnings.catch_warnings(action="ignore"):  # of what YAML 1.1 read in another way
            return yaml.load(text)
    except DuplicateKeyError as error:
        key = re.search(r'"(.*?)"(?: with value|$)', error.problem, re.DOTALL)
        name = brief(key[1] if key else "a key")
        raise ValueError(f"{_line(error)}{name} stands twice in its section; remove one of the two") from None
    except MarkedYAMLError as error:
        raise ValueError(_line(error) + brief(error.problem or "no YAML", 120)) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"its byte {error.start:,} is no UTF-8; save it as UTF-8 text") from None
    except Exception as error:  # what builds values fails as odd keys and tags make it fail
        raise ValueError(brief((str(error) or type(error).__name__).splitlines()[0], 120)) from None


def _line(error: MarkedYAMLError) -> str:
    return f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""


class _Counted:
    """Mixed into a parser, to raise ValueError before what it reads grows too large or too deep."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.values = 0
        self.sizes: dict[str, int] = {}  # anchor -> values it stands for
        self.begun: list[tuple[str | None, int]] = []  # anchor of each section around, and the values before it
        super().__init__(*args, **options)

    def get_event(self) -> Any:
        event = super().get_event()  # type: ignore[misc]
        match event:
            case AliasEvent():
                if event.anchor not in self.sizes:
                    raise ValueError(f"the alias *{event.anchor} stands for nothing, or for what it is part of")
                self.values += self.sizes[event.anchor]
            case ScalarEvent():
                self._begin(event)
                self._end()
                if len(event.value) > _MOST_CHARACTERS:
                    raise ValueError(
                        f"a value has {len(event.value):,} characters where {_MOST_CHARACTERS:,} are the most"
                    )
            case CollectionStartEvent():
                self._begin(event)
                if len(self.begun) > _MOST_LEVELS:
                    raise ValueError(f"it is nested in more than {_MOST_LEVELS} levels")
            case CollectionEndEvent():
                self._end()
        if self.values > _MOST_VALUES:
            raise ValueError(f"it holds more than {_MOST_VALUES:,} values")
        return event

    def _begin(self, event: Any) -> None:
        self.begun.append((event.anchor, self.values))
        self.values += 1

    def _end(self) -> None:
        anchor, before = self.begun.pop()
        if anchor:
            self.sizes[anchor] = self.values - before


class _SafeParser(_Counted, Parser):
    pass


class _RoundTripParser(_Counted, RoundTripParser):
    pass


class _SafeConstructor(SafeConstructor):
    """Says of a value that cannot be built, as of the date 2001-99-99, where it stands."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except YAMLError:
            raise
        except Exception as error:  # of a dozen types, as the value has it
            problem = f"{shown(node.value)} is no value ({error})"
            raise ConstructorError(None, None, problem, node.start_mark) from None
