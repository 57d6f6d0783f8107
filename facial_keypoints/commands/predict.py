"""`keypoints predict`: the faces and keypoints of pictures and videos."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facial_keypoints.core.terminal import say

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Pictures, videos, folders, patterns; - is a picture on standard input."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for what is written.")]
Format = Annotated[Literal["json", "csv", "pts"], typer.Option("--format", help="Of the points.")]
Overlay = Annotated[bool, typer.Option(help="Write pictures and videos with the faces drawn on them.")]
Model = Annotated[str | None, typer.Option(help="Model file or MLflow URI.", show_default="that of the workspace")]
Detector = Annotated[Literal["haar", "yunet"], typer.Option(help="What proposes faces: OpenCV's cascade or YuNet.")]
DetectorModel = Annotated[Path | None, typer.Option(help="YuNet's ONNX file.")]
MinScore = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Least score of a face; lower it for a weak model.", show_default="0.5"),
]
Box = Annotated[list[str], typer.Option(metavar="X,Y,W,H", help="Look here, do not search; may come repeatedly.")]
Whole = Annotated[bool, typer.Option("--whole", help="A picture shows one face as the dataset's frames do.")]
Smooth = Annotated[bool, typer.Option(help="Smooth the points of a video over time.")]
Video = Annotated[
    Literal["mp4", "webm"] | None,
    typer.Option(help="Container of videos: H.264 with AAC, or VP9 with Opus.", show_default="mp4"),
]


def predict(
    path: Paths,
    output: Output = Path("predicted"),
    form: Format = "json",
    overlay: Overlay = True,
    model: Model = None,
    detector: Detector = "haar",
    detector_model: DetectorModel = None,
    min_score: MinScore = None,
    box: Box = [],  # noqa: B006 (typer copies it)
    whole: Whole = False,
    smooth: Smooth = True,
    video: Video = None,
) -> None:
    """Find faces and their 68 keypoints in any pictures and videos."""
    from facial_keypoints.detector import KeypointDetector
    from facial_keypoints.inputs.search import find_sources, parse_boxes
    from facial_keypoints.outputs.output_folder import OutputFolder
    from facial_keypoints.prediction import batch

    boxes = parse_boxes(box, whole)
    _check(bool(box) or whole, min_score, detector != "haar" or detector_model is not None, video, overlay)
    points = KeypointDetector.load(model, detector=detector, detector_model=detector_model, min_score=min_score)
    folder = OutputFolder(output)
    inputs = find_sources(path, folder)
    batch.announce(inputs)
    find = (lambda image: [points.whole(image)]) if whole else (lambda image: points(image, boxes)) if box else None
    tally = batch.run(batch.Job(points, folder, form, overlay, smooth, find, video), inputs.sources)
    tally.skipped += inputs.undone
    say(f"{tally}, in {output}" if inputs.sources else str(tally))
    if tally.skipped:
        raise typer.Exit(1)


def _check(known: bool, min_score: float | None, detector: bool, video: str | None, overlay: bool) -> None:
    """Raises DataError for options that would not be heeded; `known`: where faces are, so that none is searched."""
    from facial_keypoints.core.errors import DataError

    if known and min_score is not None:
        raise DataError("--min-score is for faces that are searched, not for --box and --whole; leave it out")
    if known and detector:
        raise DataError("--detector and --detector-model search, which --box and --whole do without; leave them out")
    if video and not overlay:
        raise DataError("--video is the container of the overlays that --no-overlay declines; leave one of the two out")
