import hashlib
import json
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import report, robustness, trainings
from benchmarks.frames import FOLDS, Frames, divide
from benchmarks.jobs import KEY, TABLE, Job, is_done, read_table
from benchmarks.kept_models import FOLDER
from benchmarks.leaderboard_figure import apart, leaderboard_figure
from benchmarks.studies import OURS, STUDIES
from benchmarks.trainings import committed_model, refine_as_asked
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.evaluation.metrics_file import Baseline, write_metrics
from pipeline.experiments.params import load_params
from pipeline.experiments.recipe import with_values
from pipeline.models import build_network
from pipeline.models.network import KeypointNetwork
from pipeline.training.frames import LabelledFrames
from pipeline.training.trainer import Epoch
from tests.architecture import ROOT
from tests.metrics import measured as metrics_of

SAMPLES = pd.DataFrame(
    {
        "person": [f"person_{index // 3}" for index in range(36)],
        "split": (["train"] * 2 + ["val", "test"]) * 9,
    }
)
SPLIT = load_params(ROOT / "params.yaml").split


def test_every_person_is_tested_in_one_fold_and_then_trains_nothing():
    tested = []
    for fold in range(1, FOLDS + 1):
        train, val, test = divide(SAMPLES, fold, SPLIT)
        people = set(SAMPLES["person"][test])
        assert not people & set(SAMPLES["person"][train])
        assert not val.any()
        assert np.array_equal(train, ~test)
        tested += sorted(people)
    assert sorted(tested) == sorted(SAMPLES["person"].unique())


def test_fold_0_is_the_pipelines_own_split():
    for rows, split in zip(divide(SAMPLES, 0, SPLIT), ("train", "val", "test"), strict=True):
        assert set(SAMPLES["split"][rows]) == {split}


def test_with_nobody_held_out_the_validation_frames_train_too():
    train, val, test = divide(SAMPLES, 0, replace(SPLIT, val_people_frac=0.0))
    assert set(SAMPLES["split"][train]) == {"train", "val"}
    assert not val.any()
    assert set(SAMPLES["split"][test]) == {"test"}


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_trains_nothing_twice(study, monkeypatch):
    monkeypatch.chdir(ROOT)
    keys = [tuple(job.key().values()) for job in STUDIES[study]()]
    assert len(set(keys)) == len(keys) > 1


def test_a_training_is_done_only_with_the_same_parameters_and_seed(tmp_path, monkeypatch):
    params = load_params(ROOT / "params.yaml")
    job = Job("a", "b", params)
    monkeypatch.chdir(tmp_path)
    assert not is_done(job)
    TABLE.parent.mkdir()
    pd.DataFrame([job.key() | {"nme": 0.1}]).to_csv(TABLE, index=False)
    assert is_done(job)
    other = replace(params, train=replace(params.train, lr=params.train.lr / 2))
    assert not is_done(Job("a", "b", other))
    assert not is_done(Job("a", "b", params, fold=1))


def test_the_leaderboard_is_the_mean_over_seeds_with_what_an_entry_costs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    rows = [("coarse_to_fine", 0, 0.03), ("coarse_to_fine", 1, 0.04), ("resnet18", 0, 0.06)]
    measured = [{"entry": entry, "epochs": 9} | dict.fromkeys(report.MEASURES, nme) for entry, _, nme in rows]
    trainings = pd.DataFrame(measured)
    costs = dict.fromkeys(report.COSTS, 8.0) | {"parameters": 2e6}
    names = pd.DataFrame({"entry": ["coarse_to_fine", "resnet18"]})
    names.assign(**costs).to_csv("reports/costs.csv", index=False)
    write_metrics(metrics_of(test_mean_shape=Baseline(28.0)))
    board = report.leaderboard(trainings)
    assert board["entry"].tolist() == ["coarse_to_fine", "resnet18", "mean_shape"]
    assert board["nme"].tolist() == pytest.approx([0.035, 0.06, 0.28])
    assert board["nme_spread"].iloc[0] == pytest.approx(0.01 / 2**0.5)  # of two, over one degree of freedom
    assert board["seeds"].iloc[0] == 2
    assert report.leaderboard_rows(board) == [
        "| **`coarse_to_fine`** | 3.50 ± 0.71 | 3.5 | 3.5 | 3.50 | 9 | 8 | 2.0 | 8 | 8.0 |",
        "| `resnet18` | 6.00 | 6.0 | 6.0 | 6.00 | 9 | 8 | 2.0 | 8 | 8.0 |",
        "| `mean_shape` | 28.00 | - | - | - | - | - | - | - | - |",
    ]
    shorter = pd.DataFrame({"training_minutes": [1.0], "nme": [0.05]})
    figure = leaderboard_figure(board, shorter, ours="coarse_to_fine", dataset="youtube-faces")
    assert [text.get_text() for text in figure.axes[0].texts] == ["coarse_to_fine, 2.0 M", "resnet18, 2.0 M"]


