"""From labels and pictures to a dataset that fetch finds, whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.atomic_files import whole_folder
from facial_keypoints.core.errors import ConfigError, DataError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.terminal import tell
from pipeline.core.paths import workspace_root
from pipeline.datasets import definition
from pipeline.datasets.formats import FORMATS
from pipeline.datasets.formats.record import Fault
from pipeline.datasets.label_table import LABEL_TABLE, Sample, write_label_table
from pipeline.datasets.object_frames import read_upright
from pipeline.datasets.shipped_schemes import find_scheme
from pipeline.importing.chosen import Chosen
from pipeline.importing.contact_sheet import contact_sheet
from pipeline.importing.dataset_folder import IMPORTED, PICTURES, Tally, facts_of, write_dataset_folder
from pipeline.importing.pictures import place_picture
from pipeline.importing.places import places_of
from pipeline.importing.reading import Reading
from pipeline.importing.request import Request
from pipeline.importing.samples import Convention
from pipeline.importing.scheme_of_labels import guessed_scheme
from pipeline.importing.splits import write_with_splits
from pipeline.importing.told_in_card import grouping, how_read
from pipeline.importing.told_points import (
    names_of,
    refuse_names_of_no_scheme,
    tell_of_names,
    tell_of_unused,
    without_stray_lines,
)

_TOLD_FAULTS = 20
CONTACT_SHEET = "contact_sheet.png"
_SPOOL = "spool.csv"
"""The table before it is known which groups are the test."""


@dataclass(frozen=True)
class Imported:
    """What came of it."""

    folder: Path
    sheet: Path
    scheme: Scheme
    guessed: bool
    """Whether the scheme was made from the labels."""
    tally: Tally
    pictures: int
    point_names: Sequence[str]
    """In their order; none where points have only numbers."""
    notes: Sequence[str]
    """What is odd."""


@dataclass(frozen=True)
class Checked:
    """What an import would make of labels."""

    objects: int
    pictures: int
    groups: int
    points: int
    """Of each object."""
    point_names: Sequence[str]
    """In their order; none where points have only numbers."""
    notes: Sequence[str]
    """What is odd."""


def check_labels(request: Request, on_fault: Callable[[Fault], None]) -> Checked:
    """Go through labels and pictures as `import_dataset` does, and write nothing. Raises ConfigError, DataError.

    `on_fault` gets everything that is wrong with an entry.
    """
    reading, scheme = _begin(request)
    objects, faults, groups = 0, 0, set()
    for item in progress(reading.items(lambda name, content: None), label="check", total=0, unit="objects"):
        if isinstance(item, Fault):
            faults += 1
            on_fault(item)
        else:
            objects += 1
            groups.add(item.group)
    if not objects:
        raise DataError(f"{request.labels} holds no object that can be imported")
    if request.skip_faulty or not faults:
        _refuse_no_test(request, reading)
    _free_places(request)
    names, notes = names_of(scheme, reading.told), reading.oddities.notes()
    return Checked(objects, len(reading.manifest), len(groups), reading.count or 0, names, notes)


def import_dataset(request: Request) -> Imported:
    """Make datasets/NAME and imported/NAME. Raises ConfigError and DataError; then there is neither."""
    target, store = _free_places(request)
    reading, scheme = _begin(request)
    chosen, tally = Chosen(request.seed), Tally()
    with whole_folder(target) as folder, whole_folder(store) as kept:
        items = reading.items(partial(place_picture, reading.pictures, kept / PICTURES))
        items = _with_test(items, request, reading)
        how = _write_labels(folder, items, request, tally, chosen)
        made = scheme or _guessed(request, reading, chosen.shapes(reading.count or 0))
        note = "Of these labels." if scheme else "Made from the labels: look at its pairs with keypoints scheme --check"
        tally.turned = len(reading.turned)
        told = how_read(request, reading) | {"split": how}
        facts = facts_of(tally, len(reading.manifest), made, grouping(request, reading), told)
        write_dataset_folder(folder, request.name, made, note, reading.manifest, facts)
        on_sheet = ((sample, _pixels(kept / PICTURES / sample.picture)) for sample in chosen.samples)
        (kept / CONTACT_SHEET).write_bytes(cv2.imencode(".png", contact_sheet(on_sheet, made))[1].tobytes())
    return Imported(
        folder=target,
        sheet=store / CONTACT_SHEET,
        scheme=made,
        guessed=scheme is None,
        tally=tally,
        pictures=len(reading.manifest),
        point_names=names_of(scheme, reading.told),
        notes=reading.oddities.notes(),
    )


def _free_places(request: Request) -> tuple[Path, Path]:
    """The folders of the dataset in git and of its pictures. Raises ConfigError where one is there already."""
    places = definition.DATASETS / request.name, workspace_root() / IMPORTED / request.name
    for place in places:
        if place.exists():
            raise ConfigError(f"{place} is there already; remove it, or choose another --name")
    return places


def _write_labels(folder: Path, items: Iterator[Sample | Fault], request: Request, tally: Tally, chosen: Chosen) -> str:
    """Write the table of labels, and say how the test was chosen."""
    first = _first(items, request, tally)
    count = len(first.points)
    write_label_table(folder / _SPOOL, count, _kept(first, items, request, tally, chosen))
    return write_with_splits(folder / _SPOOL, folder / LABEL_TABLE, count, tally, request.test_frac, request.seed)


def _begin(request: Request) -> tuple[Reading, Scheme | None]:
    kind = FORMATS[request.format]
    named = request.scheme or kind.scheme
    scheme = find_scheme(named) if named else None
    first_pixel = kind.first_pixel if request.first_pixel is None else request.first_pixel
    places = places_of(request.labels, request.images, request.test_labels, request.test_images)
    convention = Convention(first_pixel, request.stored)
    reading = Reading(kind, places, convention, request.group_by, scheme.point_names if scheme else ())
    tell_of_unused(reading.told, request.group_by)
    if scheme:
        reading.count = scheme.count
        tell_of_names(scheme, reading.told, reading.reordered)
    elif reading.told.names:
        reading.count = len(reading.told.names)
        reading.told = without_stray_lines(reading.told, request.labels)
        refuse_names_of_no_scheme(reading.told, request.labels)
    return reading, scheme


def _refuse_no_test(request: Request, reading: Reading) -> None:
    """Raise DataError where the labels of an official test gave no object: a test at random would pass for it."""
    if request.test_labels and not reading.of_test_labels:
        names = ", ".join(str(test) for test in request.test_labels)
        raise DataError(f"{names}: no object of --test-labels can be imported; mend them, or name others")


def _with_test(items: Iterator[Sample | Fault], request: Request, reading: Reading) -> Iterator[Sample | Fault]:
    """The items, and at their end the error where the official test is empty."""
    yield from items
    _refuse_no_test(request, reading)


def _guessed(request: Request, reading: Reading, shapes: np.ndarray) -> Scheme:
    """A scheme out of what labels tell; see `guessed_scheme`."""
    return guessed_scheme(request.name, reading.count or 0, reading.told, shapes)


def _first(items: Iterator[Sample | Fault], request: Request, tally: Tally) -> Sample:
    """The first sample, which tells how many points there are. Raises DataError where there is none."""
    for item in items:
        if isinstance(item, Sample):
            return item
        _meet(item, request, tally)
    raise DataError(f"{request.labels} holds no object that can be imported")


def _kept(
    first: Sample, items: Iterator[Sample | Fault], request: Request, tally: Tally, drawn: Chosen
) -> Iterator[Sample]:
    """All samples with their official split, or training; each is counted, and may come on the contact sheet."""

    def rest() -> Iterator[Sample | Fault]:
        yield first
        yield from items

    for item in progress(rest(), label="import", total=0, unit="objects"):
        if isinstance(item, Fault):
            _meet(item, request, tally)
            continue
        sample = replace(item, split=item.split or "training")
        tally.add(sample)
        drawn.offer(sample)
        yield sample


def _meet(fault: Fault, request: Request, tally: Tally) -> None:
    """Raise DataError of a fault, or count it where such entries are to be left out."""
    if not request.skip_faulty:
        raise DataError(
            f"{fault.where}: {fault.what}; see all that is wrong with --dry-run, or leave such entries out with "
            "--skip-faulty"
        )
    tally.left_out += not fault.ends_file
    tally.files_left_out += fault.ends_file
    if tally.left_out + tally.files_left_out <= _TOLD_FAULTS:
        tell(f"left out: {fault.where}: {fault.what}")


def _pixels(path: Path) -> np.ndarray:
    picture = read_upright(path)
    if picture is None:
        raise DataError(f"{path} can no longer be read; import again")
    return picture
