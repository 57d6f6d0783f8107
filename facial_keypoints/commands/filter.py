"""`keypoints filter`: wear something, hide faces, cut them out, exchange them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facial_keypoints.commands.predict import Detector, DetectorModel, MinScore, Model, Output, Paths, Video
from facial_keypoints.core.terminal import say

# Written out so that --help need not load the filters; a test compares it with theirs.
Name = Literal["sunglasses", "hat", "moustache", "sticker", "blur", "pixelate", "crop", "swap", "mesh"]
_CROP_PX = 256

Every = Annotated[bool, typer.Option("--all/--largest", help="Every face, or only the largest.")]
Size = Annotated[int | None, typer.Option(min=16, max=4096, help="Side of a crop in pixels.", show_default="256")]
Png = Annotated[Path | None, typer.Option(help="Your own picture for --name sticker, best with transparency.")]
Anchors = Annotated[
    Path | None, typer.Option(help="YAML or JSON file that says where keypoints lie in it; see docs/using.md.")
]


def filter_faces(
    path: Paths,
    name: Annotated[Name, typer.Option(help="What to do with the faces.")],
    output: Output = Path("filtered"),
    model: Model = None,
    detector: Detector = "haar",
    detector_model: DetectorModel = None,
    min_score: MinScore = None,
    every: Every = True,
    size: Size = None,
    png: Png = None,
    anchors: Anchors = None,
    video: Video = None,
) -> None:
    """Put sunglasses, a hat, a moustache or your own picture on faces; blur, pixelate, crop, swap or mesh them."""
    from facial_keypoints.detector import KeypointDetector
    from facial_keypoints.filters.apply import picture_filter
    from facial_keypoints.filters.files import Job, filter_files
    from facial_keypoints.filters.sticker import load_sticker
    from facial_keypoints.inputs.sources import find_sources
    from facial_keypoints.outputs.output_folder import OutputFolder
    from facial_keypoints.prediction.batch import announce

    _check(name, every, size, png, anchors)
    sticker = load_sticker(png, anchors) if png and anchors else None
    apply = picture_filter(name, crop_px=size or _CROP_PX, sticker=sticker)
    found = KeypointDetector.load(model, detector=detector, detector_model=detector_model, min_score=min_score)
    folder = OutputFolder(output)
    inputs = find_sources(path, folder, ending=f"_{name}")
    announce(inputs)
    tally = filter_files(Job(found, name, apply, folder, every, video), inputs.sources)
    tally.skipped += inputs.undone
    say(f"{tally}, in {output}" if inputs.sources else str(tally))
    if tally.skipped:
        raise typer.Exit(1)


def _check(name: str, every: bool, size: int | None, png: Path | None, anchors: Path | None) -> None:
    """Raises DataError for options that the filter would not heed."""
    from facial_keypoints.core.errors import DataError

    if name == "sticker" and not (png and anchors):
        raise DataError("--name sticker needs your picture and its anchors; give --png and --anchors")
    if name != "sticker" and (png or anchors):
        raise DataError(f"--png and --anchors are for --name sticker, not {name}; leave them out")
    if name != "crop" and size is not None:
        raise DataError(f"--size is the side of a crop, not of {name}; leave it out")
    if name == "swap" and not every:
        raise DataError("--largest leaves one face but swap needs two; leave --largest out")
