"""Finds the pictures that labels name, which may be from another machine, or lack their endings."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from facial_keypoints.core.text import shown

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Of pictures that labels name without, in any case."""
_LONGEST_NAME, _LONGEST_PATH = 255, 4000
"""Bytes of a file's name on the usual systems, and of a path that leaves room for what stands before it."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a picture was found."""

    name: str
    """As the labels call it."""
    without: str
    """What of the name was left away."""


class PictureFolder:
    """Finds the pictures that labels name in a folder."""

    def __init__(self, all_pictures: Path, folder: Path, ways: dict[str, Way]) -> None:
        """`folder` is `all_pictures` or a folder in that, from which pictures are named.

        ways: how each picture below `all_pictures` was found, kept by all who find some there.
        """
        self._folder, self._ways = folder, ways
        self._before = _prefix(folder.resolve(), all_pictures.resolve()) or ""
        self._left_away: int | None = None
        self._listed: dict[str, dict[str, list[str]]] = {}
        self._near: dict[Path, str] = {}

    def find(self, name: str, other_name: str | None, beside: Path) -> str:
        """Path below the folder of all pictures of the one that a label calls `name`, which may lack its ending.

        It is looked for in the folder `beside`, that of the labels, if that lies below this one, then in this one, and
        by its `other_name`, if there is one, only where it has not the first. Labels may be from another machine: of
        the folders before the name as many are left away as it takes to find the first picture, and of all others then
        as many. Raises ValueError where there is none, another name found the same, or it cannot stand in a manifest.
        """
        for called in filter(None, (name, other_name)):
            parts = _parts(called)
            for first in range(len(parts)) if self._left_away is None else [self._left_away]:
                if found := self._below("/".join(parts[first:]), beside):
                    self._left_away = first
                    without = "/".join(parts[:first]) if called == name else name
                    return self._one_way(fit_for_manifest(self._before + found), Way(name, without))
        raise ValueError(f"there is no picture {shown(name)} in {self._folder}")

    def _below(self, name: str, beside: Path) -> str | None:
        """Path below this folder of the picture `name` in `beside`, or else here."""
        if beside not in self._near:
            near = _prefix(Path(os.path.abspath(beside)), Path(os.path.abspath(self._folder)))
            self._near[beside] = near or _prefix(beside.resolve(), self._folder.resolve()) or ""
        for prefix in dict.fromkeys((self._near[beside], "")) if name else ():
            if found := self._with_ending(prefix + name):
                return found
        return None

    def _one_way(self, found: str, way: Way) -> str:
        """`found`, which is refused where a name that differs in what was left away of it has led there."""
        if (first := self._ways.setdefault(found, way)).without != way.without:
            raise ValueError(
                f"{shown(first.name)} and {shown(way.name)} are both found as {shown(found)}; keep the "
                "pictures in folders as they are named"
            )
        return found

    def _with_ending(self, name: str) -> str | None:
        """The name of the picture `name`, or of the only one that is called so but for its ending or the case of it."""
        if (self._folder / name).is_file():
            return name
        before, _, last = name.rpartition("/")
        names = self._names(before)
        stem, ending = os.path.splitext(last)
        found = names.get(last) or [one for one in names.get(stem, []) if one[len(stem) :].lower() == ending.lower()]
        if len(found) > 1:
            raise ValueError(f"{shown(name)} may be {found[0]} or {found[1]}; name the ending, or remove one")
        return f"{before}/{found[0]}".lstrip("/") if found else None

    def _names(self, below: str) -> dict[str, list[str]]:
        """Names of the pictures in a folder below this one, by what they are called without their ending."""
        if below not in self._listed:
            found = self._listed[below] = {}
            folder = self._folder / below
            for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
                stem, ending = os.path.splitext(name)
                if ending.lower() in ENDINGS:
                    found.setdefault(stem, []).append(name)
        return self._listed[below]


def _prefix(folder: Path, of: Path) -> str | None:
    """What stands before names in a folder to name them from the folder `of`; None where it lies elsewhere."""
    if not folder.is_relative_to(of):
        return None
    below = folder.relative_to(of).as_posix()
    return "" if below == "." else f"{below}/"


def _parts(name: str) -> list[str]:
    """The folders and the file of a name from any system. Raises ValueError where no file can be called so."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part.strip("/") not in ("", ".", "..")]
    sizes = [len(part.encode(errors="surrogatepass")) for part in parts]
    if max(sizes, default=0) > _LONGEST_NAME or sum(sizes) > _LONGEST_PATH:
        raise ValueError(f"no picture can be called {shown(name)}, which has {len(name):,} characters")
    return parts


def fit_for_manifest(name: str) -> str:
    """The name of a picture. Raises ValueError where it cannot stand in a list of files."""
    if not name.isprintable() or "\\" in name or "::" in name or name != name.strip():
        raise ValueError(f"the picture's name {shown(name)} has characters that no list of files can hold; rename it")
    return name
