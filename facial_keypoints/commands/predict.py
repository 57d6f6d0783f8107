"""`keypoints predict`: the faces and keypoints of pictures and videos."""

from pathlib import Path
from typing import Annotated, Literal

import typer

_FINDING, _VIDEOS = "How faces are found", "Videos"
"""Panels of the help."""

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Pictures, videos, folders, patterns or http(s) addresses; - is a picture on standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the results; - is standard output.")
]
Format = Annotated[
    Literal["json", "csv", "pts", "coco", "cvat"],
    typer.Option("--format", metavar="FORMAT", help="json, csv or pts of each picture; coco or cvat, one file of all."),
]
Overlay = Annotated[
    bool | None,
    typer.Option(
        "--overlay/--no-overlay",
        help="Also write pictures and videos with the faces drawn in.",
        show_default="on",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Model file, .onnx or of a training, or MLflow URI.",
        show_default="that of the workspace, else the one that comes along",
    ),
]
Detector = Annotated[
    Literal["auto", "yunet", "haar"],
    typer.Option(
        help="Finds the boxes of faces: YuNet, the Haar cascade, or YuNet where it can be had.",
        rich_help_panel=_FINDING,
    ),
]
DetectorModel = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="ONNX file of YuNet.",
        show_default="fetched once",
        rich_help_panel=_FINDING,
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE",
        min=0,
        max=1,
        help="Lowest score of a face; lower it for a weak model.",
        show_default="0.5",
        rich_help_panel=_FINDING,
    ),
]
Box = Annotated[
    list[str],
    typer.Option(
        metavar="X,Y,W,H",
        help="Box round a face, or what else the model is for, in pixels, instead of a search; once for each.",
        rich_help_panel=_FINDING,
    ),
]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Each picture is one face, or what else the model is for, cut out as in the dataset.",
        rich_help_panel=_FINDING,
    ),
]
Convention = Annotated[
    Literal["symmetric", "dataset"] | None,
    typer.Option(
        help="Mirrored pictures get mirrored points, or points lie to one side as the dataset's labels do.",
        show_default="symmetric; dataset with --whole",
        rich_help_panel=_FINDING,
    ),
]
Smooth = Annotated[
    bool,
    typer.Option(
        "--smooth/--no-smooth", help="Smooth the keypoints over time.", show_default="on", rich_help_panel=_VIDEOS
    ),
]
Video = Annotated[
    Literal["mp4", "webm"] | None,
    typer.Option(help="Written as mp4 (H.264, AAC) or webm (VP9, Opus).", show_default="mp4", rich_help_panel=_VIDEOS),
]


def predict(
    path: Paths,
    output: Output = "predicted",
    form: Format = "json",
    overlay: Overlay = None,
    model: Model = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    min_score: MinScore = None,
    box: Box = [],  # noqa: B006 (typer copies it)
    whole: Whole = False,
    convention: Convention = None,
    smooth: Smooth = True,
    video: Video = None,
) -> None:
    """Find faces and their 68 keypoints in pictures and videos.

    Example: keypoints predict holiday/ clip.mp4 -o points --format csv
    """
    from facial_keypoints.commands.boxes import parse_boxes
    from facial_keypoints.commands.standard_output import STDOUT, check_standard_output, output_folder, say_result
    from facial_keypoints.detector import KeypointDetector
    from facial_keypoints.inputs.search import find_sources, inputs_key
    from facial_keypoints.network import tell_model
    from facial_keypoints.prediction.files import Job, predict_files
    from facial_keypoints.prediction.messages import announce
    from facial_keypoints.prediction.standard_output import refuse_all_but_one_picture

    _check_search(box, whole, min_score, detector != "auto" or detector_model is not None)
    _check_convention(whole, convention)
    _check_overlay(output == STDOUT, overlay, video)
    boxes = parse_boxes(box)
    if output == STDOUT:
        check_standard_output()
    folder = output_folder(output)
    if box or whole:
        detector = "haar"  # nothing is searched, so that nothing need be fetched
    found = KeypointDetector.load(
        model,
        detector=detector,
        detector_model=detector_model,
        min_score=min_score,
        convention="dataset" if whole else convention,
    )
    points = found.predictor.convention
    if model is None:
        tell_model(found.network)
    if not (whole or box):
        found.check_search()
    find = (lambda image: [found.whole(image)]) if whole else (lambda image: found(image, boxes)) if box else None
    with find_sources(path, folder) as inputs:
        announce(inputs, one_file=form in ("coco", "cvat"))
        if form == "pts" and not folder:
            refuse_all_but_one_picture(inputs.sources, "--format pts")
        search = type(found.find).__name__
        options = repr((form, search, detector_model, min_score, box, whole, convention, smooth, overlay, video))
        job = Job(
            found,
            folder,
            form,
            overlay=overlay is not False,
            smooth=smooth,
            find=find,
            container=video,
            inputs=inputs_key(path, output),
            options=options,
            convention=points,
        )
        tally = predict_files(job, inputs.sources)
    tally.skipped += inputs.undone
    say_result(f"{tally}, in {tally.file or output}" if tally.done and folder else str(tally), output)
    if tally.skipped:
        raise typer.Exit(1)


def _check_search(box: list[str], whole: bool, min_score: float | None, detector: bool) -> None:
    """Raise DataError for options of a search where none is made."""
    from facial_keypoints.core.errors import DataError

    if box and whole:
        raise DataError("--box and --whole exclude each other; leave one of the two out")
    if (box or whole) and min_score is not None:
        raise DataError("--min-score is for faces that are searched, not for --box and --whole; leave it out")
    if (box or whole) and detector:
        raise DataError("--detector and --detector-model search, which --box and --whole do without; leave them out")


def _check_convention(whole: bool, convention: str | None) -> None:
    """Raise DataError for points that a picture looked at whole cannot have."""
    from facial_keypoints.core.errors import DataError

    if whole and convention == "symmetric":
        raise DataError("--whole keeps to the dataset's convention; leave --convention symmetric out")


def _check_overlay(printed: bool, overlay: bool | None, video: str | None) -> None:
    """Raise DataError for options of overlays where none is written; `printed`: keypoints go to standard output."""
    from facial_keypoints.core.errors import DataError

    if printed and (overlay or video):
        name = "--overlay" if overlay else "--video"
        raise DataError(f"{name} is for pictures and videos in a folder, not for --output -; leave {name} out")
    if video and overlay is False:
        raise DataError("--video is the format of the overlays that --no-overlay declines; leave one of the two out")
