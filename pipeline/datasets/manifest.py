"""SHA-256 manifests: relative path -> hex digest of its content, written as `sha256sum` does."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.text import reason_of

Manifest = Mapping[str, str]

_LINE = re.compile(r"([0-9a-f]{64})  ([^\s/\0][^\0]*)")
"""Digest and relative path."""


def read_manifest(path: Path) -> dict[str, str]:
    """Read lines `<sha256>  <relative path>`. Raises SourceError that names the line that is not one."""
    remedy = f"restore it with: git checkout {path}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"manifest {path} cannot be read ({reason_of(error, path)}); {remedy}") from None
    manifest: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if not match or ".." in match[2].split("/") or match[2] in manifest:
            raise SourceError(
                f"manifest {path} line {number}: {line[:120]!r} should be a SHA-256, two spaces "
                f"and a relative path that comes once; {remedy}"
            )
        manifest[match[2]] = match[1]
    if not manifest:
        raise SourceError(f"manifest {path} is empty; {remedy}")
    return manifest


def manifest_of(folder: Path) -> dict[str, str]:
    """Return the manifest of all files below `folder`."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def manifest_digest(manifest: Manifest) -> str:
    """Return one digest of a whole dataset: SHA-256 over its lines in order of their paths."""
    lines = (f"{manifest[name]}  {name}\n" for name in sorted(manifest))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
