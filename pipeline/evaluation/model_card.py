"""The model card: what the network is, what it was trained and measured on, and where not to trust it. Text only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from facial_keypoints.core.certainty import NINE_TENTHS
from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.core.text import brief
from pipeline.core.metrics import group_in_words, groups_in_words, normalizer_in_words
from pipeline.evaluation.card_texts import INTENDED, OTHERS, OTHERS_INTENDED, REAL, SYNTHETIC
from pipeline.evaluation.metrics_file import Metrics
from pipeline.evaluation.reports import dataset_cards

_GROUPS = {
    "val": "val, by which all was chosen: people never trained on",
    "test": "test",
    "test_known_people": "of these, people who also train",
    "test_unseen_people": "of these, people never seen",
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
    about = _about(dataset)
    length = normalizer_in_words(scheme)
    facts = {
        "people": samples["person"].nunique(),
        "known": measured.test_known_people.faces,
        "unseen": measured.test_unseen_people.faces,
        "shows": _shows(measured.test_unseen_people.faces, scheme),
        "sizes": f"most often {max(sizes, key=lambda name: len(sizes[name]))} px {_size_in_words(scheme)}",
    }
    name = measured.model.name
    set_to = _table(["setting", "value"], [[f"`{key}`", f"`{value}`"] for key, value in settings.items()])
    sections = {
        "": f"# Model card: {_points_in_words(scheme)} by `{name}`\n\n{_summary(measured, scheme)}",
        "Model": f"`{name}`, {measured.model.parameters:,} parameters. A gray square frame in, {scheme.title} "
        f"out.\n\n{set_to}",
        "Intended use": _intended(scheme),
        "Data": f"{about['data']}\n\nDataset `{dataset['dataset']}`, revision `{dataset['revision']}`, "
        f"{dataset['files']:,} files, SHA-256 of the whole `{dataset['sha256']}`.{_seen_before(settings)}\n\n"
        f"{_splits(samples, scheme)}",
        "Results": f"NME: mean distance of the {scheme.count} points over the {length}. AUC up to 8 %, over 8 %. "
        f"Intervals: 95 %, resampled over {groups_in_words(scheme)}.\n\n{_results(measured, scheme)}"
        f"{_of_some_points(measured, scheme)}{_certainty(measured, scheme)}",
        "Where it errs": f"{_regions(measured)}\n\n{_sizes(sizes, length)}",
        "Known limits": about["limits"].format(**facts),
        "Licence": about["licence"],
    }
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections.items()) + "\n"


def _about(dataset: Mapping[str, Any]) -> dict[str, str]:
    """What the card says of the dataset, or of those that are merged."""
    if not (cards := dataset_cards(dataset)):
        return SYNTHETIC if dataset["dataset"] == "synthetic" else REAL
    described = [f"- `{card.dataset}`, revision `{card.revision}`: {card.title}. From: {card.origin}" for card in cards]
    licences = "\n".join(f"- `{card.dataset}`: {card.licence}" for card in cards)
    return OTHERS | {"data": "\n".join(described), "licence": OTHERS["licence"].format(licences=licences)}


def _points_in_words(scheme: Scheme) -> str:
    return f"{scheme.count} " + ("facial keypoints" if scheme.thing == "face" else f"keypoints of {scheme.a_thing}")


def _intended(scheme: Scheme) -> str:
    text = INTENDED if scheme == IBUG_68 else OTHERS_INTENDED
    return text.format(points=scheme.count, thing=scheme.thing, a_thing=scheme.a_thing)


def _of_some_points(measured: Metrics, scheme: Scheme) -> str:
    """What labels of some points, or of hidden ones, make of the results; nothing where there are none."""
    told = []
    for name, group in (("val", measured.val), ("test", measured.test)):
        if group.not_measured:
            length = normalizer_in_words(scheme)
            told.append(f"Not measured, as their labels do not give the {length}: {group.not_measured:,} of {name}.")
        if group.nme_hidden_points_percent is not None:
            seen, hidden = map(percent_text, (group.nme_seen_points_percent, group.nme_hidden_points_percent))
            told.append(f"On {name}, points that are seen have {seen}, hidden ones {hidden}.")
    if measured.points_in_no_training_frame:
        names = ", ".join(measured.points_in_no_training_frame)
        told.append(f"**No training frame labels {names}: at most mirrored pictures taught the network these points.**")
    return "".join(f"\n\n{text}" for text in told)


def _size_in_words(scheme: Scheme) -> str:
    return "from eye to eye" if scheme == IBUG_68 else f"as the {normalizer_in_words(scheme)}"


def _shows(unseen: int, scheme: Scheme) -> str:
    """Whom the test shows; `unseen` counts its faces of people who are not in the training split."""
    if scheme.thing != "face":
        never = f"{unseen} {scheme.things} of groups that do not train" if unseen else "no group that does not train"
        return f"shows {never}."
    if not unseen:
        return """\
