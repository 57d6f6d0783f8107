"""Filters on files: each picture read, its faces found and filtered, what comes of it written beside the others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer
from PIL import Image

from pipeline.detector import KeypointDetector
from pipeline.errors import DataError
from pipeline.files import whole
from pipeline.filters.apply import PictureFilter
from pipeline.progress import progress
from pipeline.reading import read_picture

_JPEG = frozenset((".jpg", ".jpeg"))
_JPEG_QUALITY = 95


def filter_pictures(
    detector: KeypointDetector, apply: PictureFilter, paths: Sequence[Path], output: Path, *, name: str, every: bool
) -> int:
    """Write <stem>_<name>.<jpg or png> for each picture; how many failed, each having been told in a line.

    Of a picture without faces a copy is written, where the filter gives whole pictures. No notes of the original
    (place, camera, small preview) go along.
    """
    failed, taken = 0, set[Path]()
    for path in progress(paths, label="filter", total=len(paths), unit="pictures"):
        try:
            made = _filtered(detector, apply, path, every)
        except DataError as error:
            failed += 1
            typer.echo(f"error: {error}", err=True)
            continue
        for number, picture in enumerate(made):
            suffix = ".jpg" if path.suffix.lower() in _JPEG else ".png"
            stem = f"{path.stem}_{name}" + (f"_{number}" if name == "crop" else "")
            write_picture(_free(output, stem, suffix, taken), picture)
    return failed


def _filtered(detector: KeypointDetector, apply: PictureFilter, path: Path, every: bool) -> list[np.ndarray]:
    picture = read_picture(path)
    faces = sorted(detector(picture), key=lambda face: face.box[2] * face.box[3])
    if not faces:
        typer.echo(f"{path}: no face found", err=True)
    try:
        return apply(picture, [face.keypoints.astype(np.float64) for face in (faces if every else faces[-1:])])
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _free(folder: Path, stem: str, suffix: str, taken: set[Path]) -> Path:
    """A name that no other picture of this run has."""
    path, number = folder / f"{stem}{suffix}", 2
    while path in taken:
        path, number = folder / f"{stem}_{number}{suffix}", number + 1
    taken.add(path)
    return path


def write_picture(path: Path, picture: np.ndarray) -> None:
    """An (H, W, 3) uint8 RGB picture as JPEG or PNG by the suffix of the path."""
    with whole(path) as partial:
        if path.suffix == ".jpg":
            Image.fromarray(picture).save(partial, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        else:
            Image.fromarray(picture).save(partial, "PNG")
