"""Files out of a folder: local, or behind a URL of a web server or an object store."""

import os
import stat
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.sources.archives import MAX_FILE_BYTES
from pipeline.sources.layout import refuse_extra, refuse_lacking
from pipeline.sources.location import Location
from pipeline.sources.manifest import Manifest

PARALLEL = 4
"""Files asked for at a time over a network. Measured on Python's http.server, which lets 5 callers wait and turns the
others away for a second: 4 at a time 850 files/s, 8 at a time 210, one 470."""


def read_folder(source: Location, manifest: Manifest, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files, which lie in the folder itself or in its `data/`."""
    root = data_root(source, manifest)
    if not root.http:
        names = _local_names(Path(root.path)) if root.local else _names(root)
        refuse_extra([name for name in names if name not in manifest], root.shown)
        refuse_lacking([name for name in wanted if name not in names], root.shown)
    ordered = sorted(wanted)
    with ThreadPoolExecutor(PARALLEL if root.remote else 1) as pool:
        for start in range(0, len(ordered), PARALLEL):
            batch = ordered[start : start + PARALLEL]
            contents = pool.map(lambda name: _content(root.below(name)), batch)
            for name, content in zip(batch, contents, strict=True):
                if content is not None:
                    yield name, content


def data_root(source: Location, manifest: Manifest) -> Location:
    """The folder itself or its `data/`, whichever holds a file of the manifest; the quickest look is at the tables."""
    top = sorted(name for name in manifest if "/" not in name) or sorted(manifest)[:1]
    roots = [source, source.below("data")]
    for root in roots:
        if any(_is_there(root.below(name)) for name in top):
            return root
    raise SourceError(
        f"{source.shown} holds neither {top[-1]} nor data/{top[-1]}; "
        "KEYPOINTS_MIRROR should name the folder of the dataset, or an archive of it"
    )


def _is_there(file: Location) -> bool:
    if not file.http:
        return bool(file.fs.exists(file.path))
    try:
        with file.stream():
            return True
    except FileNotFoundError:
        return False


def _content(file: Location) -> bytes | None:
    """Content of a file, None where there is none."""
    try:
        with file.stream() as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(content) > MAX_FILE_BYTES:
        raise SourceError(f"{file.shown} has more than {MAX_FILE_BYTES >> 20} MiB, so it is not of this dataset")
    return content


def _names(root: Location) -> set[str]:
    """Relative paths of the files below a folder that fsspec can list."""
    base = root.path.rstrip("/") + "/"
    return {str(path).removeprefix(base) for path in root.fs.find(root.path)}


def _local_names(root: Path) -> set[str]:
    """Relative paths of the files below a local folder; refuses links, pipes and devices."""
    names: set[str] = set()
    for folder, folders, files in os.walk(root, onerror=_raise):
        for entry in [*folders, *files]:
            path = Path(folder, entry)
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "a device or pipe"
                raise SourceError(f"{path} is {kind}; only plain files are taken: put the file itself there")
        names.update(Path(folder, file).relative_to(root).as_posix() for file in files)
    return names


def _raise(error: OSError) -> None:
    raise error
