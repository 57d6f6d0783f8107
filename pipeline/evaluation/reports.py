"""Reports that stages hand on, checked when they are read: they lie in files that anybody can change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief, shown
from pipeline.core import paths
from pipeline.core.json_files import read_json


class DatasetCard(BaseModel):
    """What dataset.json says of a dataset, or of each that is merged."""

    model_config = ConfigDict(strict=True)

    dataset: str
    revision: str
    title: str
    licence: str
    origin: str


class _Dataset(BaseModel):
    """What dataset.json has to say; it may say more."""

    model_config = ConfigDict(strict=True, extra="allow")

    dataset: str
    revision: str
    files: int
    sha256: str
    parts: list[DatasetCard] = []


def read_dataset() -> dict[str, Any]:
    """The contents of dataset.json: "dataset", "revision", "files", "sha256", perhaps "parts". Raises DataError."""
    content = read_json(paths.DATASET)
    try:
        _Dataset.model_validate(content)
    except ValidationError as error:
        raise DataError(refusal(paths.DATASET, error, "fetch")) from None
    return content


def dataset_cards(dataset: Mapping[str, Any]) -> list[DatasetCard]:
    """What the contents of dataset.json say of the dataset, or of each that is merged; nothing of this project's."""
    return [DatasetCard.model_validate(part) for part in dataset.get("parts", [])]


def refusal(path: Path, error: ValidationError, stage: str) -> str:
    """One line on the first thing that is wrong with a report, and how to make it again."""
    wrong = error.errors(include_url=False)[0]
    name = brief(".".join(map(str, wrong["loc"])))
    missing = wrong["type"] == "missing"
    reason = f"lacks {name}" if missing else f"says that {name} is {shown(wrong['input'])}: {wrong['msg']}"
    return f"{path} {reason}; make it again with: dvc repro -fs {stage}"
