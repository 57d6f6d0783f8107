"""The scheme of labels: the one that is named, or what the labels themselves tell."""

import json
from collections.abc import Sequence

import numpy as np

from facial_keypoints.core.scheme import Contour, Scheme
from pipeline.datasets.formats.names import Told, are_numbers
from pipeline.importing.mirror_pairs import pairs_by_name, pairs_by_place

_WIDTH = 110


def guessed_scheme(name: str, count: int, told: Told, shapes: np.ndarray) -> Scheme:
    """A scheme of `count` points out of what labels tell, its mirror pairs guessed where they do not tell them.

    `shapes`: (N, count, 2) labels to guess from where the points have no names; N may be 0.
    """
    names = told.names
    named = not are_numbers(names)
    by_place = pairs_by_place(shapes) if len(shapes) and not named else []
    return Scheme(
        name=name,
        title=f"{count} points of {name}",
        count=count,
        mirror_pairs=tuple(told.mirror_pairs or (pairs_by_name(names) if named else by_place)),
        regions={"all": tuple(range(count))},
        contours=tuple(Contour(edge, closed=False) for edge in told.edges),
        normalizer="diagonal",
        point_names=tuple(names) if named else (),
        thing=told.thing or "object",
    )


def scheme_text(scheme: Scheme, comment: str) -> str:
    """The scheme as YAML to be read and changed by hand."""
    data = scheme.as_data()
    unit = "the distance of two points, box (root of its area) or diagonal"
    lines = [
        *(f"# {line}" for line in comment.splitlines()),
        f"name: {quoted(data['name'])}",
        f"title: {quoted(data['title'])}",
        f"thing: {quoted(scheme.thing)}  # what the points are of, as reports call it; face, hand, paw",
        f"points: {data['points']}",
        *_list("mirror_pairs", data["mirror_pairs"], "points that change places in a mirrored picture"),
        "regions:  # each point lies in exactly one; errors are told for each",
        *(f"  - {{name: {quoted(part['name'])}, points: {part['points']}}}" for part in data["regions"]),
        "contours:" if data["contours"] else "contours: []  # lines to draw: - {points: [0, 1, 2], closed: false}",
        *(f"  - {{points: {line['points']}, closed: {str(line['closed']).lower()}}}" for line in data["contours"]),
        f"normalizer: {data['normalizer']}  # what errors are divided by: {unit}",
        *_list("point_names", [quoted(name) for name in data.get("point_names", [])]),
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A text as YAML that holds it: in quotes, letters of any alphabet as they are, what cannot be printed escaped."""
    safe = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in safe)


def _list(key: str, items: Sequence[object], comment: str = "") -> list[str]:
    """A list of many short items, several a line; an empty one stands only with a comment."""
    if not items:
        return [f"{key}: []  # {comment}"] if comment else []
    lines = [f"{key}: [" + (f"  # {comment}" if comment else ""), " "]
    for item in items:
        if len(lines[-1]) + len(str(item)) > _WIDTH:
            lines.append(" ")
        lines[-1] += f" {item},"
    return [*lines, "]"]
