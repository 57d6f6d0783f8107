import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.core.paths import RAW
from pipeline.datasets import source
from pipeline.datasets.definition import find_dataset
from pipeline.datasets.gathering import probe
from pipeline.datasets.manifest import manifest_digest, manifest_of, read_manifest
from pipeline.datasets.source import choose_source
from pipeline.stages import fetch
from tests.architecture import ROOT
from tests.datasets.conftest import CLOSED, Fetching
from tests.datasets.mirrors import FILES, MANIFEST, tarred, write_folder, zipped


def test_manifest_of_the_dataset_has_every_file_once() -> None:
    manifest = read_manifest(ROOT / "datasets/youtube-faces/files.sha256")
    folders = [name.partition("/")[0] for name in manifest if "/" in name]
    assert len(manifest) == 5772
    assert (folders.count("training"), folders.count("test")) == (3462, 2308)


@pytest.mark.parametrize("line", ["abc  file", "0" * 64 + " file", "0" * 64 + "  ../file", "0" * 64 + "  /file"])
def test_bad_manifest_line_is_named(line: str, fetching: Fetching) -> None:
    Path("datasets/youtube-faces/files.sha256").write_text(f"{'1' * 64}  good\n{line}\n")
    assert "line 2" in fetching.failure()


def test_files_and_digest_are_recorded(fetching: Fetching, folder: Path) -> None:
    fetching.choose(folder)
    lines = "".join(f"{MANIFEST[name]}  {name}\n" for name in sorted(MANIFEST))
    assert fetching.run() == {
        "dataset": "youtube-faces",
        "revision": "first",
        "files": 6,
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
    assert fetching.raw() == FILES


@pytest.mark.parametrize("pack", ["folder", "tar", "zip"])
def test_wrong_and_missing_files_are_named_with_the_remedy_each_time(
    pack: str, fetching: Fetching, tmp_path: Path
) -> None:
    files = {**FILES, "training/Ann_00.jpg": b"something else"}
    del files["test/Bob_11.jpg"]
    if pack == "folder":
        write_folder(tmp_path / pack, files)
    else:
        (tmp_path / pack).write_bytes(tarred(files=files) if pack == "tar" else zipped(files=files))
    fetching.choose(tmp_path / pack)
    for _ in range(2):
        assert fetching.failure() == (
            f"KEYPOINTS_MIRROR={tmp_path / pack}: 1 (test/Bob_11.jpg) missing and 1 (training/Ann_00.jpg) with another "
            "SHA-256 than files.sha256 says; complete it or choose another KEYPOINTS_MIRROR"
        )
    assert fetching.staged() == set(FILES) - {"training/Ann_00.jpg", "test/Bob_11.jpg"}


def test_many_faults_are_told_in_short(fetching: Fetching, folder: Path) -> None:
    shutil.rmtree(folder / "training")
    shutil.rmtree(folder / "test")
    fetching.choose(folder)
    assert ": 4 (test/Ann_00.jpg, test/Bob_11.jpg, training/Ann_00.jpg, ...) missing; complete it" in fetching.failure()


def test_interrupted_run_is_taken_up_where_it_ended(
    fetching: Fetching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching.choose(folder)
    replace, written = os.replace, []

    def interrupted(old: Path, new: Path) -> None:
        written.append(new)
        if len(written) == 4:
            raise KeyboardInterrupt
        replace(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetching.run()
    assert not RAW.exists()
    kept = fetching.staged()
    assert len(kept) == 3
    for name in kept:  # cannot be read any more, so must not be
        (folder / name).write_bytes(b"gone bad since")
    fetching.run()
    assert fetching.raw() == FILES


def test_half_written_and_altered_leftovers_are_read_again_and_no_others(fetching: Fetching, serve: Callable) -> None:
    write_folder(fetching.staging)
    partial = fetching.staging / f"training/.{'0' * 16}.partial"
    (fetching.staging / "training/Ann_00.jpg").rename(partial)
    (fetching.staging / "test/Ann_00.jpg").write_bytes(b"first")
    server = serve({f"/{name}": content for name, content in FILES.items()})
    fetching.choose(server.url())
    fetching.run()
    assert fetching.raw() == FILES
    assert {path for path in server.asked if path.endswith("jpg")} == {"/training/Ann_00.jpg", "/test/Ann_00.jpg"}
    assert not partial.exists()


def test_frames_that_came_once_are_not_asked_for_again(
    fetching: Fetching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching.choose(folder)
    fetching.run()
    assert (RAW / "training/Ann_00.jpg").stat().st_nlink == 2  # a second name, no second copy
    assert fetch.no_source_needed(find_dataset("youtube-faces"))
    monkeypatch.delenv(source.VARIABLE)
    shutil.rmtree("data")
    fetching.run()
    assert fetching.raw() == FILES
    shutil.rmtree(".checkpoints")
    assert fetching.run()["files"] == 6


@pytest.mark.parametrize("full", ["replace", "link"])
def test_a_full_disk_names_the_file_and_keeps_what_is_whole(
    full: str, fetching: Fetching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching.choose(folder)
    work = getattr(os, full)

    def filled(old: Path, new: Path, **options: object) -> None:
        if Path(new).name == "Bob_11.jpg":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(new))
        work(old, new, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, full, filled)
        patched.setattr(shutil, "copyfile", filled)
        message = fetching.failure(OSError)
    assert "No space left on device" in message
    assert ("test/Bob_11.jpg" if full == "replace" else "data/raw") in message
    assert fetching.staged() == (set(FILES) if full == "link" else {"test/Ann_00.jpg"})
    fetching.run()
    assert fetching.raw() == FILES


def test_another_disk_gets_copies(fetching: Fetching, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_disk(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", other_disk)
    fetching.choose(folder)
    fetching.run()
    assert fetching.raw() == FILES


def test_experiment_elsewhere_gathers_in_the_main_workspace(
    fetching: Fetching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching.choose(folder)
    elsewhere = fetching.root / ".dvc/tmp/exps/one"
    elsewhere.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(fetching.root))
    monkeypatch.chdir(elsewhere)
    fetching.run()
    assert fetching.raw() == FILES
    assert fetching.staged() == set(FILES)
    assert not Path(".checkpoints").exists()


def test_one_of_two_fetches_waits_for_the_other(fetching: Fetching, folder: Path) -> None:
    fetching.choose(folder)
    second = threading.Thread(target=fetching.run)
    with FileLock(f"{fetching.staging}.lock"):
        second.start()
        second.join(0.1)
        assert second.is_alive()
        assert not fetching.staged()
    second.join()
    assert fetching.raw() == FILES


def test_probe_says_what_is_wrong(fetching: Fetching, folder: Path) -> None:
    assert "Cannot connect to host 127.0.0.1" in str(probe(choose_source(CLOSED, fetching.root), MANIFEST))
    fetching.choose(folder)
    assert probe(choose_source(CLOSED, fetching.root), MANIFEST) is None
    fetching.choose(folder / "nowhere")
    told = str(probe(choose_source(CLOSED, fetching.root), MANIFEST))
    assert told.startswith(f"cannot read KEYPOINTS_MIRROR={folder}/nowhere: No such file or directory, and holds")
    assert told.endswith("holds neither test_frames_keypoints.csv nor data/test_frames_keypoints.csv")


@pytest.mark.slow
def test_synthetic_faces_come_out_the_same_twice(fetching: Fetching) -> None:
    record = fetching.run("synthetic")
    first = manifest_of(RAW)
    digest = manifest_digest(first)
    assert record == {"dataset": "synthetic", "revision": "first", "files": len(first), "sha256": digest}
    assert {"training_frames_keypoints.csv", "test_frames_keypoints.csv"} < set(first)
    assert fetching.run("synthetic") == record
    assert manifest_of(RAW) == first
