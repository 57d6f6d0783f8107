"""The model that MLflow keeps answers as the network does, by its own code, wherever and beside whatever it runs."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.geometry import fit_square
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.finding.windows import to_gray
from pipeline.core import paths
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.logged_model import MODEL_NEEDS, model_files, save_pyfunc
from pipeline.experiments.tracking.model_location import open_model
from pipeline.experiments.tracking.store_location import store_uri
from pipeline.export import formats
from pipeline.models import build_network
from pipeline.models.forward import predict_faces
from pipeline.models.model_file import load_model, read_description, save_model
from pipeline.models.network import KeypointNetwork
from tests.architecture import ROOT, imported_modules
from tests.models.test_models import MEAN_SHAPE, NAMES, model_section
from tests.tracking.test_tracking import EXPORT_MODEL, run_track, runs, train_live, workspace  # noqa: F401 (fixtures)

with mlflow_store.quiet():
    from mlflow import MlflowException, pyfunc
    from mlflow.models import Model
    from mlflow.models.utils import _load_model_code_path
    from mlflow.pyfunc.model import PythonModelContext
    from mlflow.pyfunc.scoring_server import invocations

SCRIPT = ROOT / "pipeline/experiments/tracking/pyfunc_model.py"
SIZES = [(1, 1), (1, 300), (300, 1), (2, 3), (37, 911), (1200, 7), (64, 64), (225, 223), (480, 641)]
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def random_pictures(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """(N, H, W, 3) uint8 of coloured fields: of single pixels' noise, a small view shows an even gray."""
    fields = np.random.default_rng(seed).integers(0, 256, (count, 6, 5, 3), np.uint8)
    return fields[:, np.arange(height)[:, None] * 6 // height, np.arange(width) * 5 // width]


PICTURES = random_pictures(2, 90, 71)


MIRRORED = {"coarse_to_fine": model_section()["coarse_to_fine"] | {"mirrored_view": True, "spread": True}}
"""Options of the network of params.yaml in small: it looks at the mirrored cut-out too, and tells radii."""


def write_model(path: Path, *, name="coarse_to_fine", side=64, fit="pad", seed=0, **options) -> None:
    """A model file whose network answers something else for every picture, as a trained one does.

    Options are those of the section `model`; MIRRORED for the flip test, without which a network exports in a third of
    the time.
    """
    torch.manual_seed(seed)
    section = model_section(name)
    section["coarse_to_fine"]["mirrored_view"] = False
    section |= options
    network = build_network(section, side=side, mean_shape=MEAN_SHAPE * side / 224, flip_index=IBUG_68.flip_index)
    for weights in network.parameters():
        if not weights.any():  # else an untrained network answers its mean shape
            torch.nn.init.normal_(weights, std=0.3)
    save_model(path, network, {"model": section, "preprocess": {"size_px": side, "fit": fit}})


def log(folder: Path, **options) -> Path:
    """The folder of a logged model, as MLflow would bring it."""
    folder.mkdir(parents=True)
    write_model(folder / "model.safetensors", **options)
    with model_files(folder / "model.safetensors") as files:
        save_pyfunc(folder / "logged", files, Model())
    return folder / "logged"


def by_network(logged: Path, pictures: np.ndarray) -> np.ndarray:
    """What PyTorch makes of the same pictures by the weights that were logged too."""
    model = open_model(logged / "artifacts" / "model.safetensors")
    return predict_faces(model.module, [to_gray(p) for p in pictures], size_px=model.size_px, fit=model.fit)


def assert_agrees(logged: Path) -> None:
    model = pyfunc.load_model(str(logged))
    side = open_model(logged / "artifacts" / "model.safetensors").size_px
    for height, width in SIZES:
        pictures = random_pictures(2, height, width)
        answer = model.predict(pictures)
        answer = answer["keypoints"] if isinstance(answer, dict) else answer
        assert (answer.shape, answer.dtype) == ((2, 68, 2), np.float32)
        tolerance = 0.05 * max(1, height / side, width / side)  # a pixel of the frame covers as many
        np.testing.assert_allclose(answer, by_network(logged, pictures), atol=tolerance, err_msg=f"{height} x {width}")


@pytest.fixture(scope="module")
def padded(tmp_path_factory) -> Path:
    return log(tmp_path_factory.mktemp("padded") / "model", name="naimishnet", side=96)


@pytest.fixture(scope="module")
def stretched(tmp_path_factory) -> Path:
    """A model of another network, size, way to fit pictures, and weights."""
    return log(tmp_path_factory.mktemp("stretched") / "model", name="udacity_4conv", side=96, fit="stretch", seed=1)


def changed_version(logged: Path, folder: Path) -> Path:
    """A copy whose code answers 1000 pixels more."""
    copied = shutil.copytree(logged, folder)
    script = copied / SCRIPT.name
    changed = script.read_text().replace("* scale - 0.5", "* scale + 999.5")
    assert changed != script.read_text()
    script.write_text(changed)
    return copied


@pytest.mark.long
@pytest.mark.parametrize("kind", ["padded", "stretched", "knowing"])
def test_it_answers_pictures_of_any_size_as_the_network(request, kind):
    logged = request.getfixturevalue(kind)
    assert_agrees(logged)
    a, b = by_network(logged, PICTURES)
    assert np.abs(a - b).max() > 0.2  # else anything would agree


OTHERS = {
    "several fine networks": {
        "coarse_to_fine": model_section()["coarse_to_fine"] | {"fine_networks": 2, "mirrored_view": False}
    },
    "udacity_5conv in a window": {"name": "udacity_5conv", "window_frac": 0.6},
} | {
    name: {"name": name}
    for name in NAMES
    if name not in {"coarse_to_fine", "naimishnet", "udacity_4conv", "udacity_5conv"}
}
"""Networks other than those of `padded`, `stretched` and `knowing`."""


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_every_network_answers_as_in_pytorch(tmp_path, name):
    assert_agrees(log(tmp_path / "model", side=96, **OTHERS[name]))


@pytest.mark.long
def test_more_pictures_than_a_batch_answer_as_one_by_one(padded):
    pictures = random_pictures(131, 20, 31)
    model = pyfunc.load_model(str(padded))
    one_by_one = np.concatenate([model.predict(picture[None]) for picture in pictures])
    np.testing.assert_allclose(model.predict(pictures), one_by_one, atol=1e-3)


@pytest.mark.long
def test_a_mirrored_view_of_a_picture_answers_as_its_copy(padded):
    """As cv2.imread(…)[..., ::-1] is one: strides below 0."""
    model, view = pyfunc.load_model(str(padded)), PICTURES[:, ::-1, :, ::-1]
    np.testing.assert_array_equal(model.predict(view), model.predict(np.ascontiguousarray(view)))


def test_no_pictures_give_no_keypoints(padded):
    answer = pyfunc.load_model(str(padded)).predict(np.zeros((0, 40, 30, 3), np.uint8))
    assert (answer.shape, answer.dtype) == ((0, 68, 2), np.float32)


@pytest.mark.parametrize(
    "wrong",
    [
        PICTURES.astype(np.float32),
        PICTURES.astype(np.int64),
        PICTURES[0],
        PICTURES[..., 0],
        PICTURES[..., :1],
        PICTURES[None],
        PICTURES.repeat(2, axis=3)[..., :4],
        PICTURES[:, :0],
        PICTURES[:, :, :0],
        list(PICTURES),
        None,
    ],
)
def test_what_is_no_picture_is_named(padded, wrong):
    model = pyfunc.load_model(str(padded))
    with pytest.raises(MlflowException):
        model.predict(wrong)
    with pytest.raises(MlflowException, match=r"^the pictures are .* but should be a uint8 array \(N, H, W, 3\)"):
        model.unwrap_python_model().predict(None, wrong)  # past the signature, which MLflow holds up first


def test_two_versions_in_one_process_answer_each_with_its_own_code_and_weights(padded, stretched, tmp_path):
    other = changed_version(stretched, tmp_path / "other")
    expected = [(padded, by_network(padded, PICTURES)), (other, by_network(stretched, PICTURES) + 1000)]
    before = list(sys.path)
    for order in (expected, expected[::-1]):
        models = [(pyfunc.load_model(str(path)), answer) for path, answer in order]
        for model, answer in (*models, *models[::-1]):
            np.testing.assert_allclose(model.predict(PICTURES), answer, atol=0.05)
    assert sys.path == before


@pytest.mark.long
def test_models_that_threads_load_at_once_answer_each_with_its_own_weights(padded, stretched):
    expected = {path: by_network(path, PICTURES) for path in (padded, stretched)}
    wrong, interval = [], sys.getswitchinterval()

    def load(path: Path) -> None:
        for _ in range(5):
            if np.abs(pyfunc.load_model(str(path)).predict(PICTURES) - expected[path]).max() > 0.05:
                wrong.append(path)

    threads = [threading.Thread(target=load, args=(path,)) for path in (padded, stretched) * 2]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_code_that_mlflow_took_for_another_models_is_harmless_or_named(padded, stretched, tmp_path):
    """MLflow hands the last script's model to every thread that is loading one at that moment."""
    taken = _load_model_code_path(str(padded / SCRIPT.name), None)
    contexts = [PythonModelContext(artifacts_of(path), None) for path in (padded, stretched)]
    for context in contexts:
        taken.load_context(context)
    for context, path in zip(contexts, (padded, stretched), strict=True):
        np.testing.assert_allclose(taken.predict(context, PICTURES), by_network(path, PICTURES), atol=0.05)
    other = changed_version(padded, tmp_path / "other")
    with pytest.raises(MlflowException, match="MLflow took the code of a model loaded at the same moment; load this"):
        taken.load_context(PythonModelContext(artifacts_of(other), None))


def artifacts_of(logged: Path) -> dict[str, str]:
    return {"onnx": str(logged / "artifacts" / "keypoints.onnx")}


ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "onnx", "onnxscript", "safetensors", "pipeline"} - ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
ALLOWED = set(sys.argv[4:])
sys.meta_path.insert(0, Absent())
import mlflow, numpy as np
before = list(sys.path)
model = mlflow.pyfunc.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2])))
assert sys.path == before
assert not {"pipeline", "pyfunc_model"} & set(sys.modules), sys.modules
"""


def answer_alone(uri: str, folder: Path, *allowed: str, **environment: str) -> np.ndarray:
    """What a process answers that has no such packages as PyTorch, and this project only if allowed."""
    np.save(folder / "in.npy", PICTURES)
    command = [sys.executable, "-c", ALONE, uri, "in.npy", "out.npy", *allowed]
    subprocess.run(command, check=True, cwd=folder, env=os.environ | environment)
    return np.load(folder / "out.npy")


@pytest.mark.long
def test_it_needs_nothing_of_this_project(padded, tmp_path):
    moved = shutil.copytree(padded, tmp_path / "model")
    np.testing.assert_allclose(answer_alone("model", tmp_path), by_network(moved, PICTURES), atol=0.05)


@pytest.mark.long
def test_modules_of_whoever_loads_it_do_not_matter(padded, tmp_path):
    for name in ("pipeline", "pyfunc_model", "logged_model"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for the code of the model')")
    answer = answer_alone(str(padded), tmp_path, "pipeline")
    np.testing.assert_allclose(answer, by_network(padded, PICTURES), atol=0.05)


def test_it_asks_for_exactly_the_packages_that_its_script_imports():
    names = {module.split(".")[0] for module in imported_modules(SCRIPT)} - set(sys.stdlib_module_names)
    shown_as = {"cv2": "opencv-python-headless"}
    assert {shown_as.get(name, name) for name in names} == set(MODEL_NEEDS)


def test_it_holds_the_exported_network_the_script_the_weights_and_no_other_code(padded):
    assert {path.relative_to(padded).as_posix() for path in padded.rglob("*") if path.is_file()} == {
        "MLmodel",
        "artifacts/keypoints.onnx",
        "artifacts/model.safetensors",
        "conda.yaml",
        "python_env.yaml",
        "pyfunc_model.py",
        "requirements.txt",
    }
    assert (padded / SCRIPT.name).read_bytes() == SCRIPT.read_bytes()
    requirements = (padded / "requirements.txt").read_text().split()
    assert [re.fullmatch(r"([\w-]+)==[\d.]+", line)[1] for line in requirements] == MODEL_NEEDS


@pytest.fixture(scope="module")
def knowing(tmp_path_factory) -> Path:
    """A model that tells how certain its points are."""
    return log(tmp_path_factory.mktemp("knowing") / "model", **MIRRORED)


def test_radii_are_told_in_pixels_of_the_pictures_where_the_network_knows_them(knowing):
    model, network = pyfunc.load_model(str(knowing)), open_model(knowing / "artifacts" / "model.safetensors")
    answer = model.predict(PICTURES)
    np.testing.assert_allclose(answer["keypoints"], by_network(knowing, PICTURES), atol=0.07)
    squares = np.stack([fit_square(to_gray(picture), 64, "pad")[0] for picture in PICTURES])
    assert answer["radii"].dtype == np.float32
    np.testing.assert_allclose(answer["radii"], network.predict(squares).radii * 90 / 64, rtol=0.02)
    empty = model.predict(PICTURES[:0])
    assert (empty["keypoints"].shape, empty["radii"].shape) == ((0, 68, 2), (0, 68))


def test_the_signature_names_what_is_told(knowing, padded):
    told, alone = (pyfunc.load_model(str(logged)).metadata.get_output_schema() for logged in (knowing, padded))
    assert [(part.name, part.shape) for part in told] == [("keypoints", (-1, 68, 2)), ("radii", (-1, 68))]
    assert [(part.name, part.shape) for part in alone] == [(None, (-1, 68, 2))]


EXPORT = """
import sys
from pathlib import Path
import numpy as np
from pipeline.export import formats
from pipeline.models import model_file
model, path = map(Path, sys.argv[1:])
formats.export_model(model, model_file.load_model(model), path, kind="onnx", frames=np.zeros((2, 64, 64), np.uint8))
"""


@pytest.mark.long
def test_its_network_is_byte_for_byte_what_another_process_exports(knowing, tmp_path):
    command = [sys.executable, "-c", EXPORT, knowing / "artifacts" / "model.safetensors", "face.onnx"]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    subprocess.run(command, cwd=tmp_path, env=os.environ | environment, check=True)
    assert (tmp_path / "face.onnx").read_bytes() == (knowing / "artifacts" / "keypoints.onnx").read_bytes()


@pytest.mark.long
def test_a_run_keeps_it_for_mlflow_and_for_predict(workspace, tmp_path):  # noqa: F811
    run_track()
    (run,) = runs()
    (model,) = run.outputs.model_outputs
    direct = predict_faces(load_model(paths.MODEL), [to_gray(p) for p in PICTURES], size_px=64, fit="pad")
    for location in (f"models:/{model.model_id}", f"runs:/{run.info.run_id}/model"):
        answer = answer_alone(location, tmp_path, MLFLOW_TRACKING_URI=store_uri())
        np.testing.assert_allclose(answer, direct, atol=0.05)
        assert open_model(location).digest == file_sha256(paths.MODEL)


@pytest.mark.long
def test_a_model_behind_a_link_is_logged_as_a_file(workspace):  # noqa: F811
    kept = paths.MODEL.rename(workspace / "kept-by-dvc")
    paths.MODEL.symlink_to(kept.absolute())
    run_track()
    (stored,) = (workspace / "mlartifacts").rglob("*.safetensors")
    assert not stored.is_symlink()
    assert file_sha256(stored) == file_sha256(kept)


def test_weights_that_an_older_version_logged_with_its_code_are_still_read(workspace):  # noqa: F811
    old = workspace / "old" / "model"
    (old / "artifacts").mkdir(parents=True)
    shutil.copyfile(paths.MODEL, old / "artifacts" / "model.safetensors")
    shutil.copytree(ROOT / "pipeline", old / "code" / "pipeline")
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id)
    store.client.log_artifacts(run.info.run_id, str(old), "model")
    assert open_model(f"runs:/{run.info.run_id}/model").digest == file_sha256(paths.MODEL)


class AsItsValuesAre(KeypointNetwork):
    def forward(self, images):
        return images[..., :68, :2] if images.sum() > 3 else images[..., -68:, :2]


def test_a_network_that_cannot_be_exported_is_one_line_and_leaves_the_run_as_it_was(workspace, monkeypatch, capfd):  # noqa: F811
    train_live()
    before = [run.to_dictionary() for run in runs()]
    monkeypatch.setattr(formats, "export_model", EXPORT_MODEL)
    described = read_description(paths.MODEL)
    monkeypatch.setattr("pipeline.models.model_file.open_model_file", lambda path: (described, AsItsValuesAre(68)))
    capfd.readouterr()
    with pytest.raises(ModelError, match=r"^PyTorch cannot export this network as onnx \(GuardOn.*make install$"):
        run_track()
    assert capfd.readouterr() == ("", "")
    assert [run.to_dictionary() for run in runs()] == before


@pytest.mark.parametrize("kind", ["padded", "knowing"])
def test_a_logged_model_takes_pictures_as_json(request, kind):
    """As `mlflow models serve` reads them."""
    logged = request.getfixturevalue(kind)
    model = pyfunc.load_model(str(logged))
    given = json.dumps({"inputs": PICTURES.tolist()})
    made = invocations(given, "application/json", model, model.metadata.get_input_schema())
    assert made.status == 200
    told = json.loads(made.response)["predictions"]
    np.testing.assert_allclose(
        told["keypoints"] if kind == "knowing" else told, by_network(logged, PICTURES), atol=0.07
    )
