"""Things in front of faces."""

import torch

from pipeline.training.patches import cover
from pipeline.training.settings import Cover

SIDE = 64
FACE = torch.tensor([[16.0, 20.0], [48.0, 20.0], [16.0, 52.0], [48.0, 52.0]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_patches_hide_a_bounded_part_of_a_share_of_the_faces():
    images = torch.rand(40, 1, SIDE, SIDE, generator=seeded(3))
    hidden = cover(images.clone(), FACE.expand(40, 4, 2), Cover(prob=0.5, max_frac=0.5), seeded()) != images
    assert hidden.flatten(1).any(1).sum() == 20
    assert hidden.flatten(1).sum(1).max() <= 17**2  # half of 32 pixels a side
    reach = 16 / 2 * 2**0.5 + 1  # beyond the box of the face by half a diagonal at most
    rows, columns = hidden.any(0)[0].nonzero().unbind(1)
    assert min(rows.min() - 20, columns.min() - 16) > -reach
    assert max(rows.max() - 52, columns.max() - 48) < reach


def test_no_patches_draw_nothing():
    images, generator = torch.rand(4, 1, SIDE, SIDE), seeded(1)
    assert cover(images, FACE.expand(4, 4, 2), Cover(prob=0.0, max_frac=0.5), generator) is images
    assert torch.equal(generator.get_state(), seeded(1).get_state())


def test_a_patch_shows_a_piece_of_another_picture_or_a_gray():
    """Every picture has a level of its own, so a patch lies between that of the picture before and a gray."""
    levels = torch.linspace(0, 0.9, 10)[:, None, None, None].expand(10, 1, SIDE, SIDE)
    covered = cover(levels.clone(), FACE.expand(10, 4, 2), Cover(prob=1.0, max_frac=0.8), seeded())
    for image, level in zip(covered, levels[:, 0, 0, 0], strict=True):
        patch = image[image != level]
        assert patch.max() - patch.min() < 1e-6
