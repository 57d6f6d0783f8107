import csv
import errno
import io
import json
import os
import shutil
import stat
import struct
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import storable
from facial_keypoints.detector import MIN_SCORE
from facial_keypoints.inputs import search
from facial_keypoints.inputs.pictures import read_picture
from pipeline.cli import app
from pipeline.experiments.params import load_params
from pipeline.models import build_network
from pipeline.models.model_file import save_model
from tests.architecture import ROOT
from tests.commands_of import commands_of
from tests.dataset import face_points, write_frame
from tests.written import written


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """An untrained network, which answers the mean face in every crop."""
    sections = load_params(ROOT / "params.yaml")
    options = asdict(sections.model)
    options["coarse_to_fine"] |= {"fine_width": 8, "fine_px": 64, "fine_pyramid": 8}
    torch.manual_seed(0)
    network = build_network(
        options, side=224, mean_shape=torch.from_numpy(face_points(224, 224)).float(), flip_index=IBUG_68.flip_index
    )
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, network, {"model": options, "preprocess": asdict(sections.preprocess)})
    return path


@pytest.fixture
def predict(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, status=0, given=None):
        named = [] if "--model" in arguments else ["--model", str(model)]
        result = CliRunner().invoke(app, ["predict", *map(str, arguments), *named], input=given)
        assert result.exit_code == status, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(["one.jpg", "two.png", "more/one.png"]):
        write_frame(folder / name, seed=seed)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_folder_with_its_subfolders_and_no_output_overwrites_another(predict, photos, tmp_path):
    result = predict(photos, "--whole")
    assert "3 faces in 3 pictures, in predicted" in result.stdout
    assert written(tmp_path / "predicted") == ["one-2.jpg", "one-2.json", "one.jpg", "one.json", "two.jpg", "two.json"]
    sources = {json.loads((tmp_path / "predicted" / f"{name}.json").read_text())["source"] for name in ("one", "one-2")}
    assert sources == {str(photos / "one.jpg"), str(photos / "more/one.png")}


def test_json_says_all_there_is(predict, photos, tmp_path, model):
    predict(photos / "one.jpg", "--whole", "-o", tmp_path / "out")
    answer = json.loads((tmp_path / "out" / "one.json").read_text())
    assert (answer["width"], answer["height"]) == (90, 110)
    assert answer["model_sha256"] == file_sha256(model)
    (face,) = answer["faces"]
    assert set(face) == {"face", "box", "score", "rotation_deg", "keypoints", "radius_px"}
    points = np.array(face["keypoints"])
    assert points.shape == (68, 2)
    np.testing.assert_allclose(face["box"][:2], points.min(0), atol=0.01)
    assert set(face["rotation_deg"]) == {"yaw", "pitch", "roll"}


def test_every_format_says_the_same(predict, photos, tmp_path):
    for form in ("json", "csv", "pts"):
        predict(photos / "one.jpg", "--whole", "--format", form, "--no-overlay")
    out = tmp_path / "predicted"
    assert written(out) == ["one.csv", "one.json", "one.pts"]
    points = np.array(json.loads((out / "one.json").read_text())["faces"][0]["keypoints"])
    (row,) = csv.DictReader(io.StringIO((out / "one.csv").read_text()))
    np.testing.assert_allclose([float(row[f"y{index}"]) for index in range(68)], points[:, 1])
    lines = (out / "one.pts").read_text().splitlines()
    assert (lines[:3], lines[-1]) == (["version: 1", "n_points: 68", "{"], "}")
    np.testing.assert_allclose(np.loadtxt(lines[3:-1]), points + 1, atol=1e-6)


def test_faces_are_searched_and_known_boxes_are_not(predict, photos, tmp_path):
    assert "0 faces in 1 picture" in predict(photos / "one.jpg").stdout
    predict(photos / "one.jpg", "--box", "10,10,60,60", "--box", "30,30,50,50")
    assert [face["face"] for face in json.loads((tmp_path / "predicted/one.json").read_text())["faces"]] == [1, 2]


