"""One training of a study, and the table that says which are done."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from pipeline.experiments.params import Params

TABLE = Path("reports/trainings.csv")
KEY = ["study", "entry", "seed", "fold", "digest"]


@dataclass(frozen=True)
class Job:
    """One training; `fold` as in benchmarks/frames.py."""

    study: str
    entry: str
    params: Params
    fold: int = 0

    def key(self) -> dict[str, str]:
        """What makes it the same training as one in the table; options of other networks than its own do not count."""
        names = {"split", "preprocess", "model", "augment", "train"}
        names |= {"pretrain"} if self.params.pretrain.epochs else set()
        sections = {name: values for name, values in asdict(self.params).items() if name in names}
        network = sections["model"]["name"]
        sections["model"] = {
            name: value for name, value in sections["model"].items() if name == network or not isinstance(value, dict)
        }
        digest = hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest()[:12]
        values = (self.study, self.entry, self.params.train.seed, self.fold, digest)
        return dict(zip(KEY, map(str, values), strict=True))


def read_table() -> pd.DataFrame:
    """All trainings done so far; keys as text."""
    return pd.read_csv(TABLE, dtype=dict.fromkeys(KEY, str)) if TABLE.exists() else pd.DataFrame(columns=KEY)


def is_done(job: Job) -> bool:
    table = read_table()
    return bool((table[KEY] == pd.Series(job.key())).all(axis=1).any())
