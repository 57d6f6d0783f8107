import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facial_keypoints.core.errors import SourceError
from pipeline.core.paths import DATASET, RAW
from pipeline.datasets import definition, gathering, source
from pipeline.datasets.manifest import manifest_digest
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.stages import fetch
from tests.datasets.mirrors import MANIFEST, Server, write_folder

CLOSED = "http://127.0.0.1:1/archive.tar.gz"
"""An address that nobody answers."""


class Fetching:
    """A project with a dataset of six files, whose public archive is out of reach."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._monkeypatch = root, monkeypatch
        self.staging = root / ".checkpoints/fetch" / manifest_digest(MANIFEST)[:16]

    def describe(self, archive: str) -> None:
        """Write the folders of a dataset with a public archive, and of synthetic faces."""
        for name, address in (("youtube-faces", archive), ("synthetic", None)):
            folder = self.root / "datasets" / name
            folder.mkdir(parents=True, exist_ok=True)
            facts = {"title": "t", "licence": "MIT", "source": "s", "scheme": "ibug-68", "revision": "first"}
            (folder / "dataset.yaml").write_text(json.dumps(facts | {"archive": address}))
            (folder / "files.sha256").write_text("".join(f"{digest}  {file}\n" for file, digest in MANIFEST.items()))

    def choose(self, place: object) -> None:
        """Set the mirror."""
        self._monkeypatch.setenv(source.VARIABLE, str(place))

    def run(self, name: str = "youtube-faces") -> dict[str, object]:
        """Run the stage; returns what it records."""
        fetch.run(fetch=Fetch(name, SyntheticFaces(people=2, clips=1, frames=2, seed=3)))
        record: dict[str, object] = json.loads(DATASET.read_text())
        return record

    def raw(self) -> dict[str, bytes]:
        return _contents(RAW)

    def staged(self) -> set[str]:
        return set(_contents(self.staging))

    def failure(self, kind: type[Exception] = SourceError) -> str:
        """Message of a run that must fail, in one line, leaving nothing under a final name."""
        with pytest.raises(kind) as caught:
            self.run()
        assert not RAW.exists()
        assert not DATASET.exists()
        assert not list(Path().rglob("*.partial"))
        assert str(caught.value).isprintable()
        return str(caught.value)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetching:
    """The project as working folder; no time is waited between tries."""
    project = Fetching(tmp_path / "project", monkeypatch)
    (project.root / ".dvc").mkdir(parents=True)
    project.describe(CLOSED)
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(definition, "DATASETS", project.root / "datasets")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv(source.VARIABLE, raising=False)
    monkeypatch.setattr(gathering, "WAITS_S", (0.0, 0.0))
    return project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mirror")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(content: dict[str, bytes], *faults: tuple[int, float], ranges: bool = False) -> Server:
        servers.append(Server(content, list(faults), ranges))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
