"""Find the pictures and videos behind the arguments of a command line; what is not taken is kept with its reason."""

import functools
import glob
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from facial_keypoints.core.atomic_files import file_sha256, is_partial
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable
from facial_keypoints.inputs.addresses import Address, address_of, camera_refusal, is_camera
from facial_keypoints.inputs.download import Downloads
from facial_keypoints.inputs.folders import Walk, identity_of, matching
from facial_keypoints.inputs.kinds import APPLE_DOUBLE, EMPTY, PICTURE_SUFFIXES, VIDEO_SUFFIXES, Content, content_of
from facial_keypoints.inputs.pages import pages_of
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.ledger import Ledger

STDIN = "-"
_GIVE = "give a JPEG, PNG, WebP, TIFF or another picture, or a video"


class Finder:
    """Collects sources in the order in which they are given, each once; their names may still be the same."""

    def __init__(self, output: Path | None, downloads: Downloads) -> None:
        """`output`: a folder in which nothing is looked for; `downloads`: where files from web addresses go."""
        self.found: dict[tuple[str, str, int | None], Source] = {}
        self.problems: list[DataError] = []
        self.left_out: dict[str, list[Path]] = {}
        """Why files of folders are not looked at -> those files."""
        self.missed = 0
        """How many of them are pictures."""
        self._output = identity_of(output) if output else None
        self._downloads = downloads
        self._real_folder = functools.lru_cache(maxsize=None)(os.path.realpath)
        self._written_in = functools.lru_cache(maxsize=None)(lambda folder: Ledger(folder).digests_of)

    def look(self, text: str) -> None:
        """Take what an argument on the command line stands for: a name that exists is no pattern and no address."""
        try:
            if text == STDIN:
                self.found["", STDIN, None] = Source(None, "stdin")
            elif not text:
                raise DataError(f"an empty path is given; {_GIVE}")
            elif os.path.isdir(text):
                self._take_folder(Path(text))
            elif _is_here(text):
                self._take_given(Path(text))
            elif address := address_of(text):
                self._take_address(address)
            else:
                self._take_matching(text)
        except DataError as error:
            self.problems.append(error)

    def _take_given(self, path: Path, address: Address | None = None) -> None:
        """Take a file that is named itself. Raises DataError for one that is neither picture nor video."""
        content = _look_at(path)
        if content.kind is None:
            raise _refusal(path, content)
        self._take(path, address)

    def _take_address(self, address: Address) -> None:
        """Fetch and take the file of an address, once."""
        if any(source.address == address for source in self.found.values()):
            return
        path = self._downloads.fetch(address)
        try:
            self._take_given(path, address)
        except DataError as error:
            raise DataError(str(error).replace(str(path), address.shown)) from None

    def _take_matching(self, pattern: str) -> None:
        walk = Walk(self._output)
        names = list(matching(pattern, walk)) if glob.has_magic(pattern) else []
        if not names:
            if walk.met_spared:
                raise DataError(f"{printable(pattern)} matches nothing but results; choose another --output")
            raise DataError(f"{printable(pattern)} is not here; correct the path")
        folders = [name for name in names if name.is_dir()]
        self._take_listed(name for name in names if not name.is_dir())
        self._note(walk)
        for folder in folders:
            self._take_folder(folder)

    def _take_folder(self, folder: Path) -> None:
        if self._output and identity_of(folder) == self._output:
            raise DataError(f"{printable(str(folder))} is where results go; choose another --output")
        walk = Walk(self._output)
        taken = self._take_listed(file for file in walk.files(folder) if not self._is_result(file, folder))
        self._note(walk)
        if not taken:
            raise DataError(f"{printable(str(folder))} holds no picture or video that can be read; give another folder")

    def _is_result(self, file: Path, given: Path) -> bool:
        """Whether an earlier run wrote the file, into a folder that is not `given` itself; it is kept as left out."""
        if file.parent == given:
            return False
        try:
            written = self._written_in(file.parent)(file.name)
            result = bool(written) and file_sha256(file) in written
        except (OSError, DataError):  # what cannot be read is told as such, whoever wrote it
            return False
        if result:
            self._note_left_out("results of an earlier run (name their folder to look inside)", file)
        return result

    def _take_listed(self, files: Iterable[Path]) -> int:
        """Take the pictures and videos among files that were not named one by one; returns how many there are."""
        taken = 0
        for file in files:
            try:
                content = _look_at(file)
                if content.kind:
                    self._take(file)
                    taken += 1
                elif not is_partial(file):
                    self._leave_out(file, content)
            except DataError as error:
                self.problems.append(error)
        return taken

    def _leave_out(self, file: Path, content: Content) -> None:
        """Keep why a file of a folder is not looked at. Raises DataError where its name promises otherwise."""
        if content.foreign:
            self.missed += 1
            self._note_left_out(f"{content.name}, which cannot be read here (convert it to JPEG)", file)
        elif _promises(file) and content != APPLE_DOUBLE:
            raise _refusal(file, content)
        elif not file.name.startswith("."):
            self._note_left_out("no picture or video", file)

    def _note(self, walk: Walk) -> None:
        """Keep what a walk through folders passed over."""
        for folder in walk.hidden:
            self._note_left_out("a hidden folder (name it to look inside)", folder)
        for path in walk.special:
            self._note_left_out("a pipe, socket or device", path)
        for link in walk.dangling:
            if _promises(link):
                self.problems.append(DataError(f"{printable(str(link))} is a link that leads nowhere; mend it"))
            else:
                self._note_left_out("a link that leads nowhere", link)
        self.problems += [_unreadable(folder, error) for folder, error in walk.closed]

    def _note_left_out(self, reason: str, path: Path) -> None:
        self.left_out.setdefault(reason, []).append(path)

    def _take(self, path: Path, address: Address | None = None) -> None:
        try:
            pages = pages_of(path)
        except OSError as error:
            raise _unreadable(path, error) from None
        stem = address.stem if address else path.stem
        for page in pages if len(pages) > 1 else [None]:
            name = stem if page is None else f"{stem}-page{page + 1}"
            source = Source(path, name, page, address)
            self.found.setdefault((self._real_folder(path.parent), path.name, page), source)


def _is_here(text: str) -> bool:
    """Whether a path exists, be it a link that leads nowhere. Raises DataError where that cannot be known."""
    try:
        os.lstat(text)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise _unreadable(Path(text), error) from None
    return True


def _look_at(path: Path) -> Content:
    """What a file holds. Raises DataError for what is no file or cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            if is_camera(path):
                raise camera_refusal(str(path))
            raise DataError(
                f"{printable(str(path))} is no file; {_GIVE}, or send a picture to standard input and give -"
            )
        return content_of(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{printable(str(path))} cannot be read ({error.strerror}); correct the path or its permissions")


def _promises(path: Path) -> bool:
    """Whether the suffix is that of a picture or video."""
    return path.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES


def _refusal(path: Path, content: Content) -> DataError:
    """Why a file is neither picture nor video, and what to give instead."""
    shown = printable(str(path))
    if content.foreign:
        return DataError(f"{shown} is {content.name}, which cannot be read here; convert it to JPEG")
    if content == EMPTY:
        return DataError(f"{shown} is empty; {_GIVE}")
    return DataError(f"{shown} holds {content.name}, no picture or video that is known; {_GIVE}")
