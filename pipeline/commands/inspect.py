"""`keypoints inspect`: what the network learned and where it looks."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.predict import Model
from pipeline.terminal import say, tell


def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A picture; its largest face is looked at.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figures and index.html.")] = Path(
        "inspected"
    ),
    model: Model = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="Layer to show maps and kernels of, once for each; else the last of each size of maps."),
    ] = None,
    points: Annotated[
        str, typer.Option(help="Points to ask about: numbers 0..67, ranges, regions, each a panel: 30,36-41,mouth.")
    ] = "8,19,30,36,48,jaw",
    whole: Annotated[bool, typer.Option("--whole", help="The picture is one face, framed as in the dataset.")] = False,
) -> None:
    """Show what the network learned and where it looks, on one face: figures and one page of HTML."""
    from pipeline.detector import KeypointDetector
    from pipeline.first_picture import first_picture
    from pipeline.inspection.choice import point_groups
    from pipeline.inspection.report import Subject, write_report
    from pipeline.inspection.subject import frame_of_largest_face, frame_of_whole
    from pipeline.models import count_parameters
    from pipeline.output_folder import OutputFolder
    from pipeline.text import printable

    groups, folder = point_groups(points), OutputFolder(output, [path])
    picture, unseen = first_picture(path)
    if unseen:
        tell(f"note: {unseen}")
    detector = KeypointDetector.load(model)
    shown = printable(path.name)
    crop = frame_of_whole(detector, picture) if whole else frame_of_largest_face(detector, picture, shown)
    network = detector.network.cpu()
    facts = {
        "picture": shown,
        "network": f"{type(network).__name__}, {count_parameters(network) / 1e6:.2f} million parameters",
        "SHA-256 of the model": detector.digest,
    }
    subject = Subject(shown, crop)
    page = write_report(network, subject, folder, layers=layer or [], groups=groups, facts=facts)
    say(f"open {page}")
