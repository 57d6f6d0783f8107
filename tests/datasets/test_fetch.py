import contextlib
import errno
import hashlib
import io
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import fsspec
import pytest
from filelock import FileLock

from facial_keypoints.core.errors import SourceError
from pipeline.core.paths import DATASET, RAW
from pipeline.datasets import bounds, definition, mirror
from pipeline.datasets.definition import find_dataset
from pipeline.datasets.manifest import manifest_digest, manifest_of, read_manifest
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.datasets.staging import Staging
from pipeline.stages import fetch
from tests.architecture import ROOT

FILES = {
    "test/Ann_00.jpg": b"first test frame",
    "test/Bob_11.jpg": b"second test frame" * 5000,
    "training/Ann_00.jpg": os.urandom(200_000),
    "training/Bob_11.jpg": os.urandom(200_000),
    "test_frames_keypoints.csv": b"test table",
    "training_frames_keypoints.csv": b"training table",
}
MANIFEST = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
SYNTHETIC = SyntheticFaces(people=2, clips=1, frames=5, seed=3)


CLOSED = "http://127.0.0.1:1/archive.tar.gz"
"""An address that nobody answers."""


def describe_datasets(root: Path, archive: str) -> None:
    """Folders of a dataset of the six files in an archive, and of synthetic faces."""
    for name, address in (("youtube-faces", archive), ("synthetic", None)):
        folder = root / "datasets" / name
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"title": "t", "licence": "MIT", "source": "s", "scheme": "ibug-68", "revision": "first"}
        (folder / "dataset.yaml").write_text(json.dumps(facts | {"archive": address}))
        (folder / "files.sha256").write_text("".join(f"{digest}  {file}\n" for file, digest in MANIFEST.items()))


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as working folder, a manifest of six small files, no waiting, a public archive out of reach."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(root)
    describe_datasets(root, archive=CLOSED)
    monkeypatch.setattr(definition, "DATASETS", root / "datasets")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv(mirror.VARIABLE, raising=False)
    monkeypatch.setattr(mirror, "BACKOFF_S", (0.0, 0.0))
    return root


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    return lambda place: monkeypatch.setenv(mirror.VARIABLE, str(place))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mirror")


