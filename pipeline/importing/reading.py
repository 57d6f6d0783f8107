"""Go through labels and pictures once: samples, and what is wrong with the entries that give none."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import MOST_POINTS
from facial_keypoints.core.text import brief
from pipeline.datasets.formats import UNREADABLE, Format
from pipeline.datasets.formats.names import Told
from pipeline.datasets.formats.record import Fault, Record
from pipeline.datasets.label_table import Sample
from pipeline.importing.pictures import Picture, PictureFolder, load_picture
from pipeline.importing.places import Place, common_folder, files_of
from pipeline.importing.samples import Convention, group_of, sample_of

_KEPT_PICTURES = 4
"""Decoded pictures that are kept, for the next object in one of them."""


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
        self._folders = {place: PictureFolder(self.pictures, place.images) for place in places}
        self.told = _told(kind, places)
        """What the labels tell of their points."""
        self.reordered = bool(names) and sorted(names) == sorted(self.told.names)
        self._order = [self.told.names.index(name) for name in names] if self.reordered else None
        self.count: int | None = None
        """Number of points that each object should have; None: as many as the first has."""
        self.manifest: dict[str, str] = {}
        """SHA-256 of each picture with a sample, by its path below the folder of pictures."""
        self.turned: dict[str, None] = {}
        """Pictures that EXIF has shown in another way than they are stored."""
        self.tells_groups = False
        """Whether labels tell what is kept together."""
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._seen: set[bytes] = set()

    def items(self, put: PutPicture) -> Iterator[Sample | Fault]:
        """Samples and faults in the order of the labels; `put` gets each picture with a sample once."""
        for place, file in files_of(self._places, self._kind):
            try:
                for entry in self._kind.read(file, place.root, self.told.names):
                    yield entry if isinstance(entry, Fault) else self._item(entry, place, put)
            except DataError as error:
                yield Fault(file.name, str(error))
            except UNREADABLE as error:
                yield Fault(file.name, _not_of_the_format(error))

    def _item(self, record: Record, place: Place, put: PutPicture) -> Sample | Fault:
        try:
            name, picture = self._picture(record, place)
            sample = self._sample(record, name, picture)
        except (ValueError, OSError) as error:
            return Fault(record.where, str(error))
        self.tells_groups |= record.group is not None
        if name not in self.manifest:
            put(name, record.content)
            self.manifest[name] = picture.sha256
            if picture.orientation != 1:
                self.turned[name] = None
        return sample if sample.split == "test" else replace(sample, split=place.split or sample.split)

    def _sample(self, record: Record, name: str, picture: Picture) -> Sample:
        if self.count is None:
            if len(record.points) > MOST_POINTS:
                raise ValueError(f"it has {len(record.points):,} points; {MOST_POINTS:,} are the most of a scheme")
            self.count = len(record.points)
        if len(record.points) != self.count:
            raise ValueError(f"it has {len(record.points)} points where {self.count} are expected")
        group = group_of(record, name, self._group_by)
        sample = self._in_order(sample_of(record, picture, name, group, self._convention))
        key = hashlib.sha256(name.encode() + b"\0" + sample.points.tobytes()).digest()[:12]
        if key in self._seen:
            raise ValueError("an entry before it has the same points in the same picture")
        self._seen.add(key)
        return sample

    def _picture(self, record: Record, place: Place) -> tuple[str, Picture]:
        name = record.picture if record.content is not None else self._folders[place].find(record.picture)
        if name not in self._pictures:
            content = record.content if record.content is not None else (self.pictures / name).read_bytes()
            try:
                self._pictures[name] = load_picture(content)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return name, self._pictures[name]

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
