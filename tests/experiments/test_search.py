"""What a search may choose from, what its workers do, and what a training hears of it."""

import re
import shutil
import threading
import time

import pytest

from facial_keypoints.core.errors import ConfigError, KeypointsError
from pipeline.commands.runs import runs
from pipeline.experiments.breaking_off import BrokenOffError, PrunedError
from pipeline.experiments.dvc.temporary import none_begins
from pipeline.experiments.params import load_params
from pipeline.experiments.sweeps import held_trial
from pipeline.experiments.sweeps import search as search_module
from pipeline.experiments.sweeps.held_trial import FAILURE, PRUNED_AFTER
from pipeline.experiments.sweeps.plan import SEED
from pipeline.experiments.sweeps.search import Search, has_ended, work
from pipeline.experiments.sweeps.search_report import plots, trial_table
from pipeline.experiments.sweeps.settings import parse_settings
from pipeline.experiments.sweeps.space import Range, parse_space, refuse_ranges
from pipeline.experiments.sweeps.study import SWEEPS, default_storage, open_study, study_name, trial_environment
from pipeline.experiments.sweeps.trial import running_trial
from pipeline.experiments.tracking.live_run import training_run
from pipeline.experiments.tracking.run_search import pruned_runs
from tests.architecture import ROOT

pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning"),  # of what stands in for a dead worker
]

HALF = load_params(ROOT / "params.yaml").train.epochs // 2


@pytest.fixture
def params(workspace):
    (workspace / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    return workspace


def space_of(*settings):
    return parse_space(parse_settings(list(settings)))


def test_a_space_has_ranges_whole_numbers_and_choices(params):
    space = space_of("train.lr=0.001..0.02", "train.ema_decay=0..0.9", "train.batch_size=8..64", "train.loss=l1,mse")
    assert space == {
        "train.lr": Range(0.001, 0.02, whole=False),
        "train.ema_decay": Range(0, 0.9, whole=False),
        "train.batch_size": Range(8, 64, whole=True),
        "train.loss": ("l1", "mse"),
    }
    by_ratio = {name: part.by_ratio for name, part in space.items() if isinstance(part, Range)}
    assert by_ratio == {"train.lr": True, "train.ema_decay": False, "train.batch_size": False}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["train.lr=0.001..2"], "train.lr is 2 but should be less than or equal to 1"),
        (["train.batch_size=0..64"], "train.batch_size is 0 but should be greater than or equal to 1"),
        (["train.batch_size=1.5..64"], "train.batch_size is 1.5 but should be a valid integer"),
        (["train.lr=0.02..0.001"], "write the lower end first"),
        (["train.lr=0.01..0.01"], "which is no range"),
        (["train.lr=0.001..0.02,0.5"], "holds a range beside other values"),
        (["train.loss=l1..mse"], "is a range, but the parameter is no number"),
        (["train.lr=.."], "train.lr"),
        (["train.nothing=1..2"], "is not a known parameter"),
        (["train.lr=0.01"], "nothing to search in"),
        (["train.lr=0.01,1e-2"], "is one value twice"),
        (["split.val_people_frac=0.1..0.3"], "changes on which faces"),
    ],
)
def test_a_space_that_cannot_be_searched_is_one_line(params, settings, told):
    with pytest.raises(ConfigError, match=told):
        space_of(*settings)


def test_a_sweep_without_a_search_refuses_ranges():
    with pytest.raises(ConfigError, match=r"train\.lr=0\.001\.\.0\.02 is a range, .*--search"):
        refuse_ranges(parse_settings(["train.lr=0.001..0.02"]))


def test_a_number_is_written_short_and_stays_in_its_range():
    assert Range(0.001, 0.02, whole=False).text(0.00345678912) == "0.00345679"
    assert Range(0, 0.99999999, whole=False).text(0.99999999) == "0.99999999"
    assert Range(8, 64, whole=True).text(16.0) == "16"


def test_the_same_search_has_the_same_name_and_another_one_another(params):
    space = space_of("train.lr=0.001..0.02", "train.loss=l1,mse")
    name = study_name(space, 0)
    assert study_name(space_of("train.loss=mse,l1", "train.lr=1e-3..2e-2"), 0) == name
    assert study_name(space, 1) != name
    assert study_name(space_of("train.lr=1e-3,2e-3"), 0) == study_name(space_of("train.lr=0.002,0.001"), 0)
    path = params / "params.yaml"
    path.write_text(re.sub(r"batch_size: \d+", "batch_size: 32", path.read_text()))
    assert study_name(space, 0) != name


