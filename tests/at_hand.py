"""What some tests look at and no repository may hold. Environment variables name it; without, they are skipped."""

import os
from pathlib import Path

YUNET = Path(os.environ.get("KEYPOINTS_TEST_YUNET", "not named"))
"""YuNet's file, face_detection_yunet_2023mar.onnx."""
OWN_DATA = Path(os.environ.get("KEYPOINTS_OWN_DATA", "not named"))
"""Real labels of many sets, a folder each."""
