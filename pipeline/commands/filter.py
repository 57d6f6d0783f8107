"""`keypoints filter`: wear something, hide faces, cut them out, exchange them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

# Written out so that --help need not load the filters; a test compares it with theirs.
Name = Literal["sunglasses", "hat", "moustache", "sticker", "blur", "pixelate", "crop", "swap", "mesh"]


def filter_faces(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures.")],
    name: Annotated[Name, typer.Option(help="What to do with the faces.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what is made.")] = Path("filtered"),
    model: Annotated[
        str | None, typer.Option(help="Model file or MLflow URI; else the model of this workspace.")
    ] = None,
    every: Annotated[bool, typer.Option("--all/--largest", help="Every face, or only the largest.")] = True,
    size: Annotated[
        int | None, typer.Option(min=16, max=4096, help="Side of a crop in pixels; 256 if not given.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Your own picture for --name sticker, best with transparency.")
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="YAML or JSON file that says where keypoints lie in it; see the README.")
    ] = None,
) -> None:
    """Put sunglasses, a hat, a moustache or your own picture on faces; blur, pixelate, crop, swap or mesh them."""
    from pipeline.detector import KeypointDetector
    from pipeline.errors import DataError
    from pipeline.filters.apply import picture_filter
    from pipeline.filters.files import filter_pictures
    from pipeline.filters.sticker import load_sticker

    if (name == "sticker") != (png is not None and anchors is not None):
        raise DataError(
            "--name sticker needs --png and --anchors, and no other filter takes them; give all three or none"
        )
    if size is not None and name != "crop":
        raise DataError(f"--size is the side of a crop and --name is {name}; leave --size out")
    sticker = load_sticker(png, anchors) if png and anchors else None
    apply = picture_filter(name, crop_px=size or 256, sticker=sticker)
    failed = filter_pictures(KeypointDetector.load(model), apply, paths, output, name=name, every=every)
    if failed:
        raise typer.Exit(1)
