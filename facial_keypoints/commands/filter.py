"""`keypoints filter`: wear something, hide faces, cut them out, exchange them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facial_keypoints.commands.predict import Detector, DetectorModel, MinScore, Model, Output, Paths, Video

# Written out so that --help need not load the filters; a test compares it with theirs.
Name = Literal["sunglasses", "hat", "moustache", "sticker", "blur", "pixelate", "crop", "swap", "mesh"]
_CROP_PX = 256
_STICKER = "With --name sticker"
"""Panel of the help."""

Every = Annotated[bool, typer.Option("--all/--largest", help="Filter every face, or only the largest.")]
Size = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", min=16, max=4096, help="With --name crop: side of a crop.", show_default="256"),
]
Png = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your picture, best with transparency.", rich_help_panel=_STICKER),
]
Anchors = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="YAML or JSON: where keypoints lie in it; see docs/using.md.",
        rich_help_panel=_STICKER,
    ),
]


def filter_sources(
    path: Paths,
    name: Annotated[
        Name, typer.Option(metavar="FILTER", help=f"What to do with the faces: {', '.join(Name.__args__)}.")
    ],
    output: Output = "filtered",
    model: Model = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    min_score: MinScore = None,
    every: Every = True,
    size: Size = None,
    png: Png = None,
    anchors: Anchors = None,
    video: Video = None,
) -> None:
    """Put sunglasses, a hat or your own picture on faces; hide, crop or swap them.

    Example: keypoints filter --name pixelate party/ clip.mp4 -o hidden
    """
    from facial_keypoints.commands.standard_output import STDOUT, check_standard_output, output_folder, say_result
    from facial_keypoints.core.errors import ModelError
    from facial_keypoints.core.scheme import IBUG_68
    from facial_keypoints.detector import KeypointDetector
    from facial_keypoints.filters.apply import picture_filter
    from facial_keypoints.filters.files import HIDING, Job, filter_files
    from facial_keypoints.filters.sticker import load_sticker
    from facial_keypoints.inputs.search import find_sources
    from facial_keypoints.network import tell_model
    from facial_keypoints.prediction.messages import announce
    from facial_keypoints.prediction.standard_output import refuse_all_but_one_picture

    _check(name, every, size, png, anchors)
    if output == STDOUT:
        check_standard_output(binary=True)
        _check_printed(video)
    folder = output_folder(output)
    sticker = load_sticker(png, anchors) if png and anchors else None
    apply = picture_filter(name, crop_px=size or _CROP_PX, sticker=sticker)
    found = KeypointDetector.load(
        model,
        detector=detector,
        detector_model=detector_model,
        min_score=min_score,
        suspicious=name in HIDING,
    )
    if model is None:
        tell_model(found.network)
    if found.network.scheme != IBUG_68:
        raise ModelError(
            f"--name {name} needs {IBUG_68.title}, and this model has {found.network.scheme.title}; choose "
            "another with --model"
        )
    with find_sources(path, folder, ending=f"_{name}") as inputs:
        announce(inputs)
        if not folder:
            refuse_all_but_one_picture(inputs.sources, f"--name {name}")
        tally = filter_files(Job(found, name, apply, folder, every, video), inputs.sources)
    tally.skipped += inputs.undone
    say_result(f"{tally}, in {output}" if tally.done and folder else str(tally), output)
    if tally.skipped:
        raise typer.Exit(1)


def _check(name: str, every: bool, size: int | None, png: Path | None, anchors: Path | None) -> None:
    """Raise DataError for options that the filter would not heed."""
    from facial_keypoints.core.errors import DataError

    if name == "sticker" and not (png and anchors):
        raise DataError("--name sticker needs your picture and its anchors; give --png and --anchors")
    if name != "sticker" and (png or anchors):
        raise DataError(f"--png and --anchors are for --name sticker, not {name}; leave them out")
    if name != "crop" and size is not None:
        raise DataError(f"--size is the side of a crop, not of {name}; leave it out")
    if name == "swap" and not every:
        raise DataError("--largest leaves one face but swap needs two; leave --largest out")


def _check_printed(video: str | None) -> None:
    """Raise DataError for an option of videos, which are not written to standard output."""
    from facial_keypoints.core.errors import DataError

    if video:
        raise DataError("--video is for videos in a folder, not for --output -; leave it out")
