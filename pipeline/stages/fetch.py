"""Bring the frames and their labels to data/raw, each file checked."""

import shutil
from pathlib import Path

from facial_keypoints.core.scheme import IBUG_68
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import write_json
from pipeline.core.paths import DATASET, RAW, workspace_root
from pipeline.datasets import upstream
from pipeline.datasets.manifest import Manifest, manifest_digest, manifest_of, read_manifest
from pipeline.datasets.mirror import bring, choose_source
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.datasets.staging import Staging, only_one, publish


def run(*, fetch: Fetch) -> None:
    """Write data/raw and say in data/dataset.json what it is."""
    if fetch.source == "synthetic":
        manifest, revision = _draw(fetch.synthetic), "synthetic"
    else:
        manifest, revision = _bring_real(), upstream.COMMIT
    digest = manifest_digest(manifest)
    write_scheme(IBUG_68)
    write_json(DATASET, {"dataset": fetch.source, "revision": revision, "files": len(manifest), "sha256": digest})


def _bring_real() -> Manifest:
    manifest = read_manifest(upstream.MANIFEST)
    if RAW.exists() and manifest_of(RAW) == manifest:
        return manifest
    staging = _staging(manifest)
    with only_one(staging.folder):
        staging.resume()
        bring(choose_source(workspace_root()), staging)
        publish(staging.folder, RAW)
    return manifest


def no_source_needed() -> bool:
    """Whether an earlier run of this stage has left all the real frames where the next one takes them from."""
    return _staging(read_manifest(upstream.MANIFEST)).looks_whole()


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
