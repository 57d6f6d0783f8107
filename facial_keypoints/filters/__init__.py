"""What can be done with a face whose 68 keypoints are known: one file a family, each image and keypoints in, image out.

Pictures are (H, W, 3) uint8 RGB and keypoints (68, 2) pixels, x then y; the given picture is never changed.
"""