def test_the_minutes_of_shorter_trainings_are_their_share(monkeypatch):
    monkeypatch.chdir(ROOT)
    trainings = pd.DataFrame({"epochs": [14, 7], "val_nme": [0.04, 0.05], "nme": [0.045, 0.055]})
    board = pd.DataFrame({"entry": [OURS], "training_minutes": [load_params().train.epochs / 4]})
    table = report.shorter(trainings, board)
    assert table["training_minutes"].tolist() == [7 / 4, 14 / 4]
    assert table["nme"].tolist() == [0.055, 0.045]


def test_the_ablation_is_the_change_against_ours_of_the_same_seed():
    ours = [(OURS, 0, 0.04, 0.05), (OURS, 1, 0.042, 0.05), (OURS, 2, 0.041, 0.05)]
    others = [
        ("no occlusion", 0, 0.045, 0.07),
        ("no occlusion", 1, 0.045, 0.09),
        ("no correction", 0, 0.0405, 0.049),
        ("warm", 1, 0.04199, 0.05),
    ]
    columns = ["entry", "seed", "val_nme", "corrupted_val_nme"]
    table = report.ablation(pd.DataFrame(ours + others, columns=columns))
    assert report.ablation_rows(table) == [
        "| no correction | 1 | 4.05 | +0.05 | 4.90 | -0.10 |",
        f"| {OURS} | 3 | 4.10 ± 0.10 |  | 5.00 ± 0.00 |  |",
        "| warm | 1 | 4.20 | +0.00 | 5.00 | +0.00 |",
        "| no occlusion | 2 | 4.50 ± 0.00 | +0.40 ± 0.14 | 8.00 ± 1.41 | +3.00 ± 1.41 |",
    ]


def test_unseen_people_are_pooled_over_the_folds():
    rows = [(1, "a", 0.02), (1, "a", 0.04), (2, "b", 0.12), (2, "b", 0.02)]
    pooled = report.unseen_people(pd.DataFrame(rows, columns=["fold", "person", "nme"]))
    assert (pooled["folds"], pooled["people"], pooled["faces"]) == (2, 2, 4)
    assert pooled["nme"] == pytest.approx(0.05)
    assert pooled["failure_rate_08"] == 0.25
    assert pooled["nme_ci95"] == pytest.approx([0.03, 0.07])  # both times the one or both times the other person


