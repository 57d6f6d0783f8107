"""The scheme of the points of the fetched dataset, which fetch writes beside the frames."""

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import Scheme, scheme_from
from pipeline.core import paths
from pipeline.core.json_files import read_json, write_json


def read_scheme() -> Scheme:
    """What `write_scheme` wrote. Raises DataError."""
    content = read_json(paths.SCHEME)
    try:
        return scheme_from(content)
    except ValueError as error:
        raise DataError(f"{paths.SCHEME}: {error}; make it again with: dvc repro -fs fetch") from None


def write_scheme(scheme: Scheme) -> None:
    """Write data/scheme.json."""
    write_json(paths.SCHEME, scheme.as_data())
