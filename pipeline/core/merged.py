"""Names in a dataset that is merged from several: each is preceded by that of the dataset from which it comes.

So what has one name in two datasets stays two, and the person "1" of one is not the person "1" of the other.
"""

import pandas as pd

MARK = "+"
"""Between the names of datasets in fetch.source, and between that of a dataset and of a frame or person."""


def merged_name(dataset: str, name: str) -> str:
    """The name of a frame or person of a dataset in the merged one."""
    return f"{dataset}{MARK}{name}"


def datasets_of(people: pd.Series) -> pd.Series:
    """(N,) the datasets from which (N,) people of a merged dataset come."""
    return people.str.partition(MARK)[0]
