"""Go through labels and pictures once: samples, and what is wrong with the entries that give none."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import MOST_POINTS
from facial_keypoints.core.text import brief, reason_of, shown
from pipeline.datasets.formats import UNREADABLE, Format
from pipeline.datasets.formats.names import Told, as_written
from pipeline.datasets.formats.record import Fault, Record, below
from pipeline.datasets.label_table import Sample
from pipeline.importing.oddities import Oddities
from pipeline.importing.picture_folder import PictureFolder, Way, fit_for_manifest
from pipeline.importing.pictures import Picture, load_picture
from pipeline.importing.places import Place, common_folder, files_of
from pipeline.importing.samples import Convention, group_of, sample_of

_KEPT_PICTURES = 4
"""Decoded pictures that are kept, for the next object in one of them."""
_LONGEST_REASON = 1000
"""Characters of what is wrong with an entry: names of files may be among them."""


PutPicture = Callable[[str, bytes | None], None]
"""What becomes of a picture: its path below the folder of pictures, and its content where the labels hold it."""


class Reading:
    """One way through the labels of a format, those that train before those of an official test."""

    def __init__(
        self,
        kind: Format,
        places: Sequence[Place],
        convention: Convention,
        group_by: str | None,
        names: Sequence[str],
    ) -> None:
        """group_by: see `group_of`. names: the order of a scheme's points, where it names them."""
        self._kind, self._places, self._convention, self._group_by = kind, places, convention, group_by
        self.pictures = common_folder(places)
        """The folder below which all pictures lie."""
        ways: dict[str, Way] = {}
        self._folders = {place: PictureFolder(self.pictures, place.images, ways) for place in places}
        self.told = _told(kind, places)
        """What the labels tell of their points."""
        own = as_written(self.told.names, names)
        self.reordered = bool(names) and sorted(names) == sorted(own)
        self._order = [own.index(name) for name in names] if self.reordered else None
        self.count: int | None = None
        """Number of points that each object should have; None: as many as the first has."""
        self.manifest: dict[str, str] = {}
        """SHA-256 of each picture with a sample, by its path below the folder of pictures."""
        self.turned: dict[str, None] = {}
        """Pictures that EXIF has shown in another way than they are stored."""
        self.tells_groups = False
        """Whether labels tell what is kept together."""
        self.of_test_labels = 0
        """Objects of the labels of an official test."""
        self.oddities = Oddities()
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._seen: set[bytes] = set()

    def items(self, put: PutPicture) -> Iterator[Sample | Fault]:
        """Samples and faults in the order of the labels; `put` gets each picture with a sample once."""
        for place, file in files_of(self._places, self._kind):
            name, begun = below(file, place.root), False
            try:
                for entry in self._kind.read(file, place.root, self.told.names):
                    begun = True
                    yield entry if isinstance(entry, Fault) else self._item(entry, place, file, put)
            except (DataError, *UNREADABLE) as error:
                what = str(error) if isinstance(error, DataError) else _not_of_the_format(error)
                yield Fault(f"the rest of {name}" if begun else name, what, ends_file=True)

    def _item(self, record: Record, place: Place, file: Path, put: PutPicture) -> Sample | Fault:
        try:
            name, picture = self._picture(record, self._folders[place], file)
            sample = self._sample(record, name, picture)
        except (ValueError, OSError) as error:
            return Fault(record.where, brief(reason_of(error), _LONGEST_REASON))
        self.tells_groups |= record.group is not None
        self.of_test_labels += place.split == "test"
        if name not in self.manifest:
            put(name, record.content)
            self.manifest[name] = picture.sha256
            if picture.orientation != 1:
                self.turned[name] = None
        return sample if sample.split == "test" else replace(sample, split=place.split or sample.split)

    def _sample(self, record: Record, name: str, picture: Picture) -> Sample:
        count = len(record.points)
        if count > MOST_POINTS:
            raise ValueError(f"it has {count:,} points; {MOST_POINTS:,} are the most of a scheme")
        if self.count not in (None, count):
            raise ValueError(f"it has {count} points where {self.count} are expected")
        group = group_of(record, name, self._group_by)
        sample = self._in_order(sample_of(record, picture, name, group, self._convention))
        key = hashlib.sha256(name.encode() + b"\0" + sample.points.tobytes()).digest()[:12]
        if key in self._seen:
            raise ValueError("an entry before it has the same points in the same picture")
        self._seen.add(key)
        self.count = count
        self.oddities.look_at(record, picture, self._convention)
        return sample

    def _picture(self, record: Record, folder: PictureFolder, file: Path) -> tuple[str, Picture]:
        """The path of a picture below the folder of all, and the picture."""
        if record.content is not None:
            return self._held_picture(record.picture, record.content)
        name = folder.find(record.picture, record.other_name, file.parent)
        if name not in self._pictures:
            content = (self.pictures / name).read_bytes()
            try:
                self._pictures[name] = load_picture(content)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return name, self._pictures[name]

    def _held_picture(self, name: str, content: bytes) -> tuple[str, Picture]:
        """A picture that the labels hold."""
        picture = load_picture(content)
        if self.manifest.get(name, picture.sha256) != picture.sha256:
            raise ValueError(f"another picture is called {shown(name)} already; rename the file of labels")
        return fit_for_manifest(name), picture

    def _in_order(self, sample: Sample) -> Sample:
        if self._order is None:
            return sample
        order = np.array(self._order)
        points, flags = sample.points[order], sample.visibility[order]
        return Sample(sample.picture, sample.group, sample.split, sample.frame, points, flags)


def _told(kind: Format, places: Sequence[Place]) -> Told:
    """What the first file that names points tells, else the first that can be read.

    Raises DataError where none can.
    """
    found: list[Told] = []
    errors: list[DataError] = []
    for _, file in files_of(places, kind):
        try:
            told = kind.facts(file) if kind.facts else Told()
        except DataError as error:
            errors.append(error)
        except UNREADABLE as error:
            errors.append(DataError(f"{file}: {_not_of_the_format(error)}"))
        else:
            if told.names or kind.facts is None:
                return told
            found.append(told)
    if not found:
        raise errors[0]
    return found[0]


def _not_of_the_format(error: Exception) -> str:
    return f"it is not as this --format has it ({brief(str(error) or type(error).__name__, 100)})"
