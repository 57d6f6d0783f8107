"""Which members of an archive or folder are the data, and complaints about those that lack or do not belong there."""

from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.text import printable
from pipeline.datasets import bounds
from pipeline.datasets.manifest import Manifest, leaves_folder

_SHOWN_CHARS = 100
"""Of a name in messages."""


class Layout:
    """Where the data lies in an archive: below whatever stands before the first path that the manifest knows."""

    def __init__(self, manifest: Manifest, shown: str) -> None:
        self._manifest = manifest
        self._shown = shown
        self._depth = max(name.count("/") for name in manifest) + 1
        self._root: str | None = None
        self._placed: set[str] = set()
        self._before: list[tuple[str, str]] = []
        self._extra: list[str] = []

    def place(self, path: str, kind: str) -> str | None:
        """Name in the manifest of a member that is a plain file of the data, else None.

        kind: "file", or what else the member is, for messages. Raises SourceError for a member that leaves the folder
        and, among the data, for anything but a plain file that comes once.
        """
        path = path.removeprefix("./")
        if leaves_folder(path):
            raise self._refused(path, "leaves the folder it is unpacked in")
        if self._root is None:
            self._find_root(path, kind)
        if self._root is None or not path.startswith(self._root):
            return None
        name = path.removeprefix(self._root)
        if kind != "file":
            raise self._refused(path, f"is {kind}")
        if name not in self._manifest:
            self._extra.append(path)
            return None
        if name in self._placed:
            raise self._refused(path, "comes twice")
        self._placed.add(name)
        return name

    def finish(self) -> None:
        """Say of a whole archive that it has no data, or more than the data."""
        if self._root is None:
            raise SourceError(
                f"{self._shown} holds none of the {len(self._manifest):,} files of the dataset; "
                "KEYPOINTS_MIRROR should name an archive of its data folder"
            )
        refuse_extra(self._extra, self._shown)

    def _find_root(self, path: str, kind: str) -> None:
        parts = path.split("/")
        suffixes = ("/".join(parts[-length:]) for length in range(self._depth, 0, -1))
        known = next((suffix for suffix in suffixes if suffix in self._manifest), None)
        if known is None:
            self._before.append((path, kind))
            return
        self._root = path.removesuffix(known)
        for earlier in self._before:
            self.place(*earlier)

    def _refused(self, path: str, why: str) -> SourceError:
        return SourceError(
            f"{self._shown}: member {brief(path)} {why}; only plain files are taken: make the archive again without it"
        )


def refuse_extra(names: list[str], shown: str) -> None:
    if names:
        raise SourceError(
            f"{shown} holds {listed(names)} among the data, which the manifest does not know; "
            "remove what does not belong there and run again"
        )


def refuse_many(count: int, shown: str) -> None:
    if count > bounds.MAX_MEMBERS:
        raise SourceError(
            f"{shown} holds more than {bounds.MAX_MEMBERS:,} files and folders, so it is not of this dataset; "
            "KEYPOINTS_MIRROR should name its data folder or an archive of that"
        )


def refuse_page(start: bytes, shown: str) -> None:
    """Refuse what begins as a web page, which some servers send for whatever they are asked; no file here does."""
    if start.lstrip().startswith(b"<"):
        raise SourceError(f"{shown} is a web page where a file was expected; sign in first or correct KEYPOINTS_MIRROR")


def brief(name: str) -> str:
    """A name or path that the source chose, or the end of it, fit to be shown."""
    return printable(name if len(name) <= _SHOWN_CHARS else f"…{name[-_SHOWN_CHARS:]}")


def listed(names: list[str]) -> str:
    """The first few names and how many more there are."""
    return ", ".join(map(brief, sorted(names)[:5])) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def refuse_lacking(names: list[str], shown: str) -> None:
    if names:
        raise SourceError(f"{shown} lacks {listed(names)}; complete it or choose another KEYPOINTS_MIRROR")
