"""per_frame.csv: the error of every face that evaluate measured, and the errors of the points of those of the test."""

import io

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.percent import to_percent
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief, reason_of
from pipeline.core import paths
from pipeline.core.stored_arrays import load_array
from pipeline.core.tables import TABLE_BYTES

_AGAIN = "make it again with: dvc repro -fs evaluate"


def parse_faces(content: bytes) -> pd.DataFrame:
    """A per_frame.csv of any age, by sample_id: `split`, `nme_percent`, `known` (whether the person trains) and others.

    Raises ValueError, KeyError and TypeError for what is none.
    """
    kinds = {"sample_id": "str", "split": "str", "known": "bool"}
    kinds |= dict.fromkeys(("nme", "nme_percent", "normalizing_length_px"), "float64")
    faces = pd.read_csv(io.BytesIO(content), dtype=kinds, keep_default_na=False).set_index("sample_id")
    if "nme_percent" not in faces:  # older runs wrote fractions
        faces = faces.assign(nme_percent=to_percent(faces["nme"].to_numpy()))
    if faces.empty or not np.isfinite(faces["nme_percent"]).all() or not faces.index.is_unique:
        raise ValueError("it measured no face, an error is no number, or a face comes twice")
    return faces if "split" in faces else faces.assign(split="test")  # older runs measured nothing else


def read_test_faces(sample_ids: list[str]) -> pd.DataFrame:
    """The rows of these faces of the test, which have to be all of them in this order. Raises DataError."""
    try:
        faces = parse_faces(read_plain(paths.PER_FRAME, TABLE_BYTES))
        faces = faces[faces["split"] == "test"]
        if list(faces.index) != sample_ids or not (faces["normalizing_length_px"] > 0).all():
            raise ValueError("its test faces are not those of the prepared frames, or one has no size")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{paths.PER_FRAME}: {brief(str(error), 200)}; {_AGAIN}") from None
    return faces


def read_test_point_errors(faces: int, points: int) -> np.ndarray:
    """(N, K) error of each point of the faces of `read_test_faces`, percent, NaN where it is not labelled.

    Raises DataError.
    """
    try:
        errors = np.array(load_array(paths.TEST_ERRORS, np.float64, (faces, points)))
        if np.isinf(errors).any() or np.isnan(errors).all(1).any():
            raise ValueError("it holds no number for a face")
    except (OSError, ValueError) as error:
        raise DataError(f"{paths.TEST_ERRORS}: {reason_of(error, paths.TEST_ERRORS)}; {_AGAIN}") from None
    return errors
