"""`keypoints predict`: faces and keypoints of pictures and videos."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what is found.")] = Path("predicted"),
    model: Annotated[
        str | None, typer.Option(help="Model file or MLflow URI; else the model of this workspace.")
    ] = None,
) -> None:
    """Find the faces of pictures and their 68 keypoints."""
    import cv2

    from pipeline.detector import KeypointDetector
    from pipeline.draw import draw_faces
    from pipeline.reading import read_picture

    detector = KeypointDetector.load(model)
    output.mkdir(parents=True, exist_ok=True)
    for path in paths:
        picture = read_picture(path)
        cv2.imwrite(str(output / f"{path.stem}.jpg"), draw_faces(picture, detector(picture))[..., ::-1])
