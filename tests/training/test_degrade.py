"""Frames made worse, on pictures whose outcome is known by hand."""

import dataclasses
import math

import cv2
import numpy as np
import pytest
import torch

from pipeline.training.degrade import blur, compress, degrade, move, shrink
from pipeline.training.settings import Degrade

AMOUNTS = Degrade(prob=0.5, shrink_max=5.0, blur_px=4.0, motion_px=16.0, gamma_max=2.5, noise=0.1, jpeg_quality=5.0)
SIDE = 64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int) -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(count, 1, SIDE, SIDE, generator=seeded(3))


def dot() -> torch.Tensor:
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[..., 30, 33] = 1
    return image


def test_a_share_of_the_frames_is_made_worse_and_the_others_are_left_alone():
    images = pictures(16)
    worse = degrade(images.clone(), AMOUNTS, seeded())
    untouched = (worse == images).flatten(1).all(1)
    assert untouched.sum() == 8
    assert 0 <= worse.min() <= worse.max() <= 1


def test_a_share_of_zero_draws_nothing():
    images, generator = pictures(4), seeded(1)
    assert degrade(images, dataclasses.replace(AMOUNTS, prob=0.0), generator) is images
    assert torch.equal(generator.get_state(), seeded(1).get_state())


AMOUNTS_OF_ONE_WAY = {"shrink_max": 1.0, "blur_px": 0.0, "motion_px": 0.0, "gamma_max": 1.0, "noise": 0.0}
"""With these and the best quality, a frame stays nearly as it is."""


def only(**amounts: float) -> Degrade:
    return dataclasses.replace(AMOUNTS, jpeg_quality=50.0, **{**AMOUNTS_OF_ONE_WAY, **amounts})


@pytest.mark.parametrize("worsened", [1, 2, 3, 6, 8])
@pytest.mark.parametrize(
    ("way", "share"), [({"shrink_max": 16.0}, 1 / 2), ({"motion_px": 30.0}, 1 / 4), ({"blur_px": 16.0}, 1 / 4)]
)
def test_every_way_gets_its_share_of_however_few_frames(worsened, way, share):
    """Pixels side by side differ less where sharpness is lost; draws of nearly nothing leave a frame as it is."""
    images, generator, batches = pictures(worsened), seeded(5), 300
    amounts = dataclasses.replace(only(**way), prob=1.0)
    lost = sum(
        (roughness(degrade(images.clone(), amounts, generator)) < 0.75 * roughness(images)).sum()
        for _ in range(batches)
    )
    found = float(lost) / (batches * worsened)
    assert 0.85 * share < found < 1.1 * share


@pytest.mark.parametrize(("way", "share"), [({"gamma_max": 5.0}, 1 / 2), ({"noise": 1.0}, 1 / 2)])
def test_a_single_worsened_frame_gets_other_tones_and_noise_as_often(way, share):
    """Without JPEG's blocks, as its best quality leaves gray alone but for rounding."""
    gray, generator, batches = torch.full((1, 1, SIDE, SIDE), 0.3), seeded(6), 400
    amounts = dataclasses.replace(only(**way), prob=1.0)
    changed = sum((degrade(gray.clone(), amounts, generator) - gray).abs().max() > 0.04 for _ in range(batches))
    assert 0.85 * share < changed / batches < 1.1 * share


def roughness(images: torch.Tensor) -> torch.Tensor:
    """(B,) mean difference between pixels that lie side by side or one above the other."""
    return images.diff(dim=-1).abs().mean((1, 2, 3)) + images.diff(dim=-2).abs().mean((1, 2, 3))


def test_shrinking_to_half_keeps_the_mean_of_each_pair_of_pixels():
    columns = torch.tensor([0.0, 1.0]).repeat(SIDE // 2).expand(1, 1, SIDE, SIDE)
    assert torch.allclose(shrink(columns, SIDE // 2), torch.full((1, 1, SIDE, SIDE), 0.5))


def test_a_blurred_dot_is_a_gaussian():
    spot = blur(dot(), torch.tensor([3.0]))[0, 0]
    assert spot.sum() == pytest.approx(1, abs=1e-3)
    pixel = torch.arange(SIDE).float()
    for weights, middle in ((spot.sum(0), 33), (spot.sum(1), 30)):
        assert weights @ (pixel - middle) == pytest.approx(0, abs=0.01)
        assert weights @ (pixel - middle).square() == pytest.approx(9, abs=0.05)


def test_a_moved_dot_is_a_line_of_its_length_and_direction():
    flat = move(dot(), 5, 0.0)[0, 0]
    assert torch.nonzero(flat).tolist() == [[30, x] for x in range(31, 36)]
    assert torch.allclose(flat[flat > 0], torch.tensor(0.2))
    upright = move(dot(), 5, math.pi / 2)[0, 0]
    assert torch.nonzero(upright).tolist() == [[y, 33] for y in range(28, 33)]


@pytest.mark.parametrize("side", [SIDE, 60])
@pytest.mark.parametrize("quality", [5, 50])
def test_blocks_are_those_of_jpeg(quality, side):
    """But for a fifth of what they change, as OpenCV rounds more often; S need be no multiple of a block."""
    smooth = cv2.GaussianBlur((pictures(1)[0, 0, :side, :side].numpy() * 255).astype(np.uint8), (0, 0), 3)
    image = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    expected = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE).astype(float)
    found = 255 * compress(torch.from_numpy(image)[None, None].float() / 255, quality)[0, 0].numpy()
    whole = side - side % 8  # at the border OpenCV fills up blocks in another way
    difference = np.abs(found - expected)[:whole, :whole].mean()
    assert difference < 0.2 * np.abs(image - expected)[:whole, :whole].mean()
