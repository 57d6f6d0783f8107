"""What some tests look at and no repository may hold. Environment variables name it; without, they are skipped."""

import os
from pathlib import Path

YUNET = Path(os.environ.get("KEYPOINTS_TEST_YUNET", "not named"))
"""YuNet's file, face_detection_yunet_2023mar.onnx."""
