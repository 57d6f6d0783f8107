"""Text from outside, made fit to be shown."""


def printable(text: str) -> str:
    """The text with control characters, line ends and what is no Unicode (bytes of a file name) as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
