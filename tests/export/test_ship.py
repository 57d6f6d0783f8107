"""`keypoints ship` makes the file of the package from what dvc.lock names, or says in one line why not."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facial_keypoints import network as room
from facial_keypoints.core.percent import to_percent
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.network import OnnxNetwork
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.settings import Preprocess, Split
from pipeline.evaluation.metrics_file import write_metrics
from pipeline.export import shipped
from pipeline.export.sample_frames import labelled_error
from pipeline.models.forward import predict_crops
from pipeline.models.model_file import load_model
from pipeline.stages import preprocess, split
from tests.dataset import write_raw
from tests.metrics import group, measured
from tests.tracking.test_logged_model import write_model
from tests.tracking.test_tracking import export_once

pytestmark = pytest.mark.long


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def error_percent(name: str) -> float:
    model = load_model(paths.MODEL)
    return to_percent(labelled_error(name, IBUG_68, lambda frames: predict_crops(model, frames))[0])


def write_lock() -> None:
    outs = {"train": paths.MODEL, "evaluate": paths.METRICS, "render": paths.MODEL_CARD}
    stages = {stage: {"outs": [{"path": path.as_posix(), "md5": md5(path)}]} for stage, path in outs.items()}
    paths.LOCK.write_text(json.dumps({"stages": stages}))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Frames, a model, its report and dvc.lock, which belong together."""
    folder = tmp_path_factory.mktemp("ship")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_raw(folder / "data" / "raw")
        split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
        preprocess.run(preprocess=Preprocess(size_px=64, fit="pad"))
        paths.MODEL.parent.mkdir(parents=True)
        write_model(paths.MODEL)
        errors = {name: group(4, nme_percent=error_percent(name)) for name in ("val", "test")}
        write_metrics(measured(dataset="youtube-faces", **errors))
        paths.MODEL_CARD.write_text("# Model card\n")
        write_lock()
    return folder


@pytest.fixture
def ship(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(room, "SHIPPED", checkout / "shipped.onnx")
    monkeypatch.setattr(shipped, "export_model", export_once)
    monkeypatch.setattr(shipped, "MOST_NME_CHANGE_PERCENT", 5)  # an untrained network has an error of hundreds
    before = {path: path.read_bytes() for path in (paths.METRICS, paths.MODEL, paths.MODEL_CARD, paths.LOCK)}
    yield lambda: CliRunner().invoke(app, ["ship"])
    for path, content in before.items():
        path.write_bytes(content)


def test_the_file_is_that_of_the_lock_and_the_same_bytes_again(ship):
    done = ship()
    assert done.exit_code == 0, done.output
    file = Path("shipped.onnx")
    made, content = OnnxNetwork(file), file.read_bytes()
    assert made.metadata["model_md5"] == md5(paths.MODEL)
    assert made.trained_digest == hashlib.sha256(paths.MODEL.read_bytes()).hexdigest()
    told = json.loads(made.metadata["nme_percent"])
    assert told["trained"] == pytest.approx({name: error_percent(name) for name in ("val", "test")}, abs=1e-3)
    assert made.metadata["data"].startswith("5,770 frames cut from YouTube Faces")
    assert "NME on val: " in done.stdout
    assert Path("shipped.md").read_text() == "# Model card\n"
    assert ship().exit_code == 0
    assert file.read_bytes() == content


def spoil_model():
    write_model(paths.MODEL, seed=1)


def spoil_card():
    paths.MODEL_CARD.write_text("of another model")


def spoil_lock():
    paths.LOCK.write_text("stages: {train: []}")


def spoil_report():
    errors = {name: group(4, nme_percent=error_percent(name) + 6) for name in ("val", "test")}
    write_metrics(measured(dataset="youtube-faces", **errors))
    write_lock()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_model, "data/model/model.safetensors is not the one of dvc.lock; make it: dvc repro"),
        (spoil_card, "reports/model_card.md is not the one of dvc.lock; make it: dvc repro"),
        (spoil_lock, "dvc.lock and data/model/model.safetensors cannot be compared"),
        (spoil_report, "and 5 points are the most that they may differ; train again"),
    ],
)
def test_what_does_not_belong_together_is_one_line_and_leaves_the_file_as_it_was(ship, spoil, expected):
    Path("shipped.onnx").write_bytes(b"before")
    spoil()
    done = ship()
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert expected in done.stderr
    assert Path("shipped.onnx").read_bytes() == b"before"
