"""Users, passwords and tokens, kept out of what is shown."""

import os
import re
import textwrap
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

from facial_keypoints.core.addresses import USER, user_pattern

HIDDEN = "***"

_PREAMBLE = "(raised as a result of "
"""What SQLAlchemy may put before the database's own words."""


_USER_IN_TEXT = user_pattern(r"\s'\"")
_QUERY = re.compile(r"(://[^\s?'\")]*)\?[^\s'\")]+")
_SECRET = r"\w*(?:password|passwd|pwd|token|secret|signature)\w*"
_PAIR = re.compile(rf"(?i)\b({_SECRET})=[^\s&;,'\")]+")

_ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "KEYPOINTS_MIRROR", "KEYPOINTS_SEARCH_STORAGE")
_USERS = ("MLFLOW_TRACKING_USERNAME", "PGUSER")
_PASSWORDS = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
    "MYSQL_PWD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


def without_secrets(message: str) -> str:
    """The message without the credentials of addresses in it, and without those that the environment holds.

    Servers and drivers repeat in words of their own what they were given; a user's name is one only in quotes.
    """
    message = _PAIR.sub(rf"\1={HIDDEN}", _QUERY.sub(r"\1", _USER_IN_TEXT.sub("", message)))
    users, passwords = zip(*_credentials(), strict=True)
    for secret in sorted(_forms(passwords), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, message)
    for user in _forms(users):
        message = re.sub(rf"(['\"]){re.escape(user)}\1", rf"\1{HIDDEN}\1", message)
    return message


def _credentials() -> Iterator[tuple[str, str]]:
    """(user, password) of each variable and each address of the environment, "" for what there is not."""
    yield from ((os.environ.get(name, ""), "") for name in _USERS)
    yield from (("", os.environ.get(name, "")) for name in _PASSWORDS)
    for address in (os.environ.get(name, "") for name in _ADDRESSES):
        if found := USER.search(address):
            user, _, password = found[0].removesuffix("@").partition(":")
            yield user, password
        for name, value in parse_qsl(address.partition("?")[2]):
            yield ("", value) if re.fullmatch(_SECRET, name, re.IGNORECASE) else (value if "user" in name else "", "")


def _forms(values: tuple[str, ...]) -> set[str]:
    """The values as an address has them and as they are meant."""
    return {form for value in map(str.strip, values) for form in (value, unquote(value)) if form}


def gist(error: Exception) -> str:
    """The beginning of what happened, in one line and without secrets: those of MLflow and its databases can be long.

    That is their first line, and all that follow where the first only announces them.
    """
    lines = [line.strip(" #") for line in str(error).splitlines() if line.strip() and not line.startswith(_PREAMBLE)]
    told = lines[:1] if lines and not lines[0].endswith(":") else lines
    return textwrap.shorten(without_secrets(" ".join(told) or type(error).__name__), 400, placeholder=" ...")