def test_the_least_score_that_help_tells_is_the_detectors():
    for name in ("predict", "filter"):
        options = {option.name: option for option in commands_of(app)[name].params}
        assert options["min_score"].show_default == f"{MIN_SCORE:g}"


@pytest.mark.parametrize("names", [("a.png", "a.face1.png"), ("a.face2.png", "a.png")])
def test_the_faces_of_one_picture_do_not_overwrite_another(predict, tmp_path, names):
    for seed, name in enumerate(names):
        write_frame(tmp_path / name, seed=seed)
    predict(*names, "--box", "10,10,60,60", "--box", "30,30,50,50", "--format", "pts", "--no-overlay")
    first, second = (name.removesuffix(".png") for name in names)
    made = [f"{base}.face{face}.pts" for base in (first, f"{second}-2") for face in (1, 2)]
    assert written(tmp_path / "predicted") == sorted(made)
    told = predict(*names, "--whole", "--format", "pts", "--no-overlay").stderr
    assert written(tmp_path / "predicted") == sorted([f"{first}.pts", f"{second}-2.pts"])
    assert (
        f"removed files of an earlier run that this one no longer makes: 4 ({first}.face1.pts, {first}.face2.pts, "
        in told
    )
    assert told.count("removed") == 1


def test_an_empty_name_of_the_folder_for_results_is_refused(predict, photos):
    result = predict(photos, "--whole", "-o", "", status=1)
    assert result.stderr.splitlines()[-1].startswith(
        "error: --output is empty; name a folder, . for this one, or - for"
    )


def test_where_results_cannot_go_is_told_before_a_model_is_loaded(predict, photos):
    result = predict(photos, "--whole", "-o", "points.json", "--model", "gone.safetensors", status=1)
    assert "points.json is the name of a file, where --output is a folder" in result.stderr


