"""The real frames: the folder `data/` of the repository udacity/P1_Facial_Keypoints (MIT), at one commit.

Its frames were cut from the YouTube Faces Database (L. Wolf, T. Hassner, I. Maoz, CVPR 2011).
"""

from pathlib import Path

COMMIT = "6e55adc6bd032d9fb1ad41a4c3e68aae847cdf81"
URL = f"https://codeload.github.com/udacity/P1_Facial_Keypoints/tar.gz/{COMMIT}"
MANIFEST = Path(__file__).with_name("youtube_faces.sha256")
"""Digests of the 5,770 frames and 2 label tables, relative to `data/`."""
