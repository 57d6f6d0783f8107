"""What labels tell of their points: beside the scheme that is named, or fit to make one of."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import Scheme, scheme_from
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import brief
from pipeline.datasets.formats.names import Told, are_numbers
from pipeline.importing.scheme_of_labels import guessed_scheme

_MOST = 300
"""Characters of a list of names."""


def numbered(names: Sequence[str]) -> str:
    """Names of points with their numbers, the middle of many left out."""
    return brief(", ".join(f"{number} {name}" for number, name in enumerate(names)), _MOST)


def names_of(scheme: Scheme | None, told: Told) -> Sequence[str]:
    """Names of the points in the order in which they are imported; none where they only have numbers."""
    names = scheme.point_names if scheme and scheme.point_names else told.names
    return () if are_numbers(names) else names


def tell_of_names(scheme: Scheme, told: Told, reordered: bool) -> None:
    """Tell where the names in labels do not say which point of the scheme each is."""
    if reordered or are_numbers(told.names):
        return
    order = numbered(told.names)
    if scheme.point_names:
        tell(f"note: the labels name their points otherwise than the scheme; their order is taken as it is: {order}")
    else:
        tell(f"note: the labels name their points and the scheme does not; they are taken as {order}")


def tell_of_unused(told: Told, group_by: str | None) -> None:
    """Tell which columns hold nothing that is imported."""
    unused = [column for column in told.unused if group_by is None or column.casefold() != group_by.casefold()]
    if unused:
        tell(f"note: columns that are not used: {brief(', '.join(unused), _MOST)}")


def without_stray_lines(told: Told, source: object) -> Told:
    """What labels tell, without lines to points that are not there."""
    points = range(len(told.names))
    kept = [(one, other) for one, other in told.edges if one in points and other in points]
    if left_out := len(told.edges) - len(kept):
        tell(f"note: {left_out} lines of the skeleton in {source} join points that it does not name; left out")
    return replace(told, edges=kept)


def refuse_names_of_no_scheme(told: Told, source: object) -> None:
    """Raise DataError where no scheme can be made of the points that labels name."""
    try:
        scheme_from(guessed_scheme("any", len(told.names), told, np.empty((0, len(told.names), 2))).as_data())
        "".join(told.names).encode()
    except ValueError as error:
        raise DataError(
            f"{source} names its points so that no scheme can be made of them: {brief(str(error), 200)}; rename them "
            "there, or name a scheme with --scheme"
        ) from None