def test_where_nothing_was_done_no_folder_is_told(predict, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    assert (
        predict(tmp_path / "bad.jpg", "--whole", "-o", "out", status=1).stdout == "0 faces in 0 pictures; 1 skipped\n"
    )


def test_a_name_too_long_for_what_is_written_is_told_and_skipped(predict, photos, tmp_path):
    long = photos / f"{'n' * 251}.jpg"
    shutil.copy(photos / "one.jpg", long)
    result = predict(photos, "--whole", status=1)
    assert "3 faces in 3 pictures; 1 skipped" in result.stdout
    assert f"skipped: {long} has so long a name" in result.stderr


def test_the_overlay_is_the_picture_with_the_face_drawn_on_it_and_small_ones_are_enlarged(predict, photos, tmp_path):
    predict(photos / "two.png", "--whole")
    before, after = cv2.imread(str(photos / "two.png")), cv2.imread(str(tmp_path / "predicted/two.jpg"))
    factor = after.shape[0] // before.shape[0]
    assert factor > 1
    assert after.shape == (factor * before.shape[0], factor * before.shape[1], 3)
    enlarged = cv2.resize(before, after.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    assert 0 < (np.abs(enlarged.astype(int) - after).max(-1) > 40).mean() < 0.3
    record = json.loads((tmp_path / "predicted/two.json").read_text())
    assert (record["height"], record["width"]) == before.shape[:2]
    assert np.abs(record["faces"][0]["keypoints"]).max() < max(before.shape)


def test_a_picture_on_standard_input(predict, photos, tmp_path):
    assert "1 face in 1 picture" in predict("-", "--whole", given=(photos / "two.png").read_bytes()).stdout
    assert written(tmp_path / "predicted") == ["stdin.jpg", "stdin.json"]


def test_patterns_are_expanded(predict, photos):
    assert "2 faces in 2 pictures" in predict(f"{photos}/**/*.png", "--whole").stdout


def test_an_input_is_never_overwritten(predict, photos):
    before = (photos / "one.jpg").read_bytes()
    predict(photos / "one.jpg", "--whole", "-o", photos)
    assert (photos / "one.jpg").read_bytes() == before
    assert (photos / "one-2.jpg").is_file()


def test_what_was_written_is_no_input_of_the_next_time(predict, photos):
    for _ in range(2):
        assert "3 faces in 3 pictures" in predict(photos, "--whole", "-o", photos / "out").stdout


def test_broken_files_are_told_and_skipped(predict, photos, tmp_path):
    (photos / "broken.jpg").write_bytes((photos / "one.jpg").read_bytes()[:500])
    (photos / "empty.png").write_bytes(b"")
    result = predict(photos, "nowhere.jpg", "--whole", status=1)
    assert "3 faces in 3 pictures; 3 skipped" in result.stdout
    told = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert ["broken.jpg" in told[2], "empty.png" in told[0], "nowhere.jpg" in told[1]] == [True] * 3
    assert "two.json" in written(tmp_path / "predicted")


def test_a_folder_tells_what_it_leaves_out(predict, photos):
    for name, content in [("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), ("b.txt", b"hello")]:
        (photos / name).write_bytes(content)
    shutil.copy(photos / "one.jpg", photos / "three")
    result = predict(photos, "--whole", status=1)  # a picture is not done
    assert "4 faces in 4 pictures; 1 skipped" in result.stdout
    assert "left out, no picture or video: 2 (b.txt, notes.txt)" in result.stderr
    assert "left out, a HEIC picture, which cannot be read here (convert it to JPEG): 1 (a.heic)" in result.stderr
    (photos / "a.heic").unlink()
    assert "4 faces in 4 pictures, in" in predict(photos, "--whole").stdout


def test_every_page_of_a_tiff_is_looked_at(predict, photos, tmp_path):
    pages = [Image.open(photos / name) for name in ("one.jpg", "two.png", "more/one.png")]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    assert "3 faces in 3 pictures" in predict("scan.tif", "--whole", "--no-overlay").stdout
    assert [name for name in written(tmp_path / "predicted") if not name.startswith(".")] == [
        f"scan-page{number}.json" for number in (1, 2, 3)
    ]
    third = json.loads((tmp_path / "predicted/scan-page3.json").read_text())
    assert (third["source"], third["page"]) == ("scan.tif", 2)
    assert read_picture(third["source"], third["page"]).shape == (third["height"], third["width"], 3)
    predict("scan.tif", "--whole", "--no-overlay", "--format", "csv")
    tables = [(tmp_path / f"predicted/scan-page{page}.csv").read_text().splitlines() for page in (1, 2, 3)]
    rows = [next(csv.DictReader(lines)) for lines in tables]
    assert [(row["source"], row["frame"]) for row in rows] == [("scan.tif", str(page)) for page in (0, 1, 2)]


@pytest.mark.parametrize("form", ["json", "csv", "pts"])
@pytest.mark.parametrize(
    "name",
    [
        "caf\udce9.jpg",
        "3.45\u202fPM.jpg",
        "\xa0.jpg",
        "a\nb.jpg",
        "\x1b[31m.jpg",
        "runs:.jpg",
        "[a]*.jpg",
        "'quote\".jpg",
    ],
)
@pytest.mark.slow
def test_whatever_a_name_holds_its_picture_is_done(predict, photos, tmp_path, name, form):
    shutil.copy(photos / "one.jpg", tmp_path / name)
    result = predict(name, photos / "two.png", "--whole", "--format", form)
    assert "2 faces in 2 pictures" in result.stdout
    assert (tmp_path / "predicted" / Path(name).with_suffix(f".{form}")).is_file()
    text = (tmp_path / "predicted" / Path(name).with_suffix(f".{form}")).read_text(encoding="utf-8")
    if form == "json":
        assert json.loads(text)["source"] == storable(name)
    if form == "csv":
        assert next(csv.DictReader(io.StringIO(text, newline="")))["source"] == storable(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [ValueError("odd"), OverflowError("far"), struct.error("short"), RuntimeError("shapes"), AttributeError("x")],
)
def test_what_one_picture_leads_to_ends_no_batch_and_is_not_hidden(predict, photos, monkeypatch, fault):
    def draw(picture, faces, numbers):
        if picture.shape[0] == 50:
            raise fault
        return picture

    Image.new("RGB", (90, 50)).save(photos / "odd.png")
    monkeypatch.setattr("facial_keypoints.prediction.files.picture_overlay", draw)
    result = predict(photos, "--whole", status=1)
    assert "3 faces in 3 pictures; 1 skipped" in result.stdout
    told = f"{type(fault).__name__}: {fault}, in test_predict_command.py"
    assert f"skipped: {photos / 'odd.png'} cannot be looked at ({told}" in result.stderr


def test_what_all_would_meet_ends_the_batch_in_one_line(predict, photos, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "predicted/one.jpg")

    monkeypatch.setattr("facial_keypoints.prediction.files.write_picture", full)
    result = predict(photos / "one.jpg", photos / "two.png", "--whole", status=1)
    assert one_line(result).startswith("error: predicted/one.jpg: No space left on device; free or mend that place")


def test_a_file_that_vanishes_or_changes_meanwhile_is_told(predict, photos, monkeypatch):
    find = search.find_sources

    def find_and_lose(*given):
        found = find(*given)
        (photos / "one.jpg").unlink()
        (photos / "two.png").write_bytes(b"hello")
        return found

    monkeypatch.setattr("facial_keypoints.inputs.search.find_sources", find_and_lose)
    result = predict(photos, "--whole", status=1)
    assert "1 face in 1 picture; 2 skipped" in result.stdout
    assert f"skipped: {photos / 'one.jpg'} cannot be read (No such file or directory)" in result.stderr
    assert f"skipped: {photos / 'two.png'} holds text and is no picture of a known kind" in result.stderr


def test_a_closed_standard_input_is_one_line(predict, monkeypatch):
    monkeypatch.setattr("facial_keypoints.inputs.standard_input.sys", SimpleNamespace(stdin=None))
    assert "skipped: standard input is empty or closed" in one_line(predict("-", status=1))


def test_a_folder_without_pictures(predict, tmp_path):
    (tmp_path / "bare").mkdir()
    result = predict("bare", status=1)
    assert "skipped: bare holds no picture or video" in result.stderr
    assert not (tmp_path / "predicted").exists()


def test_a_place_that_cannot_be_written(predict, photos, tmp_path):
    (tmp_path / "file").write_text("")
    result = predict(photos / "one.jpg", "--whole", "-o", "file/out", status=1)
    assert one_line(result).startswith("error: ")
    assert "file/out" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "1,2,3"], "x,y,width,height"),
        (["--box", "a,b,c,d"], "x,y,width,height"),
        (["--box", "1,2,3,4,5"], "--box 1,2,3,4,5 should read x,y,width,height"),
        (["--box", "1,2,30,40", "--box", ""], "x,y,width,height"),
        (["--box", "1_0,2,30,40"], "--box 1_0,2,30,40 should"),
        (["--box", "\u0661,2,30,40"], "--box \u0661,2,30,40 should"),
        (["--box", "nan,2,30,40"], "--box nan,2,30,40 should"),
        (["--box", "1,2,inf,40"], "--box 1,2,inf,40 should"),
        (["--box", "1e300,0,30,40"], "--box 1e300,0,30,40 should"),
        (["--box", f"{'9' * 5000},0,30,40"], "9,0,30,40 should read"),
        (["--box", "1,2,0,40"], "both sides 1 or more"),
        (["--box", "1,2,30,-40"], "both sides 1 or more"),
        (["--box", "1,2,3,4", "--whole"], "exclude each other"),
        (["--box", "1,2,3,4", "--min-score", "0.5"], "--min-score is for faces that are searched"),
        (["--whole", "--detector", "yunet"], "leave them out"),
        (["--box", "1,2,3,4", "--detector-model", "none.onnx"], "leave them out"),
        (["--video", "mp4", "--no-overlay"], "leave one of the two out"),
        (["--detector", "yunet"], "--detector-model"),
        (["--detector", "yunet", "--detector-model", "none.onnx"], "none.onnx is missing"),
        (["--detector-model", "none.onnx"], "none.onnx is missing"),
        (["--detector", "haar", "--detector-model", "none.onnx"], "choose yunet"),
        (["--whole", "--convention", "symmetric"], "leave --convention symmetric out"),
        (["--model", "none.safetensors"], "none.safetensors is no file"),
        (["--model", "photos/one.jpg"], "damaged or no model"),
    ],
)
def test_a_wrong_choice_is_one_line_with_its_remedy(predict, photos, arguments, message):
    result = predict(photos / "one.jpg", *arguments, status=1)
    assert message in one_line(result)


