"""Lists in a JSON file read one element after the other, in memory that does not grow with the file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief

_BLOCK = 1 << 20
"""Characters read at a time."""
_SPACE = re.compile(r"[ \t\n\r]*")
_ENDS = (*" \t\n\r,:]}",)
"""What may follow a value."""
_DECODER = json.JSONDecoder()


def elements(path: Path, key: str | None = None) -> Iterator[Any]:
    """The elements of the list that a file holds, or that its object holds under `key`; none where it lacks the key.

    Raises DataError for what is no JSON, in an element or before it, or holds something else there.
    """
    try:
        with path.open("rb") as start:
            encoding = json.detect_encoding(start.read(4))
        with path.open(encoding=encoding) as file:
            text = _Text(file)
            if key is None or _find(text, key):
                yield from _list(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON with a list there ({brief(str(error), 120)}); write it again") from None


class _Text:
    """The text of a file, of which only what is being read is in memory."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._text, self._at = file, "", 0

    def next_is(self, mark: str) -> bool:
        """Whether the next character that is no space is this one; it is passed then."""
        found = self._next() == mark
        self._at += found
        return found

    def _next(self) -> str:
        """Go on to the next character that is no space; an empty text at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text) or not self._read_on():
                return self._text[self._at : self._at + 1]

    def expect(self, mark: str) -> None:
        if not self.next_is(mark):
            raise ValueError(f"{self._text[self._at : self._at + 20]!r} where {mark} is expected")

    def value(self) -> Any:
        """The value that begins here."""
        self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if self._read_on():
                    continue
                raise
            if self._text[end : end + 1] not in _ENDS and self._read_on():  # a number may go on
                continue
            self._at = end
            return value

    def _read_on(self) -> bool:
        """Read as much again as is left, so that a long value is not tried too often."""
        left = self._text[self._at :]
        block = self._file.read(max(_BLOCK, len(left)))
        self._text, self._at = left + block, 0
        return bool(block)


def _find(text: _Text, key: str) -> bool:
    """Go on to the value of a key of an object; False where there is none."""
    text.expect("{")
    if text.next_is("}"):
        return False
    while True:
        name = text.value()
        text.expect(":")
        if name == key:
            return True
        _skip(text)
        if not text.next_is(","):
            text.expect("}")
            return False


def _skip(text: _Text) -> None:
    """Pass a value, which may be a long list."""
    if text.next_is("["):
        for _ in _rest_of_list(text):
            pass
    else:
        text.value()


def _list(text: _Text) -> Iterator[Any]:
    text.expect("[")
    yield from _rest_of_list(text)


def _rest_of_list(text: _Text) -> Iterator[Any]:
    if text.next_is("]"):
        return
    while True:
        yield text.value()
        if not text.next_is(","):
            text.expect("]")
            return
