"""The files of an imported dataset that go into git, and how many of what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.text import amount, printable
from pipeline.core.labels import HIDDEN, UNLABELLED
from pipeline.datasets.label_table import LABEL_TABLE, Sample

IMPORTED, PICTURES = Path("imported"), "pictures"
"""A folder for each imported dataset in the workspace, out of git; in it its pictures, where fetch finds them."""


@dataclass
class Tally:
    """What was imported, counted."""

    objects: dict[str, int] = field(default_factory=lambda: {"training": 0, "test": 0})
    """By split."""
    groups: dict[str, int] = field(default_factory=dict)
    """By its name in which splits each group is: 1 training, 2 test, 3 both."""
    points: int = 0
    labelled: int = 0
    hidden: int = 0
    never_labelled: set[int] | None = None
    """Points that none of the objects labels."""
    left_out: int = 0
    """Entries."""
    files_left_out: int = 0
    """Files of labels of which the rest cannot be read."""
    turned: int = 0
    """Pictures that EXIF has shown in another way than they are stored."""

    @property
    def in_both(self) -> int:
        """Number of groups in training and test, as official lists may have them."""
        return sum(splits == 3 for splits in self.groups.values())

    @property
    def any_left_out(self) -> bool:
        """Whether anything that the labels hold is not imported."""
        return self.left_out + self.files_left_out > 0

    def add(self, sample: Sample) -> None:
        self.groups[sample.group] = self.groups.get(sample.group, 0) | (2 if sample.split == "test" else 1)
        self.objects[sample.split] += 1
        self.points += len(sample.points)
        self.labelled += int((sample.visibility != UNLABELLED).sum())
        missing = set(np.flatnonzero(sample.visibility == UNLABELLED).tolist())
        self.never_labelled = missing if self.never_labelled is None else self.never_labelled & missing
        self.hidden += int((sample.visibility == HIDDEN).sum())


def write_dataset_folder(
    folder: Path, name: str, scheme: Scheme, scheme_note: str, manifest: Mapping[str, str], facts: Mapping[str, str]
) -> None:
    """Write dataset.yaml, scheme.yaml, files.sha256 and the card beside the table of labels that is there.

    `facts` are rows of the card; those called "licence" and "source" stand in dataset.yaml too.
    """
    from pipeline.importing.scheme_of_labels import quoted, scheme_text

    values = {
        "title": f"{facts['objects']} of {name}",
        "licence": facts["licence"],
        "source": facts["source"],
        "scheme": "scheme.yaml",
        "revision": file_sha256(folder / LABEL_TABLE)[:12],
        "archive": (IMPORTED / name / PICTURES).as_posix(),
    }
    lines = [f"{key}: {quoted(value)}" for key, value in values.items()]
    lines[-1] += "  # folder, .tar.gz or .zip, on this machine or at an address, that holds the files of files.sha256"
    (folder / "dataset.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "scheme.yaml").write_text(scheme_text(scheme, scheme_note), encoding="utf-8")
    digests = "".join(f"{digest}  {file}\n" for file, digest in sorted(manifest.items()))
    (folder / "files.sha256").write_text(digests, encoding="utf-8")
    (folder / "README.md").write_text(_card(name, facts), encoding="utf-8")


def left_out(entries: int, files: int, what: str = "") -> str:
    """How many entries are left out, which `what` says of them, and of how many files what follows."""
    return f"{entries:,}{what}" + (f", and the rest of {amount(files, 'file')}" if files else "")


def _card(name: str, facts: Mapping[str, str]) -> str:
    rows = "\n".join(f"| {fact} | {printable(value).replace('|', '/')} |" for fact, value in facts.items())
    return (
        f"# {name}\n\nImported with `keypoints import`. Say here whose the pictures and labels are.\n\n"
        f"| fact | |\n|---|---|\n{rows}\n\n"
        f"`{LABEL_TABLE}` has a row for each object: its picture, its group, its split, the square that is cut out for "
        "it, and x, y and the flag of each point (2 seen, 1 hidden, 0 not labelled; the centre of the top left pixel "
        "is (0, 0)). `files.sha256` holds the SHA-256 of each picture.\n"
    )


def facts_of(tally: Tally, pictures: int, scheme: Scheme, grouping: str, told: Mapping[str, str]) -> dict[str, str]:
    """Rows of the card; `grouping` says what is kept together."""
    total = sum(tally.objects.values())
    counted = {split: f"{count:,}" for split, count in tally.objects.items()}
    labelled = percent_text(to_percent(tally.labelled / tally.points))
    hidden = percent_text(to_percent(tally.hidden / tally.points))
    return {
        "objects": f"{amount(total, 'object')} in {amount(pictures, 'picture')}",
        "groups": f"{len(tally.groups):,}: {grouping}",
        **({"groups in training and test": f"{tally.in_both:,}"} if tally.in_both else {}),
        "training": counted["training"],
        "test": counted["test"],
        "points": f"{scheme.count}: {scheme.title}; {len(scheme.mirror_pairs)} mirror pairs",
        "labelled points": f"{labelled}, of all {hidden} hidden",
        **({"entries left out": left_out(tally.left_out, tally.files_left_out)} if tally.any_left_out else {}),
        **told,
    }