@pytest.mark.parametrize(
    "box", ["-20,-30,60,70", "80.5,100.5,400,1e3", "0,0,1,1", "5e-7,1.5,11000,11000", "-5e8,-5e8,1e9,1e9"]
)
def test_a_box_that_reaches_beyond_the_picture_or_is_tiny_is_looked_at(predict, photos, tmp_path, box):
    predict(photos / "one.jpg", f"--box={box}")
    (face,) = json.loads((tmp_path / "predicted" / "one.json").read_text())["faces"]
    assert np.isfinite(face["keypoints"]).all()


def test_a_box_outside_is_told_for_each_picture(predict, photos):
    result = predict(photos / "one.jpg", photos / "two.png", "--box", "500,0,9,9", status=1)
    for name in ("one.jpg", "two.png"):
        assert f"skipped: {photos / name}: the box 500,0,9,9 does not lie in the picture of 90 x 110" in result.stderr


def test_a_file_that_is_no_yunet_is_named(predict, photos, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    result = predict(photos / "one.jpg", "--detector", "yunet", "--detector-model", "bad.onnx", status=1)
    assert "bad.onnx is no YuNet model" in result.stderr


def test_a_model_of_67_points_is_named(predict, photos, tmp_path, model):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(model, "pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(tensors | {"mean_shape": torch.zeros(67, 2)}, tmp_path / "m.safetensors", metadata)
    result = predict(photos / "one.jpg", "--model", tmp_path / "m.safetensors", status=1)
    assert "its mean_shape is F32 [67, 2] where F32 [68, 2] is expected" in one_line(result)


def test_overlays_can_be_read_by_others(predict, photos, tmp_path):
    predict(photos / "one.jpg", "--whole")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "predicted/one.jpg").stat().st_mode) == 0o666 & ~mask


