"""What can be done with a face whose 68 keypoints are known: picture and keypoints in, picture out, one file a kind.

Pictures are (H, W, 3) uint8 RGB and keypoints (68, 2) pixels, x then y; the given picture is never changed.
"""
