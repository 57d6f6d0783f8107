"""The model that comes with the package: the network of dvc.lock in 8 bits, with what its users have to know.

Its card, which says what it is good for and what not, lies beside it.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import onnx

from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.core.yaml_files import read_yaml
from pipeline.core import paths
from pipeline.export.formats import export_model, properties, run_onnx, save_onnx
from pipeline.export.quantization import quantize
from pipeline.export.sample_frames import frames_to_compare, labelled_error, training_frames
from pipeline.models.model_file import open_model_file

_OF_ONE_RUN = {"train": paths.MODEL, "evaluate": paths.METRICS, "render": paths.MODEL_CARD}
"""Stage -> its output that the model, or its card, is made from."""
MOST_BYTES = 5_000_000
MOST_NME_CHANGE_PERCENT = 0.03
"""The most by which 8 bits may change the NME on the labelled frames of a split."""


def write_shipped(target: Path, scratch: Path, reported: Mapping[str, float], data: str) -> dict[str, float]:
    """Write the network of dvc.lock as the package ships it.

    Args:
        target: the file to write.
        scratch: a folder for the exact network.
        reported: split -> NME in percent of the network, as reports/metrics.json has it.
        data: what it was trained on, for users of the file.

    Returns:
        Split -> NME in percent of the file.

    Raises:
        ModelError: the file is too large, or its errors are not those that were reported.
        DataError: model, metrics and card are not those of dvc.lock, or the prepared frames are not there.
    """
    locked = {path: locked_md5(stage, path) for stage, path in _OF_ONE_RUN.items()}
    description, network = open_model_file(paths.MODEL)
    side, exact = description.preprocess.size_px, scratch / "float32.onnx"
    export_model(paths.MODEL, network, exact, kind="onnx", frames=frames_to_compare(side)[0])
    quantize(exact, target, training_frames(side))
    errors = _errors(target, description.scheme, reported)
    model = onnx.load(target)
    metrics = {"trained": reported, "in_8_bits": errors}
    told = {"data": data, "nme_percent": json.dumps(metrics), "model_md5": locked[paths.MODEL]}
    save_onnx(target, model, properties(model) | told)
    if (size := target.stat().st_size) > MOST_BYTES:
        raise ModelError(f"the file has {size:,} bytes, {MOST_BYTES:,} are the most to ship; train a smaller network")
    return errors


def refuse_other_points(scheme: Scheme) -> None:
    """Raise DataError for a scheme that is not the one of the model that comes with the package."""
    if scheme != IBUG_68:
        raise DataError(
            f"the model that comes with the package has {IBUG_68.title}, the one of {paths.LOCK} {scheme.title}; "
            "make a file of it with: keypoints export"
        )


def locked_md5(stage: str, path: Path) -> str:
    """MD5 of an output of a stage, by which dvc.lock knows it. Raises DataError where the file is another one."""
    try:
        outputs = read_yaml(paths.LOCK)["stages"][stage]["outs"]
        locked = {str(output["path"]): str(output["md5"]) for output in outputs}[path.as_posix()]
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{paths.LOCK} and {path} cannot be compared ({error!r}); make both: dvc repro") from None
    if found != locked:
        raise DataError(f"{path} is not the one of {paths.LOCK}; make it: dvc repro, or bring it back: dvc checkout")
    return locked


def _errors(file: Path, scheme: Scheme, reported: Mapping[str, float]) -> dict[str, float]:
    """NME in percent of an ONNX file by split. Raises ModelError where one is not as reported."""
    errors = {}
    for split, expected in reported.items():
        measured = labelled_error(split, scheme, partial(run_onnx, file))
        if measured is None:
            raise DataError(f"{paths.PROCESSED / split} has no labelled frames; make them: dvc repro preprocess")
        errors[split] = round(to_percent(measured[0]), 4)
        if not abs(errors[split] - expected) <= MOST_NME_CHANGE_PERCENT:
            raise ModelError(
                f"in 8 bits the NME on {split} is {percent_text(errors[split], 3)}, of the trained network "
                f"{percent_text(expected, 3)}, and {MOST_NME_CHANGE_PERCENT} points are the most that they may differ; "
                "train again, or look at pipeline/export/quantization.py"
            )
    return errors