def write_folder(root: Path) -> Path:
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def tar_gz(prefix: str = "P1-6e55/data/", before: tuple = (), after: tuple = (), files: dict = FILES) -> bytes:
    """An archive of the files below `prefix`, with other members before and after them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for member in before:
            archive.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in after:
            archive.addfile(member)
    return packed.getvalue()


def zipped(prefix: str = "data/", files: dict = FILES) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README.md", "about")
        for name, content in files.items():
            archive.writestr(prefix + name, content)
    return packed.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def run(source: Literal["youtube-faces", "synthetic"] = "youtube-faces") -> dict:
    fetch.run(fetch=Fetch(source, SYNTHETIC))
    return json.loads(DATASET.read_text())


def failure() -> str:
    """Message of a run that must fail, in one line, leaving nothing under a final name."""
    with pytest.raises(SourceError) as caught:
        run()
    assert not RAW.exists()
    assert not DATASET.exists()
    assert not list(Path().rglob("*.partial"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fetched() -> dict[str, bytes]:
    return {path.relative_to(RAW).as_posix(): path.read_bytes() for path in RAW.rglob("*") if path.is_file()}


def staged() -> set[str]:
    place = Path(".checkpoints/fetch") / manifest_digest(MANIFEST)[:16]
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """A web server on this machine: path -> content; `faults` are (status, share of the body sent) of first answers."""

    def __init__(self, content: dict[str, bytes], faults: list[tuple[int, float]], ranges: bool) -> None:
        self.content, self.faults, self.ranges = content, faults, ranges
        self.asked: list[str] = []
        self.sent = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if request.command == "GET":
            self.asked.append(path)
        body = self.content.get(path)
        status, share = (404, 1.0) if body is None else self.faults.pop(0) if self.faults else (200, 1.0)
        body = body or b""
        if self.ranges and "Range" in request.headers:
            first, last = request.headers["Range"].removeprefix("bytes=").split("-")
            sent_part = f"bytes {first}-{min(int(last), len(body) - 1)}/{len(body)}"
            body, status = body[int(first) : int(last) + 1], 206
        request.send_response(status)
        if status == 206:
            request.send_header("Content-Range", sent_part)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "GET":
            part = body[: int(len(body) * share)]
            self.sent += len(part)
            request.wfile.write(part)
        request.close_connection = share < 1


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(content: dict[str, bytes], *faults: tuple[int, float], ranges: bool = False) -> Server:
        servers.append(Server(content, list(faults), ranges))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.thread.join()
        server.http.server_close()


def test_manifest_of_the_dataset_has_every_file_once() -> None:
    manifest = read_manifest(ROOT / "datasets/youtube-faces/files.sha256")
    folders = [name.partition("/")[0] for name in manifest if "/" in name]
    assert len(manifest) == 5772
    assert (folders.count("training"), folders.count("test")) == (3462, 2308)


@pytest.mark.parametrize("line", ["abc  file", "0" * 64 + " file", "0" * 64 + "  ../file", "0" * 64 + "  /file"])
def test_bad_manifest_line_is_named(line: str) -> None:
    Path("datasets/youtube-faces/files.sha256").write_text(f"{'1' * 64}  good\n{line}\n")
    assert "line 2" in failure()


def test_files_and_digest_are_recorded(folder: Path, choose: Callable) -> None:
    choose(folder)
    lines = "".join(f"{MANIFEST[name]}  {name}\n" for name in sorted(MANIFEST))
    assert run() == {
        "dataset": "youtube-faces",
        "revision": "first",
        "files": 6,
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
    assert fetched() == FILES


@pytest.mark.parametrize("prefix", ["", "./", "data/", "P1_Facial_Keypoints-6e55/data/"])
def test_archive_may_hold_the_data_under_any_prefix(prefix: str, tmp_path: Path, choose: Callable) -> None:
    archive = tmp_path / "frames.tgz"
    archive.write_bytes(tar_gz(prefix))
    choose(archive)
    run()
    assert fetched() == FILES


@pytest.mark.parametrize("prefix", ["", "data/", "a/data/"])
def test_zip_may_hold_the_data_under_any_prefix(prefix: str, tmp_path: Path, choose: Callable) -> None:
    archive = tmp_path / "frames.zip"
    files = {"readme": b"", **FILES} if prefix else FILES
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zip_file:
        for name, content in files.items():
            zip_file.writestr(name if name == "readme" else prefix + name, content)
    archive.write_bytes(packed.getvalue())
    choose(archive)
    run()
    assert fetched() == FILES


def test_folder_may_be_relative_and_hold_the_data_in_data(workspace: Path, choose: Callable) -> None:
    write_folder(workspace.parent / "unpacked" / "data")
    choose("../unpacked")
    run()
    assert fetched() == FILES


def test_public_archive_is_read_when_no_mirror_is_set(serve: Callable[..., Server]) -> None:
    before = (member("P1-6e55/"), member("P1-6e55/README.md"), member("P1-6e55/link", tarfile.SYMTYPE, "README.md"))
    server = serve({"/archive": tar_gz(before=before, after=(member("P1-6e55/models.py"),))})
    describe_datasets(Path(), archive=server.url("archive"))
    run()
    assert fetched() == FILES
    assert server.asked == ["/archive"]


@pytest.mark.parametrize("name", ["frames.tar.gz", "frames.zip", "frames"])
def test_archive_behind_a_url(name: str, serve: Callable[..., Server], choose: Callable) -> None:
    server = serve({f"/{name}": zipped() if "zip" in name else tar_gz()})
    choose(server.url(name))
    run()
    assert fetched() == FILES


def test_folder_behind_a_url_asks_for_each_file_once(serve: Callable[..., Server], choose: Callable) -> None:
    server = serve({f"/frames/data/{name}": content for name, content in FILES.items()})
    choose(server.url("frames?token=secret"))
    run()
    assert fetched() == FILES
    frames = [path for path in server.asked if path.endswith(".jpg")]
    assert sorted(frames) == sorted(f"/frames/data/{name}" for name in FILES if name.endswith(".jpg"))


def test_any_fsspec_url_serves_as_folder(choose: Callable) -> None:
    for name, content in FILES.items():
        fsspec.filesystem("memory").pipe(f"/bucket/{name}", content)
    choose("memory://bucket")
    run()
    assert fetched() == FILES


def test_zip_over_ranges_reads_little_more_than_what_lacks(
    serve: Callable[..., Server], choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BUFFER_BYTES", 1000)
    stage_all_but("test/Ann_00.jpg")
    server = serve({"/frames.zip": zipped()}, ranges=True)
    choose(server.url("frames.zip"))
    run()
    assert fetched() == FILES
    assert server.sent < 100_000


def stage_all_but(*lacking: str) -> None:
    """What a run leaves that was killed while it wrote."""
    place = Path(".checkpoints/fetch") / manifest_digest(MANIFEST)[:16]
    write_folder(place)
    for name in lacking:
        (place / name).rename(place / f"{name}.partial")


def test_stream_that_breaks_off_is_taken_up_again(serve: Callable[..., Server], choose: Callable) -> None:
    server = serve({"/frames.tar.gz": tar_gz()}, (200, 0.6), (503, 0.0))
    choose(server.url("frames.tar.gz"))
    run()
    assert fetched() == FILES
    assert len(server.asked) == 3


def test_file_that_breaks_off_is_read_again_and_no_other(serve: Callable[..., Server], choose: Callable) -> None:
    server = serve({f"/{name}": content for name, content in FILES.items()}, (200, 1.0), (200, 1.0), (200, 0.5))
    choose(server.url())
    run()
    assert fetched() == FILES
    assert len(server.asked) <= 2 * (len(FILES) + 2)


def test_faults_that_do_not_pass_end_in_one_message(serve: Callable[..., Server], choose: Callable) -> None:
    server = serve({"/frames.tar.gz": tar_gz()}, *[(500, 0.0)] * 9)
    choose(server.url("frames.tar.gz"))
    assert "answered 500" in failure()
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [404, 403, 401])
def test_refusal_of_the_server_is_final(status: int, serve: Callable[..., Server], choose: Callable) -> None:
    server = serve({"/frames.tar.gz": b"no"} if status != 404 else {}, *[(status, 1.0)] * 9)
    choose(server.url("frames.tar.gz"))
    assert f"answered {status}" in failure()
    assert len(server.asked) == 1


def test_without_mirror_and_network_one_line_names_what_was_tried_and_both_ways_on() -> None:
    message = failure()
    assert CLOSED in message
    assert "KEYPOINTS_MIRROR is not set" in message
    assert "set KEYPOINTS_MIRROR to" in message
    assert "dvc exp run -S fetch.source=synthetic" in message


def test_secrets_of_a_url_are_not_shown(choose: Callable) -> None:
    choose(f"http://user:hush@127.0.0.1:{closed_port()}/frames.tar.gz?signature=hush")
    message = failure()
    assert "hush" not in message
    assert "127.0.0.1" in message


@pytest.mark.parametrize("place", ["/no/such/folder", "nosuch://bucket/frames", "http://[broken"])
def test_unreadable_mirror_is_named(place: str, choose: Callable) -> None:
    choose(place)
    assert place in failure()


def test_a_mirror_that_is_no_archive_is_named(tmp_path: Path, choose: Callable) -> None:
    (tmp_path / "frames.tar.gz").write_bytes(b"<html>sign in first</html>")
    choose(tmp_path / "frames.tar.gz")
    assert "neither a folder nor" in failure()


def test_archive_without_the_data_is_named(tmp_path: Path, choose: Callable) -> None:
    (tmp_path / "other.tar.gz").write_bytes(tar_gz(files={"a.txt": b"a"}))
    choose(tmp_path / "other.tar.gz")
    assert "holds none of the 6 files" in failure()


def test_truncated_local_archive_is_named_at_once(tmp_path: Path, choose: Callable) -> None:
    archive = tmp_path / "frames.tar.gz"
    archive.write_bytes(tar_gz()[:300_000])
    choose(archive)
    assert "breaks off" in failure()


@pytest.mark.parametrize("pack", ["folder", "tar", "zip"])
@pytest.mark.parametrize("fault", ["wrong", "missing", "extra"])
def test_wrong_missing_and_extra_files_are_named_each_time(
    pack: str, fault: str, tmp_path: Path, choose: Callable
) -> None:
    files = dict(FILES)
    name = {"wrong": "training/Ann_00.jpg", "missing": "test/Bob_11.jpg", "extra": "training/Zoe_99.jpg"}[fault]
    if fault == "missing":
        del files[name]
    else:
        files[name] = b"something else"
    place = tmp_path / pack
    if pack == "folder":
        for file, content in files.items():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_bytes(content)
    else:
        place.write_bytes(tar_gz(files=files) if pack == "tar" else zipped(files=files))
    choose(place)
    for _ in range(2):
        assert name in failure()


@pytest.mark.parametrize(
    ("evil", "why"),
    [
        (member("P1-6e55/data/../../evil"), "leaves the folder"),
        (member("/etc/evil"), "leaves the folder"),
        (member("P1-6e55/data/training/evil.jpg", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
        (member("P1-6e55/data/training/evil.jpg", tarfile.LNKTYPE, "P1-6e55/README.md"), "is a link"),
        (member("P1-6e55/data/training/evil.jpg", tarfile.CHRTYPE), "is a device"),
        (member("P1-6e55/data/training/evil.jpg", tarfile.FIFOTYPE), "is a device"),
    ],
    ids=["parent", "absolute", "symbolic", "hard", "character device", "pipe"],
)
@pytest.mark.parametrize("first", [True, False])
def test_malicious_members_are_refused(
    evil: tarfile.TarInfo, why: str, first: bool, tmp_path: Path, choose: Callable
) -> None:
    archive = tmp_path / "frames.tar.gz"
    archive.write_bytes(tar_gz(before=(evil,)) if first else tar_gz(after=(evil,)))
    choose(archive)
    message = failure()
    assert evil.name.lstrip("/") in message
    assert why in message
    assert not list(tmp_path.rglob("evil*"))


def test_link_in_place_of_a_frame_is_refused_in_zip_and_folder(folder: Path, tmp_path: Path, choose: Callable) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("training/Ann_00.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    (tmp_path / "frames.zip").write_bytes(packed.getvalue())
    choose(tmp_path / "frames.zip")
    assert "is a link" in failure()
    (folder / "training/Ann_00.jpg").unlink()
    (folder / "training/Ann_00.jpg").symlink_to("/etc/passwd")
    choose(folder)
    assert "is a link" in failure()


@pytest.mark.parametrize("pack", [tar_gz, zipped])
def test_decompression_bomb_is_not_unpacked(
    pack: Callable[..., bytes], tmp_path: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 1 << 20)
    (tmp_path / "frames").write_bytes(pack(files=FILES | {"test/Ann_00.jpg": bytes(1 << 21)}))
    choose(tmp_path / "frames")
    assert "unpacks to more than 1 MiB" in failure()


def test_interrupted_run_is_taken_up_where_it_ended(
    folder: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(folder)
    store = Staging.store

    def interrupted(staging: Staging, name: str, content: bytes) -> bool:
        if len(staging.missing) == 3:
            raise KeyboardInterrupt
        return store(staging, name, content)

    monkeypatch.setattr(Staging, "store", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert not RAW.exists()
    kept = staged()
    assert len(kept) == 3
    monkeypatch.setattr(Staging, "store", store)
    for name in kept:  # cannot be read any more, so must not be
        (folder / name).write_bytes(b"gone bad since")
    run()
    assert fetched() == FILES


def test_half_written_and_altered_leftovers_are_read_again(serve: Callable[..., Server], choose: Callable) -> None:
    stage_all_but("training/Ann_00.jpg")
    (Path(".checkpoints/fetch") / manifest_digest(MANIFEST)[:16] / "test/Ann_00.jpg").write_bytes(b"first")
    server = serve({f"/{name}": content for name, content in FILES.items()})
    choose(server.url())
    run()
    assert fetched() == FILES
    assert {path for path in server.asked if path.endswith("jpg")} == {"/training/Ann_00.jpg", "/test/Ann_00.jpg"}


def test_nothing_is_asked_of_a_source_when_all_is_whole() -> None:
    stage_all_but()
    run()
    assert fetched() == FILES
    assert run()["files"] == 6


def test_frames_that_came_once_are_not_asked_for_again(folder: Path, choose: Callable, monkeypatch) -> None:
    choose(folder)
    run()
    frame = RAW / "training/Ann_00.jpg"
    assert frame.stat().st_nlink == 2  # a second name, no second copy
    assert fetch.no_source_needed(find_dataset("youtube-faces"))
    shutil.rmtree("data")
    monkeypatch.delenv(mirror.VARIABLE)
    run()
    assert fetched() == FILES


def test_full_disk_is_one_line_and_keeps_what_is_whole(
    folder: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(folder)
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if content == FILES["test/Bob_11.jpg"]:
            write(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    message = failure()
    assert "No space left on device" in message
    assert "test/Bob_11.jpg" in message
    assert staged() == {"test/Ann_00.jpg"}


def test_experiment_elsewhere_gathers_in_the_main_workspace(
    folder: Path, workspace: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(folder)
    elsewhere = workspace / ".dvc/tmp/exps/one"
    elsewhere.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    monkeypatch.chdir(elsewhere)
    run()
    assert fetched() == FILES
    assert (workspace / ".checkpoints/fetch").is_dir()
    assert not Path(".checkpoints").exists()


def test_probe_says_in_a_moment_what_is_wrong(folder: Path, workspace: Path, choose: Callable) -> None:
    assert "Connect" in str(mirror.choose_source(CLOSED, workspace).probe(MANIFEST))
    choose(folder)
    assert mirror.choose_source(CLOSED, workspace).probe(MANIFEST) is None
    choose(folder / "nowhere")
    assert "nowhere" in str(mirror.choose_source(CLOSED, workspace).probe(MANIFEST))


def test_probe_does_not_wait_for_a_silent_server(choose: Callable, workspace: Path, monkeypatch) -> None:
    monkeypatch.setattr(mirror, "PROBE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        choose(f"http://127.0.0.1:{silent.getsockname()[1]}/frames.tar.gz")
        assert "no answer" in str(mirror.choose_source(CLOSED, workspace).probe(MANIFEST))


@pytest.mark.slow
def test_synthetic_faces_come_out_the_same_twice() -> None:
    pytest.importorskip("pipeline.datasets.synthetic_frames")
    record = run("synthetic")
    first = manifest_of(RAW)
    assert record == {
        "dataset": "synthetic",
        "revision": "first",
        "files": len(first),
        "sha256": manifest_digest(first),
    }
    assert {"training_frames_keypoints.csv", "test_frames_keypoints.csv"} < set(first)
    assert run("synthetic") == record
    assert manifest_of(RAW) == first


def staging() -> Path:
    return Path(".checkpoints/fetch") / manifest_digest(MANIFEST)[:16]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
@pytest.mark.parametrize("where", ["mirror", "below", "archive"])
def test_pipes_sockets_and_devices_hold_nobody(
    kind: str, where: str, folder: Path, workspace: Path, choose: Callable
) -> None:
    place = {"mirror": workspace / "odd", "below": folder / "odd", "archive": workspace / "odd.tar.gz"}[where]
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        monkey = socket.socket(socket.AF_UNIX)
        with contextlib.chdir(place.parent), monkey:
            monkey.bind(place.name)
    else:
        place.symlink_to("/dev/zero")
    choose(folder if where == "below" else place)
    message = failure()
    assert "pipe or device" in message or "device or pipe" in message or "is a link" in message or "No such" in message


def test_links_in_a_circle_and_deep_folders_come_to_an_end(folder: Path, choose: Callable) -> None:
    deep = folder
    for _ in range(300):
        deep = deep / "deeper"
    deep.mkdir(parents=True)
    (deep / "extra").touch()
    choose(folder)
    assert "deeper/extra among the data" in failure()
    (deep / "circle").symlink_to(folder)
    (deep / "extra").unlink()
    assert "is a link" in failure()
    (folder / "itself").symlink_to("itself")
    choose(folder / "itself")
    assert "itself" in failure()


def test_sparse_files_of_terabytes_are_not_read(folder: Path, workspace: Path, choose: Callable) -> None:
    os.truncate(folder / "test/Ann_00.jpg", 1 << 40)
    choose(folder)
    assert "more than 16 MiB" in failure()
    for name in ("frames.zip", "frames.tar.gz"):
        (workspace / name).write_bytes(zipped()[:100])
        os.truncate(workspace / name, 1 << 40)
        choose(workspace / name)
        assert name in failure()


def test_files_that_change_or_go_while_a_folder_is_read_are_named(
    folder: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(folder)
    store = Staging.store

    def while_changing(staging: Staging, name: str, content: bytes) -> bool:
        (folder / "training/Ann_00.jpg").write_bytes(b"grows")
        (folder / "training/Bob_11.jpg").unlink(missing_ok=True)
        return store(staging, name, content)

    monkeypatch.setattr(Staging, "store", while_changing)
    # Which of the two is met first is a matter of speed: files are read in parallel, ahead of what is stored.
    named = r"training/Ann_00\.jpg with another SHA-256|lacks training/Bob_11\.jpg"
    assert re.search(named, failure())


def test_what_does_not_belong_among_the_gathered_is_removed_and_links_not_followed(
    folder: Path, workspace: Path, choose: Callable
) -> None:
    theirs = write_folder(workspace / "theirs")
    (theirs / "test/Ann_00.jpg").write_bytes(b"changed by its owner")
    place = staging()
    (place / "training/Ann_00.jpg/folder").mkdir(parents=True)
    (place / "test").symlink_to(theirs / "test")
    (place / "training/Bob_11.jpg").symlink_to(theirs / "training/Bob_11.jpg")
    os.mkfifo(place / "test_frames_keypoints.csv")
    (place / "training_frames_keypoints.csv").write_bytes(b"")
    os.truncate(place / "training_frames_keypoints.csv", 1 << 40)
    (place / "other/folder").mkdir(parents=True)
    choose(folder)
    run()
    assert fetched() == FILES
    assert staged() == set(FILES)
    assert not any(path.is_symlink() for path in [*place.rglob("*"), *RAW.rglob("*")])
    assert (theirs / "test/Ann_00.jpg").read_bytes() == b"changed by its owner"


@pytest.mark.parametrize("what", ["link", "file", "lock as folder", "lock as link"])
def test_a_gathering_place_that_is_none_is_named(what: str, folder: Path, workspace: Path, choose: Callable) -> None:
    theirs = write_folder(workspace / "theirs")
    (theirs / "notes.txt").write_text("mine")
    place = staging()
    place.parent.mkdir(parents=True)
    lock = place.with_name(place.name + ".lock")
    match what:
        case "link":
            place.symlink_to(theirs)
        case "file":
            place.write_text("mine")
        case "lock as folder":
            lock.mkdir()
        case "lock as link":
            lock.symlink_to(theirs / "notes.txt")
    choose(folder)
    assert place.name in failure()
    assert (theirs / "notes.txt").read_text() == "mine"
    assert not (what == "link" and fetch.no_source_needed(find_dataset("youtube-faces")))


def test_a_lock_that_a_dead_process_left_holds_nobody(folder: Path, choose: Callable) -> None:
    lock = Path(f"{staging()}.lock")
    lock.parent.mkdir(parents=True)
    script = f"import os, filelock; filelock.FileLock({str(lock)!r}).acquire(); os._exit(9)"
    subprocess.run([sys.executable, "-c", script], check=False)
    assert lock.exists()
    choose(folder)
    run()
    assert fetched() == FILES


def test_the_second_of_two_fetches_says_that_it_waits(
    folder: Path, choose: Callable, capsys: pytest.CaptureFixture
) -> None:
    choose(folder)
    with FileLock(f"{staging()}.lock"):
        second = threading.Thread(target=run)
        second.start()
        while "waiting until it is done" not in capsys.readouterr().err:
            second.join(0.05)
            assert second.is_alive()
    second.join()
    assert fetched() == FILES


def test_disk_that_fills_while_files_get_their_final_place_is_one_line(
    folder: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(folder)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV, "another disk")))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as filled:
        filled.setattr(shutil, "copyfile", lambda *_: (_ for _ in ()).throw(full))
        message = failure()
    assert "No space left on device" in message
    assert "data/raw" in message
    assert staged() == set(FILES)
    run()
    assert fetched() == FILES


def test_disk_that_fills_while_a_zip_is_copied_is_one_line(
    serve: Callable[..., Server], choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_all_but("test/Ann_00.jpg")
    choose(serve({"/frames.zip": zipped()}).url("frames.zip"))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        message = failure()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert f"{staging().parent} cannot be written" in message.replace(f"/{staging().name}", "")
    assert len(staged()) == len(FILES) - 1
