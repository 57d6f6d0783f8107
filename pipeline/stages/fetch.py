"""Bring the frames and their labels to data/raw, each file checked."""

import shutil
from pathlib import Path

from filelock import FileLock

from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import write_json
from pipeline.core.paths import DATASET, RAW, workspace_root
from pipeline.datasets.definition import Dataset, find_dataset
from pipeline.datasets.gathering import gather, publish
from pipeline.datasets.manifest import Manifest, manifest_digest, manifest_of, read_manifest
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.datasets.source import choose_source


def run(*, fetch: Fetch) -> None:
    """Write data/raw and say in data/dataset.json what it is."""
    dataset = find_dataset(fetch.source)
    manifest = _bring(dataset, dataset.archive) if dataset.archive else _draw(fetch.synthetic)
    digest = manifest_digest(manifest)
    write_scheme(dataset.scheme)
    names = {"dataset": dataset.name, "revision": dataset.revision}
    write_json(DATASET, {**names, "files": len(manifest), "sha256": digest})


def _bring(dataset: Dataset, archive: str) -> Manifest:
    manifest = read_manifest(dataset.manifest)
    if RAW.exists() and manifest_of(RAW) == manifest:
        return manifest
    folder = _gathering_place(manifest)
    with FileLock(f"{folder}.lock"):
        gather(choose_source(archive, workspace_root()), manifest, folder)
        publish(folder, manifest, RAW)
    return manifest


def no_source_needed(dataset: Dataset) -> bool:
    """Whether an earlier run of this stage has left all files of a dataset where the next one takes them from."""
    manifest = read_manifest(dataset.manifest)
    return all((_gathering_place(manifest) / name).is_file() for name in manifest)


def _gathering_place(manifest: Manifest) -> Path:
    return _checkpoints() / manifest_digest(manifest)[:16]


def _draw(faces: SyntheticFaces) -> Manifest:
    from pipeline.datasets.synthetic_frames import write_synthetic

    folder = _checkpoints() / "synthetic"
    with FileLock(f"{folder}.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        write_synthetic(folder, people=faces.people, clips=faces.clips, frames=faces.frames, seed=faces.seed)
        manifest = manifest_of(folder)
        publish(folder, manifest, RAW)
        shutil.rmtree(folder)
    return manifest


def _checkpoints() -> Path:
    """Where files gather, in the main workspace and no output: DVC removes a stage's outputs before it runs it again.

    Experiments at the same time share it, so that each folder has a lock.
    """
    return workspace_root() / ".checkpoints" / "fetch"
