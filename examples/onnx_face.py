"""Keypoints of a picture of one face: python onnx_face.py model.onnx me.jpg  (needs onnxruntime, opencv and numpy)"""

import sys

import cv2
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
picture = cv2.imread(sys.argv[2])
gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)

side = session.get_inputs()[0].shape[1]  # bring the longer side to `side`, centre, repeat the border
scale = side / max(gray.shape)
height, width = (max(1, round(side * length / max(gray.shape))) for length in gray.shape)
small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
top, left = (side - height) // 2, (side - width) // 2
frame = cv2.copyMakeBorder(small, top, side - height - top, left, side - width - left, cv2.BORDER_REPLICATE)

keypoints = session.run(None, {"frames": frame[None]})[0][0]  # (68, 2), x then y, the first pixel's centre is (0, 0)
keypoints = (keypoints - [left, top] + 0.5) * [gray.shape[1] / width, gray.shape[0] / height] - 0.5

for x, y in np.round(keypoints).astype(int).tolist():
    cv2.circle(picture, (x, y), max(1, max(gray.shape) // 150), (0, 255, 255), -1)
cv2.imwrite("keypoints.png", picture)
np.savetxt(sys.stdout, keypoints, "%.2f")
