"""How far the points of a picture lie from those of its mirror image, by convention and by search, on val frames.

Takes a model, that of the workspace unless given: python -m benchmarks.mirrored model.safetensors
"""

import sys
from typing import get_args

import numpy as np

from benchmarks.split_frames import SplitFrames
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Convention, KeypointDetector
from pipeline.core.metrics import nme

FRAMES = 120


def flip_errors(detector: KeypointDetector, pictures: list[np.ndarray]) -> np.ndarray:
    """(M,) NME between the points of a picture and the mirrored-back ones of its mirror image.

    Of the M pictures in both of which one face is found.
    """
    straight = detector.many(pictures)
    mirrored = detector.many([np.ascontiguousarray(picture[:, ::-1]) for picture in pictures])
    pairs = zip(pictures, straight, mirrored, strict=True)
    both = [(picture, one[0], other[0]) for picture, one, other in pairs if len(one) == len(other) == 1]
    points = np.stack([one.keypoints for _, one, _ in both])
    back = np.stack([other.keypoints[IBUG_68.flip_index] for _, _, other in both])
    back[..., 0] = np.array([[picture.shape[1] - 1] for picture, _, _ in both]) - back[..., 0]
    return nme(back, points, IBUG_68)


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else None
    pictures = SplitFrames("val", FRAMES).pictures
    for search in ("yunet", "haar"):
        for convention in get_args(Convention):
            detector = KeypointDetector.load(model, detector=search, convention=convention)
            errors = 100 * flip_errors(detector, pictures)
            shown = f"{errors.mean():.2f} % of the eye distance, 95 in 100 below {np.percentile(errors, 95):.2f} %"
            print(f"{search:5s} {convention:9s}: {shown} ({len(errors)} pictures)")


if __name__ == "__main__":
    main()
