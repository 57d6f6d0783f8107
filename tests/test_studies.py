import numpy as np
import pandas as pd
import pytest

from benchmarks.frames import FOLDS, divide
from benchmarks.studies import STUDIES
from benchmarks.trainings import TABLE, Job, is_done
from pipeline.config import load_params
from tests.imports import ROOT

SAMPLES = pd.DataFrame(
    {
        "person": [f"person_{index // 3}" for index in range(36)],
        "split": (["train"] * 2 + ["val", "test"]) * 9,
    }
)


def test_every_person_is_tested_in_one_fold_and_then_trains_nothing():
    tested = []
    for fold in range(1, FOLDS + 1):
        train, val, test = divide(SAMPLES, fold)
        people = set(SAMPLES["person"][test])
        assert not people & set(SAMPLES["person"][train])
        assert not val.any()
        assert np.array_equal(train, ~test)
        tested += sorted(people)
    assert sorted(tested) == sorted(SAMPLES["person"].unique())


def test_fold_0_is_the_pipelines_own_split():
    for rows, split in zip(divide(SAMPLES, 0), ("train", "val", "test"), strict=True):
        assert set(SAMPLES["split"][rows]) == {split}


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
    other = params.model_copy(update={"train": params.train.model_copy(update={"lr": params.train.lr / 2})})
    assert not is_done(Job("a", "b", other))
    assert not is_done(Job("a", "b", params, fold=1))
