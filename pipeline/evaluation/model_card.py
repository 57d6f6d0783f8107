"""The model card: what the network is, what it was trained and measured on, and where not to trust it. Text only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_GROUPS = {
    "val": "val, by which all was chosen: people never trained on",
    "test": "test",
    "test_known_people": "of these, people who also train",
    "test_unseen_people": "of these, people never seen",
}

_INTENDED = """\
Placing 68 points on a picture of one face, upright to half turned, for teaching, research and tools that need the
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
_DRAWN = {
    "data": "Faces drawn by this project, with exact labels. Nothing measured here holds for photographs.",
    "limits": """\
- {people} people, none of them real: a network trained on them shows that everything works, and is for nothing else.
- Every face is drawn by the same code, so that the test is far easier than one on photographs would be.
- The test {shows}
- Faces are small ({sizes}).""",
    "licence": "Code, weights and frames: MIT.",
}


def model_card(
    measured: Mapping[str, Any],
    dataset: Mapping[str, Any],
    samples: pd.DataFrame,
    settings: Mapping[str, Any],
    sizes: Mapping[str, np.ndarray],
) -> str:
    """Markdown of the card.

    `measured`: metrics.json. `dataset`: dataset.json. `samples`: samples.csv. `settings`: what to tell of the training,
    by name. `sizes`: NME of the labelled test faces, fractions, by range of the eye distance in pixels.
    """
    about = _DRAWN if dataset["dataset"] == "synthetic" else _REAL
    facts = {
        "people": samples["person"].nunique(),
        "shows": _shows(measured["test_unseen_people"]["faces"]),
        "sizes": f"most often {max(sizes, key=lambda name: len(sizes[name]))} px from eye to eye",
    }
    network = measured["model"]
    set_to = _table(["setting", "value"], [[f"`{name}`", f"`{value}`"] for name, value in settings.items()])
    sections = {
        "": f"# Model card: 68 facial keypoints by `{network['name']}`\n\n{_summary(measured)}",
        "Model": f"`{network['name']}`, {network['parameters']:,} parameters. A gray square frame in, 68 points of the "
        f"iBUG 300-W scheme out.\n\n{set_to}",
        "Intended use": _INTENDED,
        "Data": f"{about['data']}\n\nDataset `{dataset['dataset']}`, revision `{dataset['revision']}`, "
        f"{dataset['files']:,} files, SHA-256 of the whole `{dataset['sha256']}`.{_drawn(settings)}\n\n"
        f"{_splits(samples)}",
        "Results": f"NME: mean distance of the 68 points over that of the outer eye corners. AUC up to 8 %, over 8 %. "
        f"Intervals: 95 %, drawn over people.\n\n{_results(measured)}",
        "Where it errs": f"{_regions(measured)}\n\n{_sizes(sizes)}",
        "Known limits": about["limits"].format(**facts),
        "Licence": about["licence"],
    }
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections.items()) + "\n"


def _shows(unseen: int) -> str:
    """Whom the test shows, with as many faces of people never seen."""
    if not unseen:
        return """\
shows nobody who does not also train, in other frames of the same clips: no error on people never
  seen is known."""
    return f"""\
mostly shows people who also train, in other frames of the same clips. The row of people never seen
  is the honest one; it has {unseen} frames, hence its wide interval."""


def _drawn(settings: Mapping[str, Any]) -> str:
    """What pretrain showed the network."""
    if "pretrain.epochs" not in settings:
        return ""
    faces = settings["pretrain.people"] * settings["pretrain.frames"]
    return f" Before these the network was trained on {faces:,} faces drawn by this project."


def _summary(measured: Mapping[str, Any]) -> str:
    test, unseen = measured["test"], measured["test_unseen_people"]
    never = f", **{_percent(unseen['nme'], 2)}** on people it never saw" if unseen["faces"] else ""
    return (
        f"Mean error (NME) **{_percent(test['nme'], 2)}** on {test['faces']:,} labelled test frames of "
        f"{measured['dataset']}{never}; the mean "
        f"training face, which looks at no picture, has {_percent(measured['baseline_mean_shape']['nme'], 2)}."
    )


def _splits(samples: pd.DataFrame) -> str:
    """Frames, labels and people of each split; test also by whether its people train."""
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


def _results(measured: Mapping[str, Any]) -> str:
    rows = []
    for name, label in _GROUPS.items():
        if (group := measured[name])["faces"]:
            shares = [_percent(group["auc_08"], 1), _percent(group["failure_rate_08"], 1)]
            interval = " to ".join(_percent(bound, 2) for bound in group["nme_ci95"] or ()) or "one person"
            rows.append([label, f"{group['faces']:,}", _percent(group["nme"], 2), interval, *shares])
    return _table(["faces", "frames", "NME", "95 % interval", "AUC", "above 8 %"], rows)


def _regions(measured: Mapping[str, Any]) -> str:
    rows = [[region.replace("_", " "), _percent(value, 2)] for region, value in measured["regions"].items()]
    return _table(["points of the", "NME"], rows)


def _sizes(sizes: Mapping[str, np.ndarray]) -> str:
    rows = [[f"{name} px", f"{len(nme):,}", _percent(float(nme.mean()), 2)] for name, nme in sizes.items()]
    return _table(["outer eye corners apart", "frames", "NME"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _percent(fraction: float, digits: int) -> str:
    return f"{100 * fraction:.{digits}f} %"
