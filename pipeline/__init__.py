"""Facial keypoint detection: 68 points of the iBUG 300-W scheme, from raw frames to a measured model."""
