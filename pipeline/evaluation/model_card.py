"""The model card: what the network is, what it was trained and measured on, and where not to trust it. Text only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.core.text import brief
from pipeline.core.metrics import normalizer_in_words
from pipeline.evaluation.metrics_file import Metrics

_GROUPS = {
    "val": "val, by which all was chosen: people never trained on",
    "test": "test",
    "test_known_people": "of these, people who also train",
    "test_unseen_people": "of these, people never seen",
}

_INTENDED = """\
Placing {points} points on a picture of one face, upright to half turned, for teaching, research and tools that need the
shape of a face: alignment, overlays, animation, blurring for privacy. Find the faces first; the framing that it expects
is that of its training frames: the whole head with some space round it.

It says where points are, not who somebody is, nor what they feel or are able to. Do not build decisions about people
on it; the errors below are means over frames, and single points are further off."""

_REAL = {
    "data": """\
Video frames of the YouTube Faces Database (Wolf, Hassner, Maoz, CVPR 2011) as cut and labelled for the public
repository udacity/P1_Facial_Keypoints.""",
    "limits": """\
- {people} people, all of them public figures in television footage. Age, skin tone, glasses and beards are neither
  balanced nor labelled, so that no error by such group is known.
- The labels were made by a machine, in whole pixels off a coarse grid: no network can be shown to be better than they
  are, and this one has learned their habits.
- The official test {shows}
- Faces are small ({sizes}) and compressed. Profiles,
  covered faces and more than one face in the frame are rare.""",
    "licence": """\
Code and weights: MIT. The frames come from a repository under MIT, but were cut from videos of the YouTube Faces
Database and show real people: look up the terms of that database before any use beyond research, and publish no
frame.""",
}
_SYNTHETIC = {
    "data": "Synthetic faces, made by this project, with exact labels. Nothing measured here holds for photographs.",
    "limits": """\
- {people} people, none of them real: a network trained on them shows that everything works, and is for nothing else.
- Every face is made by the same code, so that the test is far easier than one on photographs would be.
- The test {shows}
- Faces are small ({sizes}).""",
    "licence": "Code, weights and frames: MIT.",
}


def model_card(
    measured: Metrics,
    dataset: Mapping[str, Any],
    scheme: Scheme,
    samples: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    sizes: Mapping[str, np.ndarray],
) -> str:
    """Markdown of the card.

    Args:
        measured: What evaluate measured.
        dataset: The contents of dataset.json.
        scheme: What the points are.
        samples: The rows of samples.csv.
        settings: Dotted name -> value of what the card tells of the training.
        sizes: Range of the normalizing length in pixels -> (N,) NME of the labelled test faces in it, percent.
    """
    about = _SYNTHETIC if dataset["dataset"] == "synthetic" else _REAL
    length = normalizer_in_words(scheme)
    facts = {
        "people": samples["person"].nunique(),
        "shows": _shows(measured.test_unseen_people.faces),
        "sizes": f"most often {max(sizes, key=lambda name: len(sizes[name]))} px {_size_in_words(scheme)}",
    }
    name = measured.model.name
    set_to = _table(["setting", "value"], [[f"`{key}`", f"`{value}`"] for key, value in settings.items()])
    sections = {
        "": f"# Model card: {scheme.count} facial keypoints by `{name}`\n\n{_summary(measured)}",
        "Model": f"`{name}`, {measured.model.parameters:,} parameters. A gray square frame in, {scheme.title} "
        f"out.\n\n{set_to}",
        "Intended use": _INTENDED.format(points=scheme.count),
        "Data": f"{about['data']}\n\nDataset `{dataset['dataset']}`, revision `{dataset['revision']}`, "
        f"{dataset['files']:,} files, SHA-256 of the whole `{dataset['sha256']}`.{_seen_before(settings)}\n\n"
        f"{_splits(samples)}",
        "Results": f"NME: mean distance of the {scheme.count} points over the {length}. AUC up to 8 %, over 8 %. "
        f"Intervals: 95 %, resampled over people.\n\n{_results(measured)}",
        "Where it errs": f"{_regions(measured)}\n\n{_sizes(sizes, length)}",
        "Known limits": about["limits"].format(**facts),
        "Licence": about["licence"],
    }
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections.items()) + "\n"


def _size_in_words(scheme: Scheme) -> str:
    return "from eye to eye" if scheme == IBUG_68 else f"of {normalizer_in_words(scheme)}"


def _shows(unseen: int) -> str:
    """Whom the test shows; `unseen` counts its faces of people who are not in the training split."""
    if not unseen:
        return """\
shows nobody who does not also train, in other frames of the same clips: no error on people never
  seen is known."""
    return f"""\
mostly shows people who also train, in other frames of the same clips. The row of people never seen
  is the honest one; it has {unseen} frames, hence its wide interval."""


def _seen_before(settings: Mapping[str, Any]) -> str:
    """A sentence on what the network was trained on before these frames, if anything."""
    if (start := settings.get("train.start", "scratch")) != "scratch":
        return f" It started from a trained model, `{brief(start, 200)}`, and so from the data of that one."
    if "pretrain.epochs" not in settings:
        return ""
    faces = settings["pretrain.people"] * settings["pretrain.frames"]
    return f" Before these the network was trained on {faces:,} synthetic faces."


def _summary(measured: Metrics) -> str:
    test, unseen = measured.test, measured.test_unseen_people
    never = f", **{percent_text(unseen.nme_percent)}** on people it never saw" if unseen.faces else ""
    return (
        f"Mean error (NME) **{percent_text(test.nme_percent)}** on {test.faces:,} labelled test frames of "
        f"{measured.dataset}{never}; the mean "
        f"training face, which looks at no picture, has {percent_text(measured.test_mean_shape.nme_percent)}."
    )


def _splits(samples: pd.DataFrame) -> str:
    """Table of frames, labels and people of each split; of the test also by whether its people train."""
    test = samples["split"] == "test"
    known = samples["known"].fillna(False).astype(bool)
    parts = {
        "train": samples["split"] == "train",
        "val, to choose by": samples["split"] == "val",
        "test": test,
        "of these, people who also train": test & known,
        "of these, people never seen": test & ~known,
    }
    rows = [
        [
            name,
            f"{chosen.sum():,}",
            f"{samples['labelled'][chosen].sum():,}",
            f"{samples['person'][chosen].nunique():,}",
        ]
        for name, chosen in parts.items()
    ]
    return _table(["split", "frames", "labelled", "people"], rows)


def _results(measured: Metrics) -> str:
    rows = []
    for name, label in _GROUPS.items():
        if (group := getattr(measured, name)).faces:
            shares = [percent_text(group.auc_08_percent, 1), percent_text(group.failure_rate_08_percent, 1)]
            interval = " to ".join(map(percent_text, group.nme_ci95_percent or ())) or "one person"
            rows.append([label, f"{group.faces:,}", percent_text(group.nme_percent), interval, *shares])
    return _table(["faces", "frames", "NME", "95 % interval", "AUC", "above 8 %"], rows)


def _regions(measured: Metrics) -> str:
    regions = measured.test_regions_nme_percent.items()
    return _table(["points of the", "NME"], [[name.replace("_", " "), percent_text(value)] for name, value in regions])


def _sizes(sizes: Mapping[str, np.ndarray], length: str) -> str:
    rows = [[f"{name} px", f"{len(nme):,}", percent_text(float(nme.mean()))] for name, nme in sizes.items()]
    return _table([length, "frames", "NME"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
