"""Bring the frames and their labels to data/raw, each file checked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import write_json
from pipeline.core.merged import MARK
from pipeline.core.paths import DATASET, RAW, workspace_root
from pipeline.datasets.definition import OWN, Dataset, find_datasets
from pipeline.datasets.gathering import gather, publish
from pipeline.datasets.manifest import Manifest, manifest_digest, manifest_of, read_manifest
from pipeline.datasets.merging import add_part, complete
from pipeline.datasets.object_frames import write_object_frames
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.datasets.source import choose_source


def run(*, fetch: Fetch) -> None:
    """Write data/raw and say in data/dataset.json what it is."""
    datasets = find_datasets(fetch.source)
    as_it_is = len(datasets) == 1 and datasets[0].comes_as_it_is
    manifest = _bring(datasets[0]) if as_it_is else _make(datasets, fetch.synthetic)
    write_scheme(datasets[0].scheme)
    digest = {"files": len(manifest), "sha256": manifest_digest(manifest)}
    write_json(DATASET, {**_names(datasets), **digest, **_cards(datasets)})


def _names(datasets: list[Dataset]) -> dict[str, str]:
    return {
        "dataset": MARK.join(dataset.name for dataset in datasets),
        "revision": MARK.join(dataset.revision for dataset in datasets),
    }


def _cards(datasets: list[Dataset]) -> dict[str, list[dict[str, str]]]:
    """What the model card says of datasets, unless it knows them anyway."""
    if len(datasets) == 1 and datasets[0].name in OWN:
        return {}
    facts = ("title", "licence", "origin", "revision")
    return {"parts": [{"dataset": one.name, **{fact: getattr(one, fact) for fact in facts}} for one in datasets]}


def _bring(dataset: Dataset) -> Manifest:
    """Bring the files of a dataset as they are."""
    manifest = read_manifest(dataset.manifest)
    if not RAW.exists() or manifest_of(RAW) != manifest:
        with _files(dataset) as folder:
            publish(folder, manifest, RAW)
    return manifest


def _make(datasets: list[Dataset], faces: SyntheticFaces) -> Manifest:
    """Draw a dataset, cut it out of its pictures, or merge several."""
    count = datasets[0].scheme.count
    with _emptied("merged" if len(datasets) > 1 else _place_of(datasets[0])) as folder:
        if len(datasets) == 1:
            _fill(folder, datasets[0], faces)
        else:
            for dataset in datasets:  # one after the other, so that no two fetches wait for each other's
                with _part(dataset, faces) as part:
                    add_part(part, folder, dataset.name, count)
        complete(folder)
        publish(folder, manifest_of(folder), RAW)
    return manifest_of(RAW)


@contextmanager
def _part(dataset: Dataset, faces: SyntheticFaces) -> Iterator[Path]:
    """A folder with the raw data of a dataset, in which nobody else works meanwhile."""
    if dataset.comes_as_it_is:
        with _files(dataset) as folder:
            yield folder
    else:
        with _emptied(_place_of(dataset)) as folder:
            _fill(folder, dataset, faces)
            yield folder


def _fill(folder: Path, dataset: Dataset, faces: SyntheticFaces) -> None:
    """Draw synthetic faces into an empty folder, or cut the objects of an imported dataset out of its pictures."""
    if dataset.archive:
        with _files(dataset) as pictures:
            write_object_frames(dataset.label_table, pictures, folder, dataset.scheme.count)
        return
    from pipeline.datasets.synthetic_frames import write_synthetic

    write_synthetic(folder, people=faces.people, clips=faces.clips, frames=faces.frames, seed=faces.seed)


def no_source_needed(dataset: Dataset) -> bool:
    """Whether an earlier run of this stage has left all files of a dataset where the next one takes them from."""
    manifest = read_manifest(dataset.manifest)
    return all((_gathering_place(manifest) / name).is_file() for name in manifest)


@contextmanager
def _files(dataset: Dataset) -> Iterator[Path]:
    """The folder with all files of a dataset, in which nobody else works meanwhile."""
    manifest = read_manifest(dataset.manifest)
    folder = _gathering_place(manifest)
    with FileLock(f"{folder}.lock"):
        gather(choose_source(dataset.archive or "", workspace_root()), manifest, folder)
        yield folder


@contextmanager
def _emptied(name: str) -> Iterator[Path]:
    """An empty folder to fill, in which nobody else works meanwhile; it goes afterwards."""
    folder = _checkpoints() / name
    with FileLock(f"{folder}.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        shutil.rmtree(folder)


def _place_of(dataset: Dataset) -> str:
    return f"{dataset.name}-frames" if dataset.archive else dataset.name


def _gathering_place(manifest: Manifest) -> Path:
    return _checkpoints() / manifest_digest(manifest)[:16]


def _checkpoints() -> Path:
    """Where files gather, in the main workspace and no output: DVC removes a stage's outputs before it runs it again.

    Experiments share it, so that each folder there has a lock.
    """
    return workspace_root() / ".checkpoints" / "fetch"
