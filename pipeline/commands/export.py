"""`keypoints export`: the trained network as a file that runs without this project."""

from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.terminal import say, tell


class Kind(StrEnum):
    """Formats of an exported network."""

    onnx = "onnx"
    pt2 = "pt2"


def export(
    output: Annotated[Path, typer.Option(help="File to write.")],
    kind: Annotated[
        Kind | None,
        typer.Option("--format", help="ONNX for any runtime, or PyTorch's own.", show_default="the ending of the file"),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Convolutions in 8 bits: a smaller and faster file.")] = False,
    model: Annotated[
        str | None, typer.Option(help="Model file or MLflow URI; else the model of this workspace.")
    ] = None,
) -> None:
    """Write the trained network as one file that runs without this project: gray frames in, pixels out.

    Before it is written, it is compared with PyTorch on frames of data/processed, or on synthetic ones where there
    are none: a point that is off by more than 0.05 px is an error. 8 bits round by more; how much is measured and told.
    """
    from facial_keypoints.core.errors import ConfigError, ModelError
    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.commands.weights import weights_of

    kind = _kind_of(output, kind)
    if int8 and kind is not Kind.onnx:
        raise ModelError("--int8 is for ONNX; call the file .onnx, or leave --int8 out")
    if not output.parent.is_dir():
        raise ConfigError(f"--output is {output}, and there is no folder {output.parent}; make it first")
    with TemporaryDirectory() as folder:
        source = weights_of(model, Path(folder), "export")
        with OutputFolder(output.parent, [source]).writing(output.name, "export") as partial:
            _write(source, partial, kind, int8, Path(folder))
    say(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


def _kind_of(output: Path, kind: Kind | None) -> Kind:
    """The format of a file, by its ending. Raises ConfigError for another ending, or one of another format."""
    from facial_keypoints.core.errors import ConfigError

    endings = [f".{each}" for each in Kind if kind in (None, each)]
    if output.suffix.lower() not in endings:
        raise ConfigError(f"--output is {output} but should end in {' or '.join(endings)}; call it so")
    return Kind(output.suffix[1:].lower())


def _write(source: Path, target: Path, kind: Kind, int8: bool, scratch: Path) -> None:
    """Export the network of the model file `source` to `target`, and print how far its points are from PyTorch's.

    `scratch` is a folder for what is needed on the way. Raises ModelError where they are too far.
    """
    from pipeline.export.formats import export_model
    from pipeline.export.quantization import quantize
    from pipeline.export.sample_frames import frames_to_compare, training_frames
    from pipeline.models.model_file import load_model, read_description

    description = read_description(source)
    side = description.preprocess.size_px
    calibration = training_frames(side) if int8 else None
    frames, whose = frames_to_compare(side)
    tell(f"exporting to {kind} and comparing: half a minute to two")
    exact = target if calibration is None else scratch / "float32.onnx"
    difference = export_model(source, load_model(source), exact, kind=kind, frames=frames)
    say(f"{kind}: no point is further than {difference:.1g} px from PyTorch's on {len(frames)} {whose}")
    if calibration is not None:
        quantize(exact, target, calibration)
        _compare(exact, target, description.scheme)


def _compare(exact: Path, rounded: Path, scheme: Scheme) -> None:
    """Print the NME of the exact and the rounded network on the labelled frames of val and test that are here."""
    from functools import partial

    from pipeline.export.formats import run_onnx
    from pipeline.export.sample_frames import labelled_error

    for split in ("val", "test"):
        after, before = (labelled_error(split, scheme, partial(run_onnx, file)) for file in (rounded, exact))
        if after and before:
            rounded_nme, exact_nme = (percent_text(to_percent(nme), 3) for nme, _ in (after, before))
            say(f"int8: NME {rounded_nme} on {after[1]} frames of {split}, float32 {exact_nme}")
