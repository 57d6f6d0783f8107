"""Find the faces of any picture and their 68 keypoints.

from facial_keypoints import KeypointDetector

detector = KeypointDetector.load()
for face in detector(rgb):
    print(face.box, face.score, face.keypoints)
"""

from facial_keypoints.detector.face import Face, checked_faces, make_face
from facial_keypoints.detector.keypoint_detector import (
    MIN_SCORE,
    KeypointDetector,
    checked_picture,
    rgb_copy,
)
from facial_keypoints.detector.point_predictor import Convention

__all__ = [
    "MIN_SCORE",
    "Convention",
    "Face",
    "KeypointDetector",
    "checked_faces",
    "checked_picture",
    "make_face",
    "rgb_copy",
]
