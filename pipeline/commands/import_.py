"""`keypoints import`: a dataset out of pictures and labels in another format."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facial_keypoints.core.terminal import say, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.importing.importing import Imported
    from pipeline.importing.request import Request


class LabelFormat(StrEnum):
    """Formats of labels; see `pipeline.datasets.formats`."""

    pts = "pts"
    dlib = "dlib"
    coco = "coco"
    cvat = "cvat"
    label_studio = "label-studio"
    wflw = "wflw"
    cofw = "cofw"
    helen = "helen"
    deeplabcut = "deeplabcut"
    csv = "csv"
    course = "course"


class ExifWay(StrEnum):
    """What labels of a picture with an EXIF orientation are of."""

    shown = "shown"
    stored = "stored"


_NAME = re.compile(r"\w[\w.-]{0,59}")


def import_labels(
    format_: Annotated[
        LabelFormat, typer.Option("--format", metavar="FORMAT", help=f"Format of the labels: {', '.join(LabelFormat)}.")
    ],
    labels: Annotated[Path, typer.Option(metavar="FILE|FOLDER", help="File of labels, or folder of such.")],
    name: Annotated[str, typer.Option(help="Of the dataset: a folder of datasets/, a value of fetch.source.")],
    images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the pictures; else that of the labels.")
    ] = None,
    test_labels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Labels that are the official test, in --labels or elsewhere; may be given several times. Else groups "
            "are chosen at random.",
        ),
    ] = None,
    test_images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder of the pictures of the test; else --images, or that of its labels."
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="Scheme: a file, or a name that `keypoints scheme` lists; else as the labels tell."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; tell all that is wrong.")] = False,
    skip_faulty: Annotated[bool, typer.Option("--skip-faulty", help="Leave out what is wrong.")] = False,
    test_frac: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the groups held out for the test; 0: test on the training.")
    ] = 0.2,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Random seed of the choice of groups for the test.")
    ] = 0,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="What stays together in one split: picture, folder, or a column of the labels, as person; else what "
            "the labels call a group, or the picture.",
        ),
    ] = None,
    first_pixel: Annotated[
        float | None,
        typer.Option(min=-10, max=10, help="Coordinate that the labels give the centre of the top left pixel."),
    ] = None,
    exif: Annotated[
        ExifWay, typer.Option(help="Whether labels are of turned pictures as they are shown, or as they are stored.")
    ] = ExifWay.shown,
    licence: Annotated[str, typer.Option(help="Licence of the pictures and labels.")] = "not told",
) -> None:
    """Make a dataset out of pictures and labels: then `dvc exp run -S fetch.source=NAME` trains on it.

    datasets/NAME is for git: description, scheme, labels, SHA-256 of the pictures. imported/NAME holds the pictures,
    where fetch finds them, and a contact sheet. Look at the sheet before you train.
    """
    from facial_keypoints.core.errors import ConfigError
    from pipeline.importing.importing import import_dataset
    from pipeline.importing.places import folder_of
    from pipeline.importing.request import Request

    if not _NAME.fullmatch(name):
        raise ConfigError("--name is letters, digits, -, _ and . and at most 60 of them, as in my-faces")
    if test_images and not test_labels:
        raise ConfigError("--test-images are the pictures of --test-labels; give both, or neither")
    request = Request(
        format=format_.value,
        labels=labels,
        images=images or folder_of(labels),
        test_labels=test_labels or (),
        test_images=test_images or images,
        name=name,
        scheme=scheme,
        first_pixel=first_pixel,
        stored=exif is ExifWay.stored,
        test_frac=test_frac,
        seed=seed,
        skip_faulty=skip_faulty,
        licence=licence,
        group_by=group_by,
    )
    if dry_run:
        _check(request)
        return
    _report(name, import_dataset(request))


def _check(request: "Request") -> None:
    from facial_keypoints.core.errors import DataError
    from facial_keypoints.core.text import amount
    from pipeline.datasets.formats.record import Fault
    from pipeline.importing.dataset_folder import left_out
    from pipeline.importing.importing import check_labels

    faults: list[bool] = []

    def tell_fault(fault: Fault) -> None:
        faults.append(fault.ends_file)
        say(f"{fault.where}: {fault.what}")

    found = check_labels(request, tell_fault)
    entries, files = faults.count(False), faults.count(True)
    _tell_points(found.point_names, found.notes)
    objects, pictures = amount(found.objects, "object"), amount(found.pictures, "picture")
    points, groups = amount(found.points, "point"), amount(found.groups, "group")
    say(f"{objects} of {points} in {pictures} and {groups} can be imported")
    if faults and request.skip_faulty:
        say(f"without --dry-run they are; left out: {left_out(entries, files)}")
    elif faults:
        told = left_out(entries, files, " entries cannot be imported")
        raise DataError(f"{told}; mend them, or leave them out with --skip-faulty")
    else:
        say("nothing is wrong; without --dry-run the dataset is made")


def _tell_points(names: "Sequence[str]", notes: "Sequence[str]") -> None:
    """Tell what the points are called, and what is odd about labels."""
    from pipeline.importing.told_points import numbered

    if names:
        say(f"points: {numbered(names)}")
    for note in notes:
        tell(f"note: {note}")


def _report(name: str, done: "Imported") -> None:
    from facial_keypoints.core.text import amount, brief
    from pipeline.importing.dataset_folder import left_out

    tally, scheme = done.tally, done.scheme
    objects = ", ".join(f"{split} {count:,}" for split, count in tally.objects.items())
    pictures, points = amount(done.pictures, "picture"), amount(scheme.count, "point")
    say(f"{_near(done.folder)}: {objects} objects in {pictures}, {points} each")
    _tell_points(done.point_names, done.notes)
    if tally.any_left_out:
        tell(f"note: {left_out(tally.left_out, tally.files_left_out, ' entries are left out')}")
    if tally.turned:
        tell(f"note: EXIF turns {tally.turned:,} pictures; if their points are off, import again with the other --exif")
    if tally.labelled < tally.points:
        tell(f"note: {tally.points - tally.labelled:,} of {tally.points:,} points are not labelled")
    if tally.in_both:
        tell(f"note: {tally.in_both:,} of {len(tally.groups):,} groups are in training and in test, as the labels say")
    if not tally.objects["training"]:
        tell(f"note: none trains; merge it with a dataset that does: fetch.source=OTHER+{name}")
    if tally.never_labelled:
        names = ", ".join(scheme.name_of(point) for point in sorted(tally.never_labelled))
        tell(f"note: no object labels {brief(names, 300)}: at most mirrored pictures teach these points")
    if done.guessed:
        pairs = [list(pair) for pair in scheme.mirror_pairs]
        say(f"guessed mirror pairs: {pairs}; check them: keypoints scheme --check {_near(done.folder)}/scheme.yaml")
        if not pairs:
            tell(
                "note: no mirror pair was found; if the points have a left and a right, write them into the scheme "
                "or train with -S augment.mirror_prob=0 -S model.coarse_to_fine.mirrored_view=false: mirrored pictures "
                "would teach wrong points"
            )
        _tell_schemes_of(scheme.count)
    say(f"look at {_near(done.sheet)}, then: dvc exp run -S fetch.source={name}")
    if not tally.objects["test"]:
        say("  with -S split.drop_test_copies=false -S split.val_people_frac=0, as the test repeats the training")


def _tell_schemes_of(count: int) -> None:
    """Tell what shipped schemes have as many points: labels may be of one, and then serve with all that knows it."""
    from pipeline.datasets.shipped_schemes import find_scheme, shipped_names

    if alike := [name for name in shipped_names() if find_scheme(name).count == count]:
        asked = " or ".join(f"--scheme {name}" for name in alike)
        tell(f"note: if these are points of a scheme that comes along, remove what was made and import with {asked}")


def _near(path: Path) -> Path:
    """The path as it is typed in the present folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
