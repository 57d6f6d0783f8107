"""The face as a net of triangles: to be drawn, or to carry a face to the points of another."""

from functools import cache

import cv2
import numpy as np

from facial_keypoints.filters.outline import face_size, forehead
from facial_keypoints.mean_face.shape import mean_points

_SHIFT = 4
_FOREHEAD = 0.5
"""How far the net reaches from the brows to an average hairline, 0..1, so that no hair is in it."""
_LINE_FRAC, _DOT_FRAC = 0.003, 0.009
"""Thickness of lines and radius of dots over the size of the face."""
_LINE, _DOT = (235, 246, 255), (86, 180, 233)
_LINE_OPACITY = 0.6


def net_points(keypoints: np.ndarray) -> np.ndarray:
    """(78, 2) px: the 68 keypoints and ten points of the forehead."""
    return np.concatenate([keypoints, forehead(keypoints, _FOREHEAD)])


@cache
def net_triangles() -> np.ndarray:
    """(T, 3) indices of net points: the Delaunay triangles of the mean face, so that every face has the same ones."""
    front = net_points(mean_points()[:, :2]).astype(np.float32)
    left, top, width, height = cv2.boundingRect(front)
    plane = cv2.Subdiv2D((left - 1, top - 1, width + 2, height + 2))
    plane.insert(front.tolist())
    number = {tuple(point): index for index, point in enumerate(front.tolist())}
    corners = np.asarray(plane.getTriangleList()).reshape(-1, 3, 2).tolist()
    triangles = np.array([[number[x, y] for x, y in triangle] for triangle in corners])
    first, second, third = front[triangles].transpose(1, 2, 0)
    (ax, ay), (bx, by) = second - first, third - first
    area = np.abs(ax * by - ay * bx) / 2
    return np.asarray(triangles[area > 1.0])  # millimetres squared: slivers along straight edges carry nothing


def mesh(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with the net drawn on the face of (68, 2) keypoints."""
    points = net_points(np.asarray(keypoints, np.float64))
    corners = net_triangles()
    edges = np.unique(np.sort(np.concatenate([corners[:, pair] for pair in ((0, 1), (1, 2), (0, 2))]), axis=1), axis=0)
    size = max(face_size(points), 1.0)
    fixed = np.rint(np.clip(points, -1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)
    drawn = np.ascontiguousarray(image).copy()
    lines = drawn.copy()
    cv2.polylines(lines, list(fixed[edges]), False, _LINE, max(1, round(size * _LINE_FRAC)), cv2.LINE_AA, _SHIFT)
    drawn = cv2.addWeighted(lines, _LINE_OPACITY, drawn, 1 - _LINE_OPACITY, 0)
    radius = max(1.2, size * _DOT_FRAC)
    for x, y in fixed.tolist():
        cv2.circle(drawn, (x, y), round(radius * (1 << _SHIFT)), _DOT, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    return np.asarray(drawn)
