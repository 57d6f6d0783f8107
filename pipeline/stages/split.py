"""Assign every frame to train, val or test; a copy of a test frame in training belongs to none of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import DataError
from pipeline.core import paths
from pipeline.core.json_files import write_json
from pipeline.core.labels import LABELS, read_label_names
from pipeline.core.samples import SAMPLE_COLUMNS
from pipeline.core.settings import Split
from pipeline.core.tables import write_table

_NAME = re.compile(r"(?P<person>.+)_(?P<clip>\d)(?P<frame>\d+)\.jpg")


def run(*, split: Split) -> None:
    samples = pd.concat([_list_folder(paths.RAW, folder) for folder in LABELS], ignore_index=True)
    people = samples.loc[samples["folder"] == "training", "person"]
    val_people = choose_people(people, split.val_people_frac, split.seed)
    samples["split"] = [
        "test" if folder == "test" else "val" if person in val_people else "train"
        for folder, person in zip(samples["folder"], samples["person"], strict=True)
    ]
    copies = _copies_of_test_frames(samples) if split.drop_test_copies else []
    samples.loc[samples["sample_id"].isin(copies), "split"] = ""
    train_people = set(samples.loc[samples["split"] == "train", "person"])
    if not train_people:
        raise DataError("no frame is left to train on; lower split.val_people_frac")
    samples["known"] = samples["person"].isin(train_people).where(samples["split"] == "test").astype("boolean")
    write_table(paths.SAMPLES, samples[SAMPLE_COLUMNS])
    summary = _summarize(samples)
    write_json(paths.SPLIT_SUMMARY, summary)
    print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary.items()))


def _list_folder(raw: Path, folder: str) -> pd.DataFrame:
    """One row a frame of raw/folder, in order of name; every row of the label table must have its frame."""
    files = sorted(path.name for path in (raw / folder).glob("*.jpg"))
    if not files:
        raise DataError(f"{raw / folder} holds no frames; fetch them with: dvc repro -fs fetch")
    labelled = read_label_names(raw / LABELS[folder])
    if orphans := sorted(set(labelled) - set(files)):
        raise DataError(
            f"{raw / LABELS[folder]}: {len(orphans)} row(s) have no frame in {raw / folder}, the first is "
            f"{orphans[0]}; remove the row or bring the frame"
        )
    parts = [_parse_name(raw / folder, file) for file in files]
    return pd.DataFrame(
        {
            "sample_id": [f"{folder}/{Path(file).stem}" for file in files],
            "file": files,
            "folder": folder,
            "person": [part["person"] for part in parts],
            "clip": [f"{part['person']}_{part['clip']}" for part in parts],
            "frame": [part["frame"] for part in parts],
            "labelled": np.isin(files, labelled),
        }
    )


def _parse_name(folder: Path, file: str) -> dict[str, str]:
    if not (match := _NAME.fullmatch(file)):
        raise DataError(
            f"{folder / file}: the name should read <person>_<clip digit><frame number>.jpg; rename the file"
        )
    return match.groupdict()


def choose_people(people: pd.Series, fraction: float, seed: int) -> set[str]:
    """`fraction` of the distinct people, drawn at random, at least one if the fraction is above 0."""
    distinct = sorted(set(people))
    count = max(1, round(fraction * len(distinct))) if fraction else 0
    return set(np.random.default_rng(seed).choice(distinct, count, replace=False).tolist())


def _copies_of_test_frames(samples: pd.DataFrame) -> list[str]:
    """sample_ids of the frames in training whose bytes are those of a test frame."""
    digests = [
        file_sha256(paths.RAW / folder / file) for folder, file in zip(samples["folder"], samples["file"], strict=True)
    ]
    test = set(pd.Series(digests)[(samples["folder"] == "test").to_numpy()])
    rows = zip(samples["sample_id"], samples["folder"], digests, strict=True)
    return [sample_id for sample_id, folder, digest in rows if folder != "test" and digest in test]


def _summarize(samples: pd.DataFrame) -> dict[str, int]:
    test = samples[samples["split"] == "test"]
    labelled = test[test["labelled"]]
    known = labelled["known"].fillna(False)
    return {
        "train": int((samples["split"] == "train").sum()),
        "val": int((samples["split"] == "val").sum()),
        "test": len(test),
        "test_labelled": len(labelled),
        "test_labelled_known_people": int(known.sum()),
        "test_labelled_unseen_people": int((~known).sum()),
        "dropped_test_copies": int((samples["split"] == "").sum()),
    }