@pytest.mark.parametrize("folder", ["q?d", "100%41", "a b#c"])
def test_the_searches_of_a_checkout_of_any_name_lie_in_it(tmp_path, monkeypatch, folder):
    (tmp_path / folder / SWEEPS).mkdir(parents=True)
    monkeypatch.setattr("pipeline.experiments.sweeps.study.workspace_root", lambda: tmp_path / folder)
    open_study(default_storage(), "search-1")
    assert (tmp_path / folder / SWEEPS / "search.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("storage", ["postgresql://u:s3cret@h:abc/x", "postgresql://u:s3cret@[::1/x"])
def test_a_database_that_is_no_address_is_one_line_without_the_password(storage):
    with pytest.raises(ConfigError, match=r"^--storage \S+ is no address; write it as postgresql") as error:
        open_study(storage, "search-1")
    assert "s3cret" not in str(error.value)


@pytest.fixture
def search(params):
    space = space_of("train.lr=0.001..0.02")
    return Search(f"sqlite:///{params}/search.db", study_name(space, 0), space, 0, 4)


def trials(search):
    return open_study(search.storage, search.study).trials


def rate(search, trial):
    return trial.suggest_float("train.lr", 0.001, 0.02, log=True)


@pytest.mark.slow
def test_the_same_search_goes_on_where_it_was(search):
    def interrupted(search, trial):
        if trial.number == 2:
            rate(search, trial)
            raise KeyboardInterrupt
        return rate(search, trial)

    with pytest.raises(KeyboardInterrupt):
        work(search, interrupted)
    assert [trial.state.name for trial in trials(search)] == ["COMPLETE", "COMPLETE", "FAIL", "WAITING"]
    work(search, rate)
    begun = trials(search)
    assert [trial.state.name for trial in begun] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert begun[3].params == begun[2].params
    work(search, None)  # nothing is left to do


@pytest.mark.slow
def test_a_training_that_fails_counts_and_leaves_the_others_alone(search):
    def failing(search, trial):
        if trial.number == 1:
            raise KeypointsError("see the log")
        return rate(search, trial)

    work(search, failing)
    assert [trial.state.name for trial in trials(search)] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials(search)[1].user_attrs[FAILURE] == "see the log"
    table = trial_table(search)
    assert table["state"].tolist() == ["COMPLETE"] * 3 + ["FAIL"]
    assert table["val_nme_percent"].tolist()[:3] == sorted(table["val_nme_percent"].tolist()[:3])
    assert list(plots(search)) == ["-history.png"]


@pytest.mark.slow
def test_a_dead_workers_training_is_taken_again(search, monkeypatch):
    monkeypatch.setattr(held_trial, "GRACE_S", 1)
    monkeypatch.setattr(held_trial, "HEARTBEAT_S", 1)
    monkeypatch.setattr(search_module, "_POLL_S", 0.2)
    study = open_study(search.storage, search.study)
    dead = study.ask()
    study._storage.record_heartbeat(dead._trial_id)
    chosen = rate(search, dead)
    work(search, rate)
    begun = trials(search)
    assert begun[0].state.name == "FAIL"
    assert [trial.params["train.lr"] for trial in begun[1:]].count(chosen) == 1
    assert sum(map(has_ended, begun)) == 4


def give_up(search, trial):
    """What another worker does that has heard nothing of this one."""
    from optuna.trial import TrialState

    storage = open_study(search.storage, search.study)._storage
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    held_trial.begin_again(open_study(search.storage, search.study), storage.get_trial(trial._trial_id))


@pytest.mark.slow
@pytest.mark.parametrize("end", ["whole", "fails", "pruned"])
def test_a_worker_whose_trial_was_given_up_says_so_and_goes_on(search, capsys, end):
    from optuna import TrialPruned

    def silent_once(search, trial):
        if trial.number != 1:
            return rate(search, trial)
        chosen = rate(search, trial)
        trial.set_user_attr(PRUNED_AFTER, 7)
        give_up(search, trial)
        if end == "fails":
            raise KeypointsError("see the log")
        if end == "pruned":
            raise TrialPruned
        return chosen

    work(search, silent_once)
    begun = trials(search)
    assert [trial.state.name for trial in begun] == ["COMPLETE", "FAIL", *["COMPLETE"] * 3]
    assert begun[2].params == begun[1].params
    assert not begun[2].user_attrs
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trial 1 of {search.study} was given up,")


@pytest.mark.slow
def test_a_heartbeat_outlives_a_database_that_fails(search, monkeypatch):
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    monkeypatch.setattr(held_trial, "HEARTBEAT_S", 0.01)
    study = open_study(search.storage, search.study)
    beats, thrice = [], threading.Event()

    def failing_twice(trial_id):
        beats.append(trial_id)
        if len(beats) < 3:
            raise [OperationalError("", {}, OSError()), StorageInternalError("gone")][len(beats) - 1]
        thrice.set()

    monkeypatch.setattr(study._storage, "record_heartbeat", failing_twice)
    with held_trial.heartbeat(study, study.ask()):
        assert thrice.wait(5)


def test_a_workspace_that_changed_ends_the_search(search, params):
    path = params / "params.yaml"
    path.write_text(re.sub(r"batch_size: \d+", "batch_size: 32", path.read_text()))
    with pytest.raises(KeypointsError, match=r"params\.yaml changed since search-\w+ began"):
        work(search, rate)
    assert not trials(search)


@pytest.mark.slow
def test_a_worker_waits_while_dvc_has_another_experiments_parameters_in_the_workspace(search, params):
    path, begun = params / "params.yaml", threading.Event()
    whole = path.read_text()

    def begin_another():
        with none_begins(params / SWEEPS):
            path.write_text("")
            begun.set()
            time.sleep(0.5)
            path.write_text(whole)

    other = threading.Thread(target=begin_another)
    other.start()
    begun.wait()
    work(search, rate)
    other.join()
    assert len(trials(search)) == 4


@pytest.fixture
def reporting(search, monkeypatch):
    """A trial that this process trains for, after five others that had 4 % at every epoch."""
    study = open_study(search.storage, search.study)
    for _ in range(5):
        other = study.ask()
        for epoch in range(HALF - 1, HALF + 2):
            other.report(4.0, epoch)
        study.tell(other, 4.0)
    number = study.ask().number
    for name, value in trial_environment(search.storage, search.study, number).items():
        monkeypatch.setenv(name, value)
    return number


@pytest.mark.slow
def test_a_training_worse_than_the_median_is_pruned_after_half_its_epochs(search, reporting):
    trial = running_trial()
    for epoch in range(HALF - 4, HALF):
        trial.report(epoch, 9.0)
    with pytest.raises(PrunedError, match=f"pruned after epoch {HALF}:"):
        trial.report(HALF, 9.0)


@pytest.mark.slow
def test_a_training_better_than_the_median_goes_on(search, reporting):
    trial = running_trial()
    for epoch in range(HALF - 2, HALF + 6):
        trial.report(epoch, 3.0)


@pytest.mark.slow
def test_a_training_whose_trial_was_taken_over_ends(search, reporting):
    study = open_study(search.storage, search.study)
    running_trial().report(1, 3.0)
    study.tell(reporting, state=study.trials[0].state.FAIL)
    with pytest.raises(BrokenOffError, match="was given up or taken over") as caught:
        running_trial().report(2, 3.0)
    assert not isinstance(caught.value, PrunedError)


@pytest.mark.slow
def test_a_lost_database_ends_no_training(search, reporting, monkeypatch, capsys):
    monkeypatch.setenv("KEYPOINTS_SEARCH_STORAGE", "sqlite:////nowhere/search.db")
    trial = running_trial()
    trial.report(1, 3.0)
    trial.report(2, 3.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the search's database sqlite:////nowhere/search.db cannot be used: ")


def test_an_ordinary_training_belongs_to_no_search():
    assert running_trial() is None


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("postgresql+nothing://ada:secret@127.0.0.1/x", "cannot be used"),
        ("postgresql+pg8000://ada:secret@127.0.0.1:9/x", "needs a driver that is not installed"),
        ("no address", "cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_the_password(params, storage, told):
    with pytest.raises(KeypointsError, match=told) as caught:
        open_study(storage, "search-1")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_seed_is_no_part_of_the_space(params):
    with pytest.raises(ConfigError, match="--seeds"):
        space_of(f"{SEED}=1..9")


def test_a_training_that_others_began_while_this_one_waited_is_not_begun_once_more(search, monkeypatch):
    begun = []

    def others_begin(search):
        study = open_study(search.storage, search.study)
        for _ in range(search.trainings):
            trial = study.ask()
            rate(search, trial)
            study.tell(trial, 3.0)

    monkeypatch.setattr("pipeline.experiments.sweeps.search._refuse_other_parameters", others_begin)
    work(search, lambda search, trial: begun.append(trial) or rate(search, trial))
    assert (begun, len(trials(search))) == ([], search.trainings)


@pytest.mark.slow
def test_a_training_that_is_pruned_shows_as_pruned(search, reporting, empty_store, capsys):
    shutil.copy(empty_store, "mlflow.db")
    with (
        pytest.raises(PrunedError),
        training_run({"train.lr": 0.02, "train.seed": 0}, "ab" * 32, running_trial()) as live,
    ):
        live.log({HALF: {"train_loss": 9.5, "val_nme_percent": 9.0}})
    ((pruned, params),) = [(run.info, run.data) for run in pruned_runs()]
    assert (pruned.status, params.tags["trial_state"]) == ("KILLED", "PRUNED")
    assert (params.tags["search"], params.tags["trial"]) == (search.study, str(reporting))
    runs()
    told = capsys.readouterr().out
    (row,) = [line for line in told.splitlines() if pruned.run_id[:8] in line]
    assert "PRUNED" in row
    assert "lr=0.02" in row
    assert "PRUNED: its search ended the training early" in " ".join(told.split())
    with training_run({"train.lr": 0.02, "train.seed": 0}, "ab" * 32, running_trial()):
        pass  # the same training, begun again by hand, is a run of its own
    assert len(pruned_runs()) == 1
