"""Text from outside, made fit to be shown."""

import reprlib

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 40
_BRIEF.maxlevel = 2


def printable(text: str) -> str:
    """The text with control characters, line ends and what is no Unicode (bytes of a file name) as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def shortened(text: str, most: int = 60) -> str:
    """`printable`, and of a long text only its first characters."""
    return printable(text if len(text) <= most else f"{text[: most - 3]}...")


def shown(value: object) -> str:
    """A value as code writes it, for messages: of a long or deep one only the beginning."""
    return shortened(_BRIEF.repr(value))
