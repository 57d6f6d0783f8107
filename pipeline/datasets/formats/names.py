"""Names of points: their order, and the points of one file in the order of another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief, shown


@dataclass(frozen=True)
class Told:
    """What a file of labels tells beside its entries; of what it does not tell, nothing."""

    names: Sequence[str] = ()
    """Of the points, in the order in which they come without a scheme."""
    edges: Sequence[tuple[int, int]] = ()
    """Pairs of points that a line joins, from 0."""
    mirror_pairs: Sequence[tuple[int, int]] = ()
    """Points that change places in a mirrored picture, from 0."""
    thing: str = ""
    """What the points are of."""
    unused: Sequence[str] = ()
    """Columns that hold nothing of the labels."""


def natural(name: str) -> tuple[int, float, str]:
    """Key that sorts names which are numbers by their value, before all others."""
    return (0, float(name), "") if name.strip().isdecimal() else (1, 0.0, name)


def are_numbers(names: Iterable[str]) -> bool:
    """Whether points are only numbered: such names tell their order and nothing else."""
    return all(name.isdecimal() for name in names)


def ordered(names: Iterable[str]) -> list[str]:
    """Each name once: in order of value where all are numbers, else as they come."""
    found = list(dict.fromkeys(names))
    return sorted(found, key=natural) if are_numbers(found) else found


def of_one_kind(names_by_label: Mapping[str, Iterable[str]], path: Path, objects: str, remedy: str = "") -> list[str]:
    """The names of the points of a file, by the labels of the `objects` (as "boxes") that have them; "" is no label.

    Raises DataError where two labels have different points: of several kinds of things the points are not one scheme.
    """
    kinds = {label: names for label, names in names_by_label.items() if label and names}
    first = next(iter(kinds), "")
    for label, names in kinds.items():
        if set(names) != set(kinds[first]):
            raise DataError(
                f"{path}: its {objects} {shown(first)} and {shown(label)} have different points; split it into a file "
                f"for each{remedy}"
            )
    return ordered([*kinds.get(first, ()), *names_by_label.get("", ())])


def in_order(found: dict[str, Sequence[object]], names: Sequence[str]) -> list[Sequence[object]]:
    """The points of `names`, what is not among `found` as not labelled. Raises ValueError for other names."""
    points = dict(zip(as_written(list(found), names), found.values(), strict=True))
    if odd := [name for name in points if name not in names]:
        raise ValueError(f"there is no point called {shown(odd[0])}; they are {brief(', '.join(names), 100)}")
    return [points.get(name, (None, None)) for name in names]


def as_written(own: Sequence[str], names: Sequence[str]) -> list[str]:
    """`own` names as `names` write them, where these differ in case, or in zeros before a number, alone.

    One of which there are two on either side stays as it is.
    """
    known = set(names)
    if known.issuperset(own):
        return list(own)
    written, unlike = _unlike(names), _unlike(own)
    return [name if name in known or _key(name) not in unlike else written.get(_key(name), name) for name in own]


def _unlike(names: Sequence[str]) -> dict[str, str]:
    """Those names by their keys that no other resembles."""
    keys = Counter(_key(name) for name in names)
    return {key: name for name in names if keys[key := _key(name)] == 1}


def _key(name: str) -> str:
    return str(int(name)) if name.isdecimal() else name.casefold()


def rearranged(
    points: Sequence[Sequence[object]], own: Sequence[str], names: Sequence[str]
) -> Sequence[Sequence[object]]:
    """Points that come as their file's `own` names tell, in the order of `names`, which may be another file's.

    They stay as they are where one of both has no names, or the number of points is not that of the names. Raises
    ValueError for a name that is not among `names`.
    """
    if not own or not names or list(own) == list(names) or len(points) != len(own):
        return points
    return in_order(dict(zip(own, points, strict=True)), names)
