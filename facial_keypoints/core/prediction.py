"""What a network tells of the crops that it is shown."""

from typing import Generic, NamedTuple, TypeVar

Array = TypeVar("Array")


class Prediction(NamedTuple, Generic[Array]):
    """All that a network tells of N crops, in arrays of NumPy or tensors of PyTorch, in pixels of the crops."""

    estimates: Array
    """(N, E, K, 2) successive estimates of the keypoints; the last is the result."""
    radii: Array | None
    """(N, K) round the last of them, as `core.certainty` has them; None of a network that does not know."""
    views: Array | None
    """(N, 2, E, K, 2) estimates as the crop shows them, and as its mirror image does, mirrored back.

    Labels may lie to one side of what they name, and so does the result. The mean of the last estimates of both sides
    does not, and how far the two sides are apart tells faces from what is none. None of a network that does not look at
    the mirror image by itself.
    """