def one_line(result) -> str:
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def scan(place, *pictures):
    """Write a TIFF with a page for each picture."""
    first, *others = [Image.open(picture) for picture in pictures]
    first.save(place, save_all=True, append_images=others)


@pytest.mark.parametrize("form", ["json", "pts", "coco"])
def test_what_was_made_of_pages_that_a_file_lost_is_removed(predict, photos, tmp_path, form):
    pictures = [photos / name for name in ("one.jpg", "two.png", "more/one.png")]
    out = tmp_path / "predicted"
    scan(tmp_path / "scan.tif", *pictures)
    predict("scan.tif", "--whole", "--format", form)
    (out / "scan-page2.txt").write_text("mine")
    (out / "scan-page3.jpg").write_bytes(b"mine, too")
    scan(tmp_path / "scan.tif", pictures[0])
    told = predict("scan.tif", "--whole", "--format", form).stderr
    points = {"coco": ["keypoints.coco.json"]}.get(form, [f"scan.{form}"])
    assert written(out) == sorted([*points, "scan-page2.txt", "scan-page3.jpg", "scan.jpg"])
    assert "removed files of an earlier run that this one no longer makes: " in told


def test_pages_of_a_file_that_cannot_be_read_now_keep_what_was_made_of_them(predict, photos, tmp_path):
    scan(tmp_path / "scan.tif", photos / "one.jpg", photos / "two.png")
    predict("scan.tif", photos / "one.jpg", "--whole", "--no-overlay")
    before = written(tmp_path / "predicted")
    (tmp_path / "scan.tif").write_bytes((tmp_path / "scan.tif").read_bytes()[:100])
    predict("scan.tif", photos / "one.jpg", "--whole", "--no-overlay", status=1)
    assert written(tmp_path / "predicted") == before
