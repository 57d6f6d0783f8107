"""A folder in which the files of a dataset gather, each whole and checked, until all are there and get their place."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from facial_keypoints.core.atomic_files import file_sha256, remove_abandoned, whole, whole_folder
from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import counted
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.readers import Files, find_reader
from pipeline.datasets.source import VARIABLE, WAYS_ON, Source, TransientSourceError

WAITS_S = (1.0, 2.0, 4.0)
"""Waits after the first, second and third fault in a row; after another one the source is given up."""


def probe(source: Source, manifest: Manifest) -> str | None:
    """Why a source cannot be reached; None if it can."""
    try:
        with source.faults():
            find_reader(source, manifest)
    except SourceError as error:
        return str(error).removesuffix(f"; {WAYS_ON}")
    return None


def gather(source: Source, manifest: Manifest, folder: Path) -> None:
    """Complete `folder`: what an earlier run left whole stays, the rest is read.

    After a fault on the way it waits and reads on. Raises SourceError that names what is missing or wrong.
    """
    missing = set(manifest) - _whole_files(folder, manifest)
    waits = iter(WAITS_S)
    while missing:
        before = len(missing)
        try:
            _store_missing(source, manifest, folder, missing)
        except TransientSourceError as fault:
            waits = iter(WAITS_S) if len(missing) < before else waits
            if (wait_s := next(waits, None)) is None:
                raise
            tell(f"{str(fault).removesuffix(f'; {WAYS_ON}')}; trying again in {wait_s:.0f} s")
            time.sleep(wait_s)


def _whole_files(folder: Path, manifest: Manifest) -> set[str]:
    """Names of the files of the manifest that `folder` holds as they should be."""
    for inner in {(folder / name).parent for name in manifest}:
        remove_abandoned(inner)
    there = [name for name in manifest if (folder / name).is_file() and not (folder / name).is_symlink()]
    checked = progress(there, label="check", total=len(there), unit="files")
    return {name for name in checked if file_sha256(folder / name) == manifest[name]}


def _store_missing(source: Source, manifest: Manifest, folder: Path, missing: set[str]) -> None:
    """Take each file that arrives as it should out of `missing`, and complain of those that are left."""
    wrong: set[str] = set()
    arriving = _files(source, manifest, missing)
    for name, content in progress(arriving, label="fetch", total=len(missing), unit="files"):
        if hashlib.sha256(content).hexdigest() == manifest[name]:
            with whole(folder / name) as partial:
                partial.write_bytes(content)
            missing.discard(name)
        else:
            wrong.add(name)
    faults = {"missing": missing - wrong, "with another SHA-256 than files.sha256 says": wrong & missing}
    if missing:
        what = " and ".join(f"{counted(sorted(names))} {fault}" for fault, names in faults.items() if names)
        raise SourceError(f"{source.shown}: {what}; complete it or choose another {VARIABLE}")


def _files(source: Source, manifest: Manifest, missing: set[str]) -> Files:
    with source.faults():
        yield from find_reader(source, manifest)(missing)


def publish(folder: Path, names: Iterable[str], target: Path) -> None:
    """Give the named files in `folder` their final place at once; what stood there goes.

    They stay in `folder` too, so that nothing is read from far away again when only code of the stage changed: DVC
    removes the outputs then.
    """
    with whole_folder(target) as arriving:
        for name in names:
            link_or_copy(folder / name, arriving / name)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, by a hard link or else as a copy; the folder of the name is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
