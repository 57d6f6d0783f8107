"""A part of a synthetic person: a surface, its normals, its paint and which of its cells exist."""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.mean_face.surface import normals
from pipeline.datasets.synthetic.skin import Paint


@dataclass
class Part:
    """A grid of cells in space, and what they are made of."""

    surface: np.ndarray
    """(H, W, 3) float32 millimetres; columns run to the right and rows down as seen from outside."""
    normals: np.ndarray
    """(H, W, 3) float32 unit vectors, outward."""
    paint: Paint
    exists: np.ndarray
    """(H, W) bool; the other cells are not drawn."""

    def turned(self, rotation: np.ndarray) -> "Part":
        """Return the part after the (3, 3) rotation `camera_from_head`."""
        return Part(
            cv2.transform(self.surface, rotation), cv2.transform(self.normals, rotation), self.paint, self.exists
        )


def plain(surface: np.ndarray, colour: np.ndarray, *, gloss: float = 0.1, soft: float = 0.0) -> Part:
    """Return a part of which every cell exists, in one (3,) linear colour or in an (H, W, 3) picture of colours."""
    shape = surface.shape[:2]
    albedo = np.broadcast_to(np.asarray(colour, np.float32), surface.shape).copy()
    surface = surface.astype(np.float32)
    paint = Paint(albedo, np.full(shape, gloss, np.float32), soft)
    return Part(surface, normals(surface), paint, np.ones(shape, bool))
