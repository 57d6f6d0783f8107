"""What is trained for the reports: every recipe, ours with several seeds, in folds, and without its ingredients."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.frames import FOLDS
from benchmarks.jobs import Job
from pipeline.experiments.params import Params, load_params
from pipeline.experiments.recipe import DEFAULT, recipe_names, recipe_values, with_values

OURS = "coarse_to_fine"
QUALITY = "quality"
SEEDS = (0, 1, 2)
ABLATION_SEEDS = SEEDS[:2]  # another seed moves the default by 0.01, what is asked is a change of 0.05 and more


def entries() -> Iterator[tuple[str, Params]]:
    """Name and parameters of every network of the leaderboard, ours first, and last the best with nobody held out."""
    yield OURS, load_params()
    for name in recipe_names():
        if name != DEFAULT:
            yield name, with_values(recipe_values(name))
    yield f"{QUALITY}, nobody held out", with_values({**recipe_values(QUALITY), "split.val_people_frac": 0.0})


def leaderboard() -> Iterator[Job]:
    """Ours with several seeds, then every recipe."""
    _, *others = entries()
    for seed in SEEDS:
        yield Job("leaderboard", OURS, with_values({"train.seed": seed}))
    for name, params in others:
        yield Job("leaderboard", name, params)


def unseen_people() -> Iterator[Job]:
    """Ours trained on four fifths of the people each time and measured on the last."""
    for fold in range(1, FOLDS + 1):
        yield Job("unseen_people", OURS, load_params(), fold)


CHANGES: dict[str, dict[str, Any]] = {
    "no worsened frames": {"augment.degrade.prob": 0.0},
    "nothing in front of faces": {"augment.cover.prob": 0.0},
    "as many of both to the end": {"augment.fade_frac": 0.0},
    "no far views": {"model.coarse_to_fine.coarse_far_prob": 0.0},
    "no other people beside faces": {
        "model.coarse_to_fine.coarse_neighbour_prob": 0.0,
        "model.coarse_to_fine.fine_neighbour_prob": 0.0,
    },
    "a plain coarse network": {"model.coarse_to_fine.coarse_blocks": 0},
    "no learned spread": {"model.coarse_to_fine.spread": False},
    "AdamW for Muon": {"train.optimizer": "adamw"},
    "constant rate": {"train.schedule": "constant"},
    "squared error": {"train.loss": "mse"},
    "no averaged weights": {"train.ema_decay": 0.0},
    "no rotation, scale, shift": {"augment.rotation_deg": 0.0, "augment.scale_max": 1.0, "augment.shift_frac": 0.0},
    "no mirrored frames": {"augment.mirror_prob": 0.0},
    "no brightness, contrast": {"augment.brightness": 0.0, "augment.contrast": 0.0},
    "no occlusion": {"augment.occlusion_prob": 0.0},
    "no flip test": {"model.coarse_to_fine.mirrored_view": False},
    "no correction": {"model.coarse_to_fine.correction_ridge": 1e6},
}
"""Row of the ablation table -> what is changed in the default; what is for bad pictures is trained first."""
ADDED: dict[str, dict[str, Any]] = {
    "pretraining on synthetic faces": {"pretrain.epochs": 14},
}
"""Row of the ablation table -> what the default does without, tried with its own seed only."""


def ablation() -> Iterator[Job]:
    """Ours with one change at a time, one seed after the other; ours itself is in the leaderboard."""
    for entry, values in ADDED.items():
        yield Job("ablation", entry, with_values(values))
    for seed in ABLATION_SEEDS:
        for entry, values in CHANGES.items():
            yield Job("ablation", entry, with_values({**values, "train.seed": seed}))


SHARES_OF_EPOCHS = (1 / 28, 1 / 14, 1 / 8, 1 / 4, 1 / 2)


def shorter() -> Iterator[Job]:
    """Ours with fewer epochs: what error is reached in how little time."""
    for share in SHARES_OF_EPOCHS:
        epochs = max(1, round(share * load_params().train.epochs))
        yield Job("shorter", OURS, with_values({"train.epochs": epochs}))


STUDIES: dict[str, Callable[[], Iterator[Job]]] = {
    "leaderboard": leaderboard,
    "unseen_people": unseen_people,
    "ablation": ablation,
    "shorter": shorter,
}
