"""Files out of a folder: local, or behind a URL of a web server or an object store."""

import os
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

from facial_keypoints.core.errors import SourceError
from pipeline.datasets import bounds
from pipeline.datasets.layout import brief, refuse_extra, refuse_lacking, refuse_many, refuse_page
from pipeline.datasets.location import Location
from pipeline.datasets.manifest import Manifest

PARALLEL = 4
"""Files asked for at a time over a network. Measured on Python's http.server, which lets 5 callers wait and turns the
others away for a second: 4 at a time 850 files/s, 8 at a time 210, one 470."""


def read_folder(source: Location, manifest: Manifest, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files, which lie in the folder itself or in its `data/`."""
    root = data_root(source, manifest)
    if not root.http:
        names = _local_names(root.path) if root.local else root.files()
        refuse_many(len(names), root.shown)
        refuse_extra([name for name in names if name not in manifest], root.shown)
        refuse_lacking([name for name in wanted if name not in names], root.shown)
    ordered = sorted(wanted)
    lacking: list[str] = []
    with ThreadPoolExecutor(PARALLEL if root.remote else 1) as pool:
        for start in range(0, len(ordered), PARALLEL):
            batch = ordered[start : start + PARALLEL]
            contents = pool.map(lambda name: _content(root.below(name)), batch)
            for name, content in zip(batch, contents, strict=True):
                if content is not None:
                    yield name, content
                    continue
                lacking.append(name)
                if len(lacking) == bounds.MAX_WRONG:
                    refuse_lacking(lacking, root.shown)


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
        return file.exists()
    try:
        with file.stream():
            return True
    except FileNotFoundError:
        return False


def _content(file: Location) -> bytes | None:
    """Content of a file, None where there is none."""
    try:
        with file.stream() as stream:
            content = stream.read(bounds.MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    refuse_page(content[:100], file.shown)
    if len(content) > bounds.MAX_FILE_BYTES:
        raise SourceError(f"{file.shown} has more than {bounds.MAX_FILE_BYTES >> 20} MiB, so it is not of this dataset")
    return content


def _local_names(root: str) -> set[str]:
    """Relative paths of the files below a local folder; refuses links, pipes and devices."""
    names: set[str] = set()
    folders = [root]
    count = 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                count += 1
                refuse_many(count, root)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    names.add(os.path.relpath(entry.path, root))
                else:
                    kind = "a link" if entry.is_symlink() else "a device or pipe"
                    raise SourceError(
                        f"{brief(entry.path)} is {kind}; only plain files are taken: put the file itself there"
                    )
    return names