shows nobody who does not also train, in other frames of the same clips: no error on people never
  seen is known."""
    return f"""\
mostly shows people who also train, in other frames of the same clips. The row of people never seen
  is the honest one; it has {unseen} frames, hence its wide interval."""


def _seen_before(settings: Mapping[str, Any]) -> str:
    """A sentence on what the network was trained on before these frames, if anything."""
    if settings.get("model.weights", "scratch") == "pretrained":
        return " Before these the network was trained on ImageNet (torchvision's weights): look up its terms too."
    if (start := settings.get("train.start", "scratch")) != "scratch":
        return f" It started from a trained model, `{brief(start, 200)}`, and so from the data of that one."
    if "pretrain.epochs" not in settings:
        return ""
    faces = settings["pretrain.people"] * settings["pretrain.frames"]
    return f" Before these the network was trained on {faces:,} synthetic faces."


def _summary(measured: Metrics, scheme: Scheme) -> str:
    test, unseen = measured.test, measured.test_unseen_people
    groups = groups_in_words(scheme)
    never = f", **{percent_text(unseen.nme_percent)}** on {groups} it never saw" if unseen.faces else ""
    return (
        f"Mean error (NME) **{percent_text(test.nme_percent)}** on {test.faces:,} labelled test frames of "
        f"{measured.dataset}{never}; the mean "
        f"training {scheme.thing}, which looks at no picture, has {percent_text(measured.test_mean_shape.nme_percent)}."
    )


def _splits(samples: pd.DataFrame, scheme: Scheme) -> str:
    """Table of frames, labels and people of each split; of the test also by whether its people train."""
    groups = groups_in_words(scheme)
    test = samples["split"] == "test"
    known = samples["known"].fillna(False).astype(bool)
    parts = {
        "train": samples["split"] == "train",
        "val, to choose by": samples["split"] == "val",
        "test": test,
        f"of these, {groups} who also train": test & known,
        f"of these, {groups} never seen": test & ~known,
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
    return _table(["split", "frames", "labelled", groups], rows)


def _results(measured: Metrics, scheme: Scheme) -> str:
    word, rows = groups_in_words(scheme), []
    groups = {label.replace("people", word): getattr(measured, name) for name, label in _GROUPS.items()}
    groups |= {f"test of {name}": group for name, group in (measured.test_by_dataset or {}).items()}
    for label, group in groups.items():
        if group.faces:
            shares = [percent_text(group.auc_08_percent, 1), percent_text(group.failure_rate_08_percent, 1)]
            interval = " to ".join(map(percent_text, group.nme_ci95_percent or ())) or f"one {group_in_words(scheme)}"
            rows.append([label, f"{group.faces:,}", percent_text(group.nme_percent), interval, *shares])
    return _table([scheme.things, "frames", "NME", "95 % interval", "AUC", "above 8 %"], rows)


def _certainty(measured: Metrics, scheme: Scheme) -> str:
    """How many points lie inside the radii that the network tells; nothing where it tells none."""
    never = f"test, {groups_in_words(scheme)} never seen"
    groups = {"val": measured.val, "test": measured.test, never: measured.test_unseen_people}
    rows = [
        [name, *(percent_text(share, 1) for share in group.coverage_percent)]
        for name, group in groups.items()
        if group.coverage_percent
    ]
    if not rows:
        return ""
    text = (
        "It tells for each point a radius that shall hold the true point in one of two cases, and "
        f"{NINE_TENTHS} times that radius in nine of ten. The true points that lie inside:"
    )
    return f"\n\n{text}\n\n{_table(['points of', 'radius for 50 %', 'radius for 90 %'], rows)}"


def _regions(measured: Metrics) -> str:
    regions = measured.test_regions_nme_percent.items()
    return _table(["points of the", "NME"], [[name.replace("_", " "), percent_text(value)] for name, value in regions])


def _sizes(sizes: Mapping[str, np.ndarray], length: str) -> str:
    rows = [[f"{name} px", f"{len(nme):,}", percent_text(float(nme.mean()))] for name, nme in sizes.items()]
    return _table([length, "frames", "NME"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
