"""Where labels and their pictures lie: all in one place, or those of an official test in others."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.errors import DataError
from pipeline.datasets.formats import Format


@dataclass(frozen=True)
class Place:
    """Labels, and the folder of their pictures."""

    labels: Path
    """A file, or a folder of such."""
    images: Path
    root: Path
    """The folder from which the labels name their pictures, and messages the labels."""
    split: str | None = None
    """Of its objects, training or test, but for those that the labels call test; None: as the labels tell."""


def folder_of(labels: Path) -> Path:
    """The folder of labels, which are a file or a folder."""
    return labels if labels.is_dir() else labels.parent


def places_of(labels: Path, images: Path, test_labels: Sequence[Path], test_images: Path | None) -> list[Place]:
    """The place of the labels, then those of the official test, if there is one.

    Labels of the test that lie among the others name their pictures as those do, and in the same folder. Pictures of
    others, or where `test_images` is another folder than `images`, lie there, or else beside the labels. Raises
    DataError for a folder of pictures that is not there.
    """
    root = folder_of(labels)
    places = [Place(labels, images, root, "training" if test_labels else None)]
    for test in test_labels:
        among = Path(os.path.abspath(test)).is_relative_to(os.path.abspath(root))
        if among and test_images in (None, images):
            places.append(Place(root / os.path.relpath(test, root), images, root, "test"))
        else:
            places.append(Place(test, test_images or folder_of(test), folder_of(test), "test"))
    for place in places:
        if not place.images.is_dir():
            option = "--test-images" if place.split == "test" else "--images"
            raise DataError(f"there is no folder {place.images}; name that of the pictures with {option}")
    return places


def files_of(places: Sequence[Place], kind: Format) -> Iterator[tuple[Place, Path]]:
    """Each file of labels once, with its place; one of the test counts there alone, wherever it lies.

    Raises DataError where a place has none, or none is left to train.
    """
    training, *tests = places
    test_files: dict[Path, tuple[Place, Path]] = {}
    for place in tests:
        for file in kind.files(place.labels):
            test_files.setdefault(file.resolve(), (place, file))
    left = 0
    for file in kind.files(training.labels):
        if not test_files or file.resolve() not in test_files:
            left += 1
            yield training, file
    if not left:
        raise DataError(f"{training.labels} has no labels but those of --test-labels; name those that train, too")
    yield from test_files.values()


def common_folder(places: Sequence[Place]) -> Path:
    """The folder below which the pictures of all places lie."""
    folders = {place.images.resolve() for place in places}
    return places[0].images if len(folders) == 1 else Path(os.path.commonpath(folders))
