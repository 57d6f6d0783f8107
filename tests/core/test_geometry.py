import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as vision

from facial_keypoints.core import geometry
from pipeline.models import tensor_geometry


def blob(height: int, width: int, x: float, y: float, spread: float = 6.0) -> np.ndarray:
    """A bright round spot whose centre of mass is (x, y)."""
    columns, rows = np.arange(width), np.arange(height)
    return np.exp(-((columns[None] - x) ** 2 + (rows[:, None] - y) ** 2) / (2 * spread**2))


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


def test_doubling_maps_the_first_pixel_centre_to_one_half():
    # Two target pixels cover the first source pixel, at 0 and 1: their middle is 0.5.
    matrix = geometry.resize_matrix((10, 20), (20, 40))
    assert geometry.transform_points(matrix, np.array([[0.0, 0.0]])) == pytest.approx(np.array([[0.5, 0.5]]))


def test_resizing_keeps_the_outer_edges():
    matrix = geometry.resize_matrix((10, 20), (35, 224))
    corners = geometry.transform_points(matrix, np.array([[-0.5, -0.5], [19.5, 9.5]]))
    assert corners == pytest.approx(np.array([[-0.5, -0.5], [223.5, 34.5]]))


@pytest.mark.parametrize("fit", ["pad", "stretch"])
@pytest.mark.parametrize("size", [(300, 200), (90, 130), (224, 224), (72, 494)])
def test_a_spot_lands_where_crop_from_source_says(fit, size):
    height, width = size
    at = np.array([0.4 * width, 0.6 * height])
    picture = (255 * blob(height, width, *at)).astype(np.uint8)
    square, matrix = geometry.fit_square(picture, 224, fit)
    assert square.shape == (224, 224)
    expected = geometry.transform_points(matrix, at[None])[0]
    assert centre_of_mass(np.where(square > 30, square.astype(float), 0)) == pytest.approx(expected, abs=0.3)


def test_padding_keeps_the_aspect_ratio_and_stretching_does_not():
    picture = np.zeros((100, 200), np.uint8)
    _, padded = geometry.fit_square(picture, 224, "pad")
    _, stretched = geometry.fit_square(picture, 224, "stretch")
    assert padded[0, 0] == padded[1, 1] == 1.12
    assert (stretched[0, 0], stretched[1, 1]) == (1.12, 2.24)


def test_a_mirrored_image_shows_the_spot_at_the_mirrored_point():
    mirrored = tensor_geometry.warp(
        torch.from_numpy(blob(64, 64, 20, 30))[None, None].float(),
        torch.from_numpy(geometry.mirror_matrix(64))[None],
        64,
    )
    assert torch.allclose(mirrored[0, 0], torch.from_numpy(blob(64, 64, 43, 30)).float(), atol=1e-5)
    flipped = vision.horizontal_flip(torch.from_numpy(blob(64, 64, 20, 30))[None])
    assert torch.allclose(mirrored[0].double(), flipped, atol=1e-5)


def test_warp_agrees_with_opencv():
    image = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    matrix = np.array([[0.9, -0.2, 4.0], [0.3, 1.1, -3.0], [0, 0, 1]], np.float32)
    ours = tensor_geometry.warp(torch.from_numpy(image)[None, None], torch.from_numpy(matrix)[None], 32)[0, 0].numpy()
    opencv = cv2.warpAffine(image, matrix[:2], (32, 32), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(ours - opencv).max() < 0.03  # OpenCV rounds positions to 1/32 of a pixel


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-50, 50), st.floats(-50, 50))
def test_a_similarity_is_found_again(turn, scale, x, y):
    source = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 68, 2)) * 30).double()
    linear = scale * torch.tensor([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).double()
    target = source @ linear.T + torch.tensor([x, y]).double()
    found = tensor_geometry.similarity_between(source, target)
    assert torch.allclose(tensor_geometry.apply_affine(found, source), target, atol=1e-6)


def test_a_similarity_never_mirrors():
    source = torch.randn(1, 68, 2, generator=torch.Generator().manual_seed(0))
    found = tensor_geometry.similarity_between(source, source * torch.tensor([-1.0, 1.0]))
    assert torch.linalg.det(found[0, :2, :2]) >= 0


def test_inverse_undoes():
    matrix = torch.eye(3).repeat(4, 1, 1) + 0.2 * torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0))
    matrix[:, 2] = torch.tensor([0.0, 0.0, 1.0])
    assert torch.allclose(tensor_geometry.invert_affine(matrix) @ matrix, torch.eye(3).expand(4, 3, 3), atol=1e-5)


def test_a_quarter_turn_about_the_centre():
    matrix = tensor_geometry.similarity_about_centre(
        11, turn_rad=torch.tensor([torch.pi / 2]), scale=torch.ones(1), shift_px=torch.zeros(1, 2)
    )
    # The right end of the middle row goes to the bottom of the middle column.
    turned = tensor_geometry.apply_affine(matrix, torch.tensor([[[10.0, 5.0]]]))
    assert torch.allclose(turned, torch.tensor([[[5.0, 10.0]]]), atol=1e-5)


def test_the_size_of_a_face_is_the_root_of_its_box_for_arrays_and_tensors():
    """A box of 9 by 4 has the area 36; each face of a batch has its own size."""
    face = np.array([[1.0, 2.0], [10.0, 3.0], [4.0, 6.0]], np.float32)
    assert geometry.face_size(face) == 6
    assert geometry.face_size(np.stack([face, 2 * face])).tolist() == [6, 12]
    assert tensor_geometry.face_size(torch.from_numpy(np.stack([face, 2 * face]))).tolist() == [6, 12]
