"""Text from outside, made fit to be shown."""

import os
import re
import reprlib
from collections.abc import Sequence

_LINE_MOST = 4000
"""Characters of a line: more than the longest path has, far less than a server may answer."""
_VALUE_MOST = 60
_NAMES_MOST = 3
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0, production 2; what is left is JSON for every reader, too."""
_VALUE = reprlib.Repr()
_VALUE.maxlevel, _VALUE.maxstring, _VALUE.maxlong, _VALUE.maxother = 2, 40, 40, 40


def printable(text: str) -> str:
    """The text with control characters, line ends and what is no Unicode (bytes of a file name) as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def storable(text: str) -> str:
    """The text as XML, JSON and UTF-8 can hold it, with escapes for what they cannot: a name is found by it again."""
    return _NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The text as one line of a terminal: line ends as spaces, the rest printable, the middle of a flood left out."""
    return printable(shortened(" ".join(re.split(r"\s*\n\s*", text.strip())), _LINE_MOST))


def reason_of(error: BaseException, path: object = None) -> str:
    """What an error says, of one of the system without its number: the file, unless it is `path`, and the reason."""
    if not (isinstance(error, OSError) and error.strerror and str(error).startswith("[Errno ")):
        return str(error) or type(error).__name__
    files = [os.fsdecode(file) for file in (error.filename, error.filename2) if isinstance(file, str | bytes) and file]
    return error.strerror if files in ([], [str(path)]) else f"{' -> '.join(files)}: {error.strerror}"


def shortened(text: str, most: int) -> str:
    """At most so many characters of the text, its middle left out: names tend to differ at one of their ends."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def brief(text: str, most: int = _VALUE_MOST) -> str:
    """A part of a message that somebody else wrote: printable, and not longer than a message can bear."""
    return printable(shortened(text, most))


def shown(value: object) -> str:
    """A value as code writes it, for messages: of a long or deep one only a few dozen characters."""
    return brief(_VALUE.repr(value))


def amount(count: int, thing: str) -> str:
    """How many things there are, in words: "1 face", "1,200 faces"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def counted(names: Sequence[str]) -> str:
    """How many names there are, and the first of them, printable: "5 (a, b, c, ...)"."""
    first = [printable(name) for name in names[:_NAMES_MOST]] + ["..."] * (len(names) > _NAMES_MOST)
    return f"{len(names)} ({', '.join(first)})"
