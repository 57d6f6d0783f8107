"""Bring the frames and their labels to data/raw, each file checked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import write_json
from pipeline.core.paths import DATASET, RAW, workspace_root
from pipeline.datasets.definition import Dataset, find_dataset
from pipeline.datasets.label_table import LABEL_TABLE
from pipeline.datasets.manifest import Manifest, manifest_digest, manifest_of, read_manifest
from pipeline.datasets.mirror import bring, choose_source
from pipeline.datasets.object_frames import write_object_frames
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.datasets.staging import Staging, only_one, publish


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
    manifest = read_manifest(dataset.manifest)
    if RAW.exists() and manifest_of(RAW) == manifest:
        return manifest
    with _gathered(manifest, archive) as folder:
        publish(folder, RAW)
    return manifest


def _cut(dataset: Dataset, archive: str, table: Path) -> Manifest:
    """Cut the objects of an imported dataset out of its pictures."""
    folder = _gathering_place(f"{dataset.name}-frames")
    with _gathered(read_manifest(dataset.manifest), archive) as pictures, only_one(folder):
        shutil.rmtree(folder, ignore_errors=True)
        write_object_frames(table, pictures, folder, dataset.scheme.count)
        publish(folder, RAW)
        shutil.rmtree(folder)
    return manifest_of(RAW)


@contextmanager
def _gathered(manifest: Manifest, archive: str) -> Iterator[Path]:
    """The folder with all files of a manifest, in which nobody else works meanwhile."""
    staging = _staging(manifest)
    with only_one(staging.folder):
        staging.resume()
        bring(choose_source(archive, workspace_root()), staging)
        yield staging.folder


def no_source_needed(dataset: Dataset) -> bool:
    """Whether an earlier run of this stage has left all files of a dataset where the next one takes them from."""
    return _staging(read_manifest(dataset.manifest)).looks_whole()


def _staging(manifest: Manifest) -> Staging:
    return Staging(_gathering_place(manifest_digest(manifest)[:16]), manifest)


def _draw(faces: SyntheticFaces) -> Manifest:
    from pipeline.datasets.synthetic_frames import write_synthetic

    folder = _gathering_place("synthetic")
    with only_one(folder):
        shutil.rmtree(folder, ignore_errors=True)
        write_synthetic(folder, people=faces.people, clips=faces.clips, frames=faces.frames, seed=faces.seed)
        publish(folder, RAW)
        shutil.rmtree(folder)
    return manifest_of(RAW)


def _gathering_place(key: str) -> Path:
    """In the main workspace and no output: DVC removes a stage's outputs before it runs the stage again."""
    return workspace_root() / ".checkpoints" / "fetch" / key
