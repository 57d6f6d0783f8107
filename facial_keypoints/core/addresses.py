"""Addresses (URLs) as they may be shown: users, passwords and queries, which may hold a token, stay out."""

import re


def user_pattern(ends: str) -> re.Pattern[str]:
    """User and password of an address in a text in which the characters `ends` end it.

    A password may hold an @ or a / that should have been quoted; what is a port and a path has digits after the colon.
    """
    return re.compile(rf"(?<=://)(?:[^/?#@:{ends}]*:(?!\d+(?:[/?#\s]|$))[^{ends}]*|[^/?#{ends}]*)@")


USER = user_pattern(r"\n")
"""User and password of an address that is the whole text."""


def without_credentials(address: str) -> str:
    """The address without user, password and query."""
    return USER.sub("", address).partition("?")[0] if "://" in address else address
