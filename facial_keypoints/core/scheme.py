"""What the points of a dataset are, as data: how many, which mirror which, what they outline, what an error is over.

Indices count from 0; left and right are the subject's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from facial_keypoints.core.text import brief

MOST_POINTS = 1000
"""More than any annotation of faces, hands or bodies has; bounds what a model file can ask for."""


@dataclass(frozen=True)
class Contour:
    """A line that outlines a part of the face."""

    points: tuple[int, ...]
    """Indices in the order in which the line runs."""
    closed: bool
    """Whether it runs back to its first point."""

    @property
    def path(self) -> list[int]:
        """The points from end to end; the first again at the end of a closed line."""
        return [*self.points, *self.points[:1]] if self.closed else list(self.points)


@dataclass(frozen=True)
class Scheme:
    """Facts about K keypoints. Raises ValueError where they do not fit together."""

    name: str
    title: str
    """As a reader knows the scheme; stands in reports and in exported models."""
    count: int
    """K, the number of points."""
    mirror_pairs: tuple[tuple[int, int], ...]
    """Points that change places in a mirrored picture; the others keep their number: they lie on the midline.

    Where no point does, as in a scheme for a hand, a mirrored picture shows another thing whose points mean the same:
    a right hand becomes a left one, its thumb remains the thumb."""
    regions: Mapping[str, tuple[int, ...]]
    """Parts of the face by name; each point lies in exactly one."""
    contours: tuple[Contour, ...]
    """Lines that draw a face."""
    normalizer: tuple[int, int] | Literal["diagonal"] | None
    """What of the truth is the unit of NME: the distance of two points, the diagonal of the box round all, or where
    it is None the root of the area of that box."""
    point_names: tuple[str, ...] = ()
    """A name for each point, as tools for labelling ask for them; none where the points have only numbers."""
    thing: str = "face"
    """What the points are of, in the singular, for figures and reports."""

    def __hash__(self) -> int:
        return hash((self.name, self.count))

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_POINTS:
            raise ValueError(f"a scheme has 1 to {MOST_POINTS:,} points, not {self.count}")
        paired = [point for pair in self.mirror_pairs for point in pair]
        if len(set(paired)) < len(paired):
            raise ValueError("a point stands in two mirror pairs")
        if sorted(point for part in self.regions.values() for point in part) != list(range(self.count)):
            raise ValueError(f"the regions do not hold each of the points 0 to {self.count - 1} exactly once")
        drawn = [point for contour in self.contours for point in contour.points]
        unit = self.normalizer if isinstance(self.normalizer, tuple) else ()
        for point in (*paired, *drawn, *unit):
            if not 0 <= point < self.count:
                raise ValueError(f"there is no point {point}; they are 0 to {self.count - 1}")
        if unit and unit[0] == unit[1]:
            raise ValueError("the two points of the normalizer are the same one")
        if self.point_names and len(self.point_names) != self.count:
            raise ValueError(f"there are {len(self.point_names)} point_names for {self.count} points")
        if len(set(self.point_names)) < len(self.point_names):
            raise ValueError("two points have the same name")

    @cached_property
    def flip_index(self) -> np.ndarray:
        """(K,) permutation that gives each point of a mirrored picture its own number again; its own inverse."""
        index = np.arange(self.count)
        for one, other in self.mirror_pairs:
            index[one], index[other] = other, one
        return index

    @property
    def things(self) -> str:
        """What the points are of, in the plural."""
        return f"{self.thing}s"

    @property
    def a_thing(self) -> str:
        """What the points are of, with its article."""
        return f"{'an' if self.thing[0].lower() in 'aeiou' else 'a'} {self.thing}"

    def name_of(self, point: int) -> str:
        """The number of a point, and its name where it has one, as messages tell it."""
        return f"{point} ({self.point_names[point]})" if self.point_names else str(point)

    def as_data(self) -> dict[str, Any]:
        """The scheme as plain lists and texts, as `scheme_from` reads it."""
        perhaps: dict[str, Any] = {"point_names": list(self.point_names)} if self.point_names else {}
        perhaps |= {"thing": self.thing} if self.thing != "face" else {}
        return {
            "name": self.name,
            "title": self.title,
            "points": self.count,
            "mirror_pairs": [list(pair) for pair in self.mirror_pairs],
            "regions": [{"name": name, "points": list(points)} for name, points in self.regions.items()],
            "contours": [{"points": list(line.points), "closed": line.closed} for line in self.contours],
            "normalizer": list(self.normalizer) if isinstance(self.normalizer, tuple) else self.normalizer or "box",
            **perhaps,
        }


def scheme_from(data: Any) -> Scheme:
    """The scheme that `as_data` gave, or that somebody wrote by hand. Raises ValueError saying what is wrong."""
    if not isinstance(data, Mapping):
        raise ValueError("a scheme holds name, title, points, mirror_pairs, regions, contours and normalizer")
    wanted = {"name", "title", "points", "mirror_pairs", "regions", "contours", "normalizer"}
    missing, unknown = wanted - set(data), sorted(map(str, set(data) - wanted - {"point_names", "thing"}))
    if missing or unknown:
        odd = [f"{name} is missing" for name in sorted(missing)]
        odd += [f"{brief(name)} is none of these" for name in unknown[:3]]
        told = ", ".join(sorted(wanted))
        raise ValueError(f"a scheme holds {told}, perhaps point_names and thing, and no more; {', '.join(odd)}")
    return Scheme(
        name=_text(data["name"], "name"),
        title=_text(data["title"], "title"),
        count=_number(data["points"], "points"),
        mirror_pairs=tuple(_pair(pair, "mirror_pairs") for pair in _list(data["mirror_pairs"], "mirror_pairs")),
        regions=_regions(data["regions"]),
        contours=tuple(_contour(line) for line in _list(data["contours"], "contours")),
        normalizer=_normalizer(data["normalizer"]),
        point_names=tuple(_text(name, "point_names") for name in _list(data.get("point_names", ()), "point_names")),
        thing=_text(data.get("thing", "face"), "thing"),
    )


def _normalizer(value: Any) -> tuple[int, int] | Literal["diagonal"] | None:
    match value:
        case "box":
            return None
        case "diagonal":
            return "diagonal"
        case str():
            raise ValueError(f"normalizer is box, diagonal or a list of two points, not {value[:40]}")
    return _pair(value, "normalizer")


def _regions(value: Any) -> dict[str, tuple[int, ...]]:
    parts = _list(value, "regions")
    if not all(isinstance(part, Mapping) and set(part) == {"name", "points"} for part in parts):
        raise ValueError("a region holds its name and its points, a list")
    regions = {_text(part["name"], "a region's name"): _points(part["points"], "regions") for part in parts}
    if len(regions) < len(parts):
        raise ValueError("two regions have the same name")
    return regions


def _contour(line: Any) -> Contour:
    if not isinstance(line, Mapping) or set(line) != {"points", "closed"} or not isinstance(line["closed"], bool):
        raise ValueError("a contour holds points, a list, and closed, true or false")
    return Contour(_points(line["points"], "contours"), line["closed"])


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise ValueError(f"{name} is a text of 1 to 100 characters")
    return value


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} holds whole numbers")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or len(value) > MOST_POINTS:
        raise ValueError(f"{name} is a list of at most {MOST_POINTS:,}")
    return value


def _points(value: Any, name: str) -> tuple[int, ...]:
    return tuple(_number(point, name) for point in _list(value, name))


def _pair(value: Any, name: str) -> tuple[int, int]:
    points = _points(value, name)
    if len(points) != 2:
        raise ValueError(f"{name} names two points, not {len(points)}")
    return points[0], points[1]


def _open(first: int, end: int) -> Contour:
    return Contour(tuple(range(first, end)), closed=False)


def _closed(first: int, end: int) -> Contour:
    return Contour(tuple(range(first, end)), closed=True)


IBUG_68 = Scheme(
    name="ibug-68",
    title="68 points of the iBUG 300-W scheme",
    count=68,
    mirror_pairs=(
        *((i, 16 - i) for i in range(8)),
        *((17 + i, 26 - i) for i in range(5)),
        *((31, 35), (32, 34)),
        *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
        *((48, 54), (49, 53), (50, 52), (59, 55), (58, 56)),
        *((60, 64), (61, 63), (67, 65)),
    ),
    regions={
        "jaw": tuple(range(17)),
        "right_brow": tuple(range(17, 22)),
        "left_brow": tuple(range(22, 27)),
        "nose": tuple(range(27, 36)),
        "right_eye": tuple(range(36, 42)),
        "left_eye": tuple(range(42, 48)),
        "mouth": tuple(range(48, 68)),
    },
    contours=(
        *(_open(0, 17), _open(17, 22), _open(22, 27), _open(27, 31), _open(31, 36)),
        *(_closed(36, 42), _closed(42, 48), _closed(48, 60), _closed(60, 68)),
    ),
    normalizer=(36, 45),
)
"""C. Sagonas et al., "300 Faces in-the-Wild Challenge: The first facial landmark localization challenge", ICCVW 2013,
whose figure counts the points from 1. NME is over the distance of the outer eye corners."""