def test_only_trainings_with_the_parameters_of_today_count(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    TABLE.parent.mkdir()
    first, *others = STUDIES["leaderboard"]()
    stale = first.key() | {"digest": "0" * 12}
    pd.DataFrame([first.key() | {"nme": 0.1}, stale | {"nme": 0.9}]).to_csv(TABLE, index=False)
    assert report.trainings_of("leaderboard")["nme"].tolist() == [0.1]
    assert f"{len(others)} of {len(others) + 1} trainings are not done" in capsys.readouterr().out


class AlwaysTheMean(KeypointNetwork):
    def __init__(self, shape: torch.Tensor) -> None:
        super().__init__(len(shape))
        self.register_buffer("shape", shape)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.shape.expand(len(images), 1, -1, -1)


def frames() -> Frames:
    """36 frames of SAMPLES, every point of a face 1 px off the shape that is always answered, its eyes 20 px apart."""
    shape = np.zeros((68, 2), np.float32)
    shape[45, 0] = 20
    samples = SAMPLES.assign(sample_id=[f"a/{index}" for index in range(36)])
    keypoints = np.repeat(shape[None], 36, 0)
    return Frames(np.zeros((36, 8, 8), np.uint8), keypoints, np.repeat(np.eye(3)[None], 36, 0), samples)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_training_becomes_a_row_also_in_a_fold(fold, tmp_path, monkeypatch):
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    TABLE.parent.mkdir()
    given = frames()
    shape = torch.from_numpy(given.keypoints_crop[0]) + torch.tensor([1.0, 0.0])
    monkeypatch.setattr(trainings, "train_network", lambda *_, **__: AlwaysTheMean(shape))
    trainings.run_all([Job("a", "b", params, fold)], given)
    row = read_table().iloc[0]
    assert row["nme"] == pytest.approx(1 / 20)
    assert row["faces"] == 9
    assert np.isnan(row["val_nme"]) == bool(fold)
    # Here everybody who is tested trains, too, but in a fold nobody does.
    assert np.isnan(row["nme_known_people"]) == bool(fold)
    assert np.isnan(row["nme_unseen_people"]) == (not fold)
    assert trainings.FOLD_ERRORS.exists() == bool(fold)
    assert is_done(Job("a", "b", params, fold))


@pytest.mark.parametrize("study", STUDIES)
def test_the_trainings_in_the_table_are_of_the_present_parameters(study):
    """Else the studies train everything anew, and the tables show another default than the pipeline's."""
    rows = pd.read_csv(ROOT / TABLE, dtype=str)
    there = set(zip(*(rows.loc[rows["study"] == study, key] for key in KEY[1:]), strict=True))
    present = {tuple(list(job.key().values())[1:]) for job in STUDIES[study]()}
    assert there <= present, (
        f"{there - present} are of other parameters: train anew (python -m benchmarks.trainings {study}), or, where a "
        f"new option leaves a training as it is, give its row the new digest in {TABLE}; there are {present}"
    )


@pytest.mark.parametrize("option", [("coarse_px", 64), ("fine_networks", 2)])
def test_options_of_another_network_make_no_other_training(option):
    plain, changed = {"model.name": "resnet18"}, {f"model.coarse_to_fine.{option[0]}": option[1]}
    ours, others = ({job(values)["digest"] for values in (known, known | changed)} for known in ({}, plain))
    assert len(ours) == 2
    assert len(others) == 1


def job(values: dict[str, object]) -> dict[str, str]:
    return Job("a", "b", with_values(values)).key()


def test_a_training_that_was_stopped_goes_on_after_its_last_epoch(tmp_path, monkeypatch):
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    TABLE.parent.mkdir()
    resumed = []

    def stopped_after_an_epoch(*_, on_epoch, resume):
        resumed.append(resume)
        if resume is None:
            on_epoch(Epoch(1, 0.1, 2.0, None, None), {"weights": torch.arange(3.0)})
            raise KeyboardInterrupt
        return AlwaysTheMean(torch.zeros(68, 2))

    monkeypatch.setattr(trainings, "train_network", stopped_after_an_epoch)
    stopped, *others = [Job("a", "b", params, fold) for fold in (1, 2)]
    with pytest.raises(KeyboardInterrupt):
        trainings.run_all([stopped], frames())
    with pytest.raises(KeyboardInterrupt):
        trainings.run_all(others, frames())  # of another fold: it does not take the first one's weights
    trainings.run_all([stopped], frames())
    assert resumed[:2] == [None, None]
    assert resumed[2]["weights"].tolist() == [0, 1, 2]
    assert is_done(stopped)


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """The parameters of a working copy whose dvc.lock has the training of its params.yaml."""
    params = load_params(ROOT / "params.yaml")
    asked = asdict(params)
    of_train = ["preprocess", "model", "augment", "train"]
    stages = {"split": ["split"], "pretrain": [*of_train, "pretrain"], "train": of_train}
    lock: dict[str, Any] = {
        name: {"params": {"params.yaml": {key: asked[key] for key in keys}}} for name, keys in stages.items()
    }
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    paths.MODEL.parent.mkdir(parents=True)
    paths.MODEL.write_bytes(b"trained")
    md5 = hashlib.md5(b"trained", usedforsecurity=False).hexdigest()
    lock["train"]["outs"] = [{"path": paths.MODEL.as_posix(), "md5": md5}]
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": lock}))
    return params


def test_the_pipelines_own_model_is_not_trained_again(committed, monkeypatch):
    monkeypatch.setattr(trainings, "load_model", lambda _: torch.nn.Identity())
    assert committed_model(Job("a", "b", committed)) is not None
    assert committed_model(Job("a", "b", with_values({"model.coarse_to_fine.mirrored_view": False}))) is not None
    assert committed_model(Job("a", "b", with_values({"train.seed": 7}))) is None
    assert committed_model(Job("a", "b", with_values({"model.coarse_to_fine.fine_px": 112}))) is None
    assert committed_model(Job("a", "b", committed, fold=1)) is None
    lock = paths.LOCK.read_text()
    paths.LOCK.write_text('{"stages": {}}')
    assert committed_model(Job("a", "b", committed)) is None
    paths.LOCK.write_text(lock)
    paths.MODEL.write_bytes(b"trained by an experiment")
    assert committed_model(Job("a", "b", committed)) is None
    paths.MODEL.unlink()
    assert committed_model(Job("a", "b", committed)) is None


def test_a_trained_network_is_refined_anew_for_other_options_of_that(committed):
    network = build_network(
        asdict(committed.model), side=64, mean_shape=torch.rand(68, 2) * 64, flip_index=IBUG_68.flip_index
    ).eval()
    network.correction.fill_(7)
    faces = LabelledFrames(torch.zeros(2, 64, 64, dtype=torch.uint8), torch.rand(2, 68, 2) * 64, IBUG_68)
    refine_as_asked(network, committed, faces)
    assert network.mirrored_view
    assert network.correction.eq(7).all()
    refine_as_asked(network, with_values({"model.coarse_to_fine.mirrored_view": False}), faces)
    assert not network.mirrored_view
    assert not network.correction.eq(7).any()
    refine_as_asked(network, with_values({"model.coarse_to_fine.correction_ridge": 1e6}), faces)
    assert network.mirrored_view
    assert network.correction.abs().max() < 0.01
    plain = AlwaysTheMean(torch.zeros(68, 2))
    before = dict(vars(plain))
    refine_as_asked(plain, with_values({"model.coarse_to_fine.mirrored_view": False}), faces)
    assert vars(plain) == before


def test_a_row_with_a_new_column_leaves_the_others_as_they_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.parent.mkdir()
    FOLDER.mkdir(parents=True)
    TABLE.write_text("entry,seed,nme\na,0,0.10\n")
    row = {"entry": "b", "seed": 1, "nme": 0.1234567, "val": None, "more": 2.0}
    trainings._put(TABLE, pd.DataFrame([row]), ["entry", "seed"])
    assert TABLE.read_text() == "entry,seed,nme,val,more\na,0,0.10,,\nb,1,0.123457,,2.0\n"
    trainings._put(TABLE, pd.DataFrame([row | {"nme": 0.5}]), ["entry", "seed"])  # killed before, as it wrote its rows
    assert TABLE.read_text() == "entry,seed,nme,val,more\na,0,0.10,,\nb,1,0.5,,2.0\n"


def test_models_that_are_called_alike_do_not_replace_each_other(tmp_path, monkeypatch):
    description = SimpleNamespace(model=SimpleNamespace(name="resnet18"))
    monkeypatch.setattr(robustness, "open_model_file", lambda path: (description, path))
    files = [tmp_path / "model.safetensors", tmp_path / "wide.safetensors"]
    assert robustness.open_named(files) == {"resnet18": files[0], "wide": files[1]}
    with pytest.raises(DataError, match="two models are called wide"):
        robustness.open_named([*files, tmp_path / "more" / "wide.safetensors"])


def test_the_error_on_bad_pictures_is_measured_on_val_where_the_study_asks_for_it(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    TABLE.parent.mkdir()
    monkeypatch.setattr(trainings, "_BAD_PICTURES", 5)
    monkeypatch.setattr(trainings, "train_network", lambda *_, **__: AlwaysTheMean(torch.zeros(68, 2)))
    monkeypatch.setattr(robustness, "corrupted_nme", lambda _, images, keypoints: len(images) / 100)
    for study, split in (("ablation", 0.1), ("shorter", 0.1), ("leaderboard", 0.0)):
        trainings.run_all([Job(study, "b", with_values({"split.val_people_frac": split}))], frames())
    assert read_table()["corrupted_val_nme"].fillna(-1).tolist() == [0.05, -1, -1]
    kept = FOLDER.glob("*-seed0-fold0/b.safetensors")
    assert len(list(kept)) == 2  # by parameters, whatever the study


def test_jobs_that_differ_in_their_last_options_share_a_training(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    TABLE.parent.mkdir()
    trained = []
    shape = torch.zeros(68, 2)
    monkeypatch.setattr(
        trainings, "train_network", lambda params, *_, **__: trained.append(params) or AlwaysTheMean(shape)
    )
    options = ["correction_ridge", "mirrored_view"]
    values = [{}, *({f"model.coarse_to_fine.{name}": value} for name, value in zip(options, [1e6, False], strict=True))]
    given = frames()
    trainings.run_all([Job("a", str(changed), with_values(changed)) for changed in values], given)
    assert len(trained) == 1
    trainings.run_all([Job("a", "fold", load_params(), 1), Job("a", "seed", with_values({"train.seed": 7}))], given)
    assert [params.train.seed for params in trained] == [0, 0, 7]
    assert len(read_table()) == 5


def test_labels_are_moved_apart_by_hand():
    assert apart(np.array([0.0, 0.1, 0.5]), 0.3) == pytest.approx([-0.1, 0.2, 0.5])
    assert apart(np.array([0.0, 0.1, 0.2]), 0.3) == pytest.approx([-0.2, 0.1, 0.4])
