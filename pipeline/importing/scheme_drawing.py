"""A picture of a scheme, on which a person sees whether pairs, parts and lines are right."""

import cv2
import numpy as np

from facial_keypoints.core.scheme import Scheme

_WIDTH, _MARGIN, _ROW = 1000, 60, 26
_PAIR, _POINT, _TEXT, _OUTLINE = (90, 90, 90), (80, 255, 80), (255, 255, 255), (255, 200, 80)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def scheme_drawing(scheme: Scheme, shape: np.ndarray | None) -> np.ndarray:
    """(H, W, 3) uint8 BGR: points with numbers, gray lines between mirror pairs, blue ones for contours.

    shape: (K, 2) places of the points, as a label has them; without, a diagram: a row a pair, the subject's right half
    on the left as in a picture of a face, what lies on the midline in the middle.
    """
    points = _diagram(scheme) if shape is None else _fitted(shape)
    height = int(points[:, 1].max()) + _MARGIN
    drawing = np.zeros((height, _WIDTH, 3), np.uint8)
    for one, other in scheme.mirror_pairs:
        cv2.line(drawing, _place(points[one]), _place(points[other]), _PAIR, 1, cv2.LINE_AA)
    for line in scheme.contours:
        for one, other in zip(line.path, line.path[1:], strict=False):
            cv2.line(drawing, _place(points[one]), _place(points[other]), _OUTLINE, 1, cv2.LINE_AA)
    for number, point in enumerate(points):
        x, y = _place(point)
        cv2.circle(drawing, (x, y), 3, _POINT, -1, cv2.LINE_AA)
        cv2.putText(drawing, _label(scheme, number, shape is None), (x + 5, y - 4), _FONT, 0.4, _TEXT, 1, cv2.LINE_AA)
    return drawing


def _label(scheme: Scheme, number: int, with_name: bool) -> str:
    name = scheme.point_names[number] if scheme.point_names and with_name else ""
    return f"{number} {name.encode('ascii', 'replace').decode()}".rstrip()


def _fitted(shape: np.ndarray) -> np.ndarray:
    """Points of a label, as large as the drawing."""
    low, size = shape.min(0), np.maximum(np.ptp(shape, axis=0), 1e-6)
    return np.asarray((shape - low) * (_WIDTH - 2 * _MARGIN) / size.max() + _MARGIN)


def _diagram(scheme: Scheme) -> np.ndarray:
    """A row for each pair, or point of the midline, in the order of the regions."""
    other = scheme.flip_index
    points = np.zeros((scheme.count, 2))
    placed: set[int] = set()
    row = 0
    for number in (point for part in scheme.regions.values() for point in part):
        if number in placed:
            continue
        partner = int(other[number])
        y = _MARGIN + row * _ROW
        points[number] = (_WIDTH / 2 if partner == number else _WIDTH / 4, y)
        if partner != number:
            points[partner] = (3 * _WIDTH / 4, y)
        placed |= {number, partner}
        row += 1
    return points


def _place(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
