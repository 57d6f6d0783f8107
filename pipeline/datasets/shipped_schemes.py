"""Schemes that come with the project: that of the default dataset, and one a file in schemes/."""

from pathlib import Path

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68, Scheme, scheme_from
from facial_keypoints.core.text import brief
from facial_keypoints.core.yaml_files import read_yaml

_FOLDER = Path(__file__).with_name("schemes")


def shipped_names() -> list[str]:
    """Names of all schemes that come with the project."""
    return sorted([IBUG_68.name, *(path.stem for path in _FOLDER.glob("*.yaml"))])


def find_scheme(name_or_file: str) -> Scheme:
    """The shipped scheme of a name, else that in a file. Raises ConfigError."""
    if name_or_file == IBUG_68.name:
        return IBUG_68
    shipped = name_or_file in shipped_names()
    path = _FOLDER / f"{name_or_file}.yaml" if shipped else Path(name_or_file)
    try:
        return scheme_from(read_yaml(path))
    except FileNotFoundError:
        told = ", ".join(shipped_names())
        raise ConfigError(f"there is no scheme {brief(name_or_file)}; name a file, or one of {told}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {brief(str(error), 200)}; mend the scheme") from None
