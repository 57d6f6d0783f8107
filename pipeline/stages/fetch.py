"""Bring the frames and their labels to data/raw, each file checked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import write_json
from pipeline.core.paths import DATASET, RAW, workspace_root
from pipeline.datasets.definition import Dataset, find_dataset
from pipeline.datasets.gathering import gather, publish
from pipeline.datasets.label_table import LABEL_TABLE
from pipeline.datasets.manifest import Manifest, manifest_digest, manifest_of, read_manifest
from pipeline.datasets.object_frames import write_object_frames
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.datasets.source import choose_source


def run(*, fetch: Fetch) -> None:
    """Write data/raw and say in data/dataset.json what it is."""
    dataset = find_dataset(fetch.source)
    if not dataset.archive:
        manifest = _draw(fetch.synthetic)
    elif (table := dataset.manifest.with_name(LABEL_TABLE)).exists():
        manifest = _cut(dataset, dataset.archive, table)
    else:
        manifest = _bring(dataset, dataset.archive)
    digest = manifest_digest(manifest)
    write_scheme(dataset.scheme)
    names = {"dataset": dataset.name, "revision": dataset.revision}
    write_json(DATASET, {**names, "files": len(manifest), "sha256": digest})


def _bring(dataset: Dataset, archive: str) -> Manifest:
    """Bring the files of a dataset as they are."""
    manifest = read_manifest(dataset.manifest)
    if not RAW.exists() or manifest_of(RAW) != manifest:
        with _gathered(manifest, archive) as folder:
            publish(folder, manifest, RAW)
    return manifest


def _cut(dataset: Dataset, archive: str, table: Path) -> Manifest:
    """Cut the objects of an imported dataset out of its pictures."""
    with (
        _gathered(read_manifest(dataset.manifest), archive) as pictures,
        _published(f"{dataset.name}-frames") as folder,
    ):
        write_object_frames(table, pictures, folder, dataset.scheme.count)
    return manifest_of(RAW)


def _draw(faces: SyntheticFaces) -> Manifest:
    """Draw synthetic faces."""
    from pipeline.datasets.synthetic_frames import write_synthetic

    with _published("synthetic") as folder:
        write_synthetic(folder, people=faces.people, clips=faces.clips, frames=faces.frames, seed=faces.seed)
    return manifest_of(RAW)


def no_source_needed(dataset: Dataset) -> bool:
    """Whether an earlier run of this stage has left all files of a dataset where the next one takes them from."""
    manifest = read_manifest(dataset.manifest)
    return all((_gathering_place(manifest) / name).is_file() for name in manifest)


@contextmanager
def _gathered(manifest: Manifest, archive: str) -> Iterator[Path]:
    """The folder with all files of a manifest, in which nobody else works meanwhile."""
    folder = _gathering_place(manifest)
    with FileLock(f"{folder}.lock"):
        gather(choose_source(archive, workspace_root()), manifest, folder)
        yield folder


@contextmanager
def _published(name: str) -> Iterator[Path]:
    """An empty folder to fill, in which nobody else works meanwhile; it becomes data/raw."""
    folder = _checkpoints() / name
    with FileLock(f"{folder}.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        publish(folder, manifest_of(folder), RAW)
        shutil.rmtree(folder)


def _gathering_place(manifest: Manifest) -> Path:
    return _checkpoints() / manifest_digest(manifest)[:16]


def _checkpoints() -> Path:
    """Where files gather, in the main workspace and no output: DVC removes a stage's outputs before it runs it again.

    Experiments share it, so that each folder there has a lock.
    """
    return workspace_root() / ".checkpoints" / "fetch"
