"""`keypoints inspect`: what the network learned and where it looks."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from facial_keypoints.core.terminal import say, tell


def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A picture; its largest face is looked at.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figures and index.html.")] = Path(
        "inspected"
    ),
    model: Annotated[
        str | None, typer.Option(help="Model file of a training, or MLflow URI; else the model of this workspace.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="Layer to show maps and kernels of, once for each; else the last of each size of maps."),
    ] = None,
    points: Annotated[
        str | None,
        typer.Option(
            help="Points to ask about: numbers from 0, ranges, regions, each a panel: 30,36-41,mouth.",
            show_default="8,19,30,36,48,jaw",
        ),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="Box round a face, or what else the model is for, instead of a search."),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="The picture is one face, framed as in the dataset.")] = False,
) -> None:
    """Show what the network learned and where it looks, on one face: figures and one page of HTML."""
    from facial_keypoints.commands.boxes import parse_boxes
    from facial_keypoints.core.errors import DataError
    from facial_keypoints.core.text import printable
    from facial_keypoints.detector import KeypointDetector
    from facial_keypoints.finding.box_detector import box_detector
    from facial_keypoints.inputs.first_picture import first_picture
    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.commands.weights import weights_of
    from pipeline.experiments.tracking.model_location import open_model
    from pipeline.inspection.choice import point_groups
    from pipeline.inspection.report import Subject, write_report
    from pipeline.inspection.subject import frame_in_box, frame_of_largest_face, frame_of_whole
    from pipeline.models import count_parameters

    if box and whole:
        raise DataError("--box and --whole exclude each other; leave one of the two out")
    boxes = parse_boxes([box] if box else [])
    figures = OutputFolder(output, [path])
    picture, unseen = first_picture(path)
    if unseen:
        tell(f"note: {unseen}")
    with TemporaryDirectory() as folder:
        network = open_model(weights_of(model, Path(folder), "inspect"))
    groups = point_groups(points, network.scheme)
    detector = KeypointDetector(network, box_detector("haar" if whole or box else "auto", None))
    shown = printable(path.name)
    if whole or box:
        crop = frame_of_whole(detector, picture) if whole else frame_in_box(detector, picture, boxes)
    else:
        crop = frame_of_largest_face(detector, picture, shown)
    module = network.module.cpu()
    facts = {
        "picture": shown,
        "network": f"{type(module).__name__}, {count_parameters(module) / 1e6:.2f} million parameters",
        "SHA-256 of the model": network.digest,
    }
    subject = Subject(shown, crop, network.scheme)
    page = write_report(module, subject, figures, layers=layer or [], groups=groups, facts=facts)
    say(f"open {page}")
