"""The search with YuNet, run on a small network with the same inputs and outputs, which takes red for faces."""

import sys

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facial_keypoints.core.boxes import boxes_of_points
from facial_keypoints.core.errors import KeypointsWarning, ModelError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.finding.box_detector import box_detector
from facial_keypoints.finding.haar import HaarDetector
from facial_keypoints.finding.windows import rotation_matrix, windows_of_boxes, windows_of_points
from facial_keypoints.finding.yunet import YuNetDetector, windows_of_faces
from facial_keypoints.finding.yunet_file import VARIABLE
from facial_keypoints.finding.yunet_network import YuNetNetwork
from facial_keypoints.network import SHIPPED
from pipeline.models.torch_network import TorchNetwork
from tests.discs import FACE, SIDE, DiscNetwork, disc_face, draw_discs

STRIDES = (8, 16, 32)
CHANNELS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
WIDTH, HEIGHT = 40.0, 48.0
SURE, UNSURE = 255, 190
"""Reds that score 1 and 0.75."""


def red_finder(path, height: int | str, width: int | str) -> None:
    """Writes a face_detection_yunet in small: input (1, 3, height, width) BGR 0..255, twelve outputs.

    Each output is (1, rows * columns, channels). Cells of stride 8 whose mean is red get a box of WIDTH x HEIGHT about
    their middle, others and other strides score 0.
    """
    nodes, weights, outputs = [], [], []

    def constant(name: str, value: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(value, name))
        return name

    for kind, channels in CHANNELS.items():
        for stride in STRIDES:
            name = f"{kind}_{stride}"
            kernel, bias = head(kind, stride, channels)
            inputs = ["input", constant(f"{name}_kernel", kernel), constant(f"{name}_bias", bias)]
            nodes.append(
                helper.make_node("Conv", inputs, [f"{name}_map"], kernel_shape=[stride] * 2, strides=[stride] * 2)
            )
            nodes.append(helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]))
            shape = constant(f"{name}_shape", np.array([1, -1, channels]))
            nodes.append(helper.make_node("Reshape", [f"{name}_last", shape], [name]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, channels]))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, height, width])
    graph = helper.make_graph(nodes, "red", [given], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def head(kind: str, stride: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (channels, 3, stride, stride) and bias (channels,) float32."""
    kernel, bias = np.zeros((channels, 3, stride, stride), np.float32), np.zeros(channels, np.float32)
    if kind in ("cls", "obj") and stride == 8:
        kernel[:] = np.array([-1, -1, 1], np.float32)[:, None, None] / (255 * stride**2)
    elif kind == "bbox":
        bias[:] = 0.5, 0.5, np.log(WIDTH / stride), np.log(HEIGHT / stride)
    return kernel, bias


@pytest.fixture(scope="module", params=[(640, 640), ("height", "width")], ids=["2023mar", "2026may"])
def file(request, tmp_path_factory):
    """As the files of these months say of their input; both get the size of the picture."""
    path = tmp_path_factory.mktemp("yunet") / "red.onnx"
    red_finder(path, *request.param)
    return path


def cell(size: tuple[int, int], row: int, column: int, colour: tuple[int, int, int], side: int = 8) -> np.ndarray:
    """(H, W, 3) uint8 RGB, black but for one cell."""
    picture = np.zeros((*size, 3), np.uint8)
    picture[side * row : side * (row + 1), side * column : side * (column + 1)] = colour
    return picture


def box_about(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    return scale * np.array([[x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT]])


def boxes(file, picture: np.ndarray) -> np.ndarray:
    """(K, 4) boxes that YuNet finds."""
    return YuNetDetector(file).faces(picture)[:, :4]


@pytest.mark.parametrize("size", [(480, 640), (97, 131), (240, 320)])
def test_boxes_come_in_pixels_of_pictures_of_any_size(file, size):
    picture = cell(size, 6, 9, (SURE, 0, 0))
    np.testing.assert_allclose(boxes(file, picture), box_about(76, 52), atol=0.01)


def test_answers_are_those_of_opencv(file):
    """Cells of random reds, of which many are one face or none."""
    for size in ((320, 320), (97, 131)):
        reds = np.random.default_rng(size[0]).integers(100, 256, (-(-size[0] // 8), -(-size[1] // 8)), np.uint8)
        picture = np.zeros((*size, 3), np.uint8)
        picture[..., 0] = reds.repeat(8, 0).repeat(8, 1)[: size[0], : size[1]]
        theirs = cv2.FaceDetectorYN.create(str(file), "", size[::-1], score_threshold=0.7, nms_threshold=0.3)
        _, expected = theirs.detect(np.ascontiguousarray(picture[..., ::-1]))
        assert len(expected) > 10
        np.testing.assert_allclose(YuNetNetwork(file)(picture, 0.7), expected, atol=1e-3)


def test_one_detector_takes_pictures_of_several_sizes(file):
    detector = YuNetDetector(file)
    for size in ((97, 131), (480, 640), (97, 131)):
        picture = cell(size, 6, 9, (SURE, 0, 0))
        np.testing.assert_allclose(detector.faces(picture)[:, :4], box_about(76, 52), atol=0.01)


def test_boxes_of_a_large_picture_are_in_its_pixels(file):
    picture = cell((960, 3840), 6, 9, (SURE, 0, 0), side=16)
    np.testing.assert_allclose(boxes(file, picture), box_about(76, 52, scale=2), atol=0.02)


def test_a_face_too_large_for_yunet_is_found_in_the_picture_made_small(file):
    picture = cell((960, 1920), 5, 9, (SURE, 0, 0), side=48)
    found = boxes(file, picture)
    assert np.abs(found - box_about(76, 44, scale=6)).max(1).min() < 0.1


def test_a_face_found_at_both_sizes_is_one_box(file):
    picture = cell((97, 330), 1, 1, (SURE, 0, 0))
    np.testing.assert_allclose(boxes(file, picture), box_about(12, 12), atol=0.01)


def test_the_network_sees_blue_green_red(file):
    for colour in ((0, 0, 255), (0, 255, 0), (255, 255, 255)):
        picture = cell((97, 131), 6, 9, colour)
        assert boxes(file, picture).shape == (0, 4)


def test_gray_pictures_are_taken(file):
    gray = np.full((97, 131), 200, np.uint8)
    assert boxes(file, gray).shape == (0, 4)


def test_a_face_of_which_yunet_is_not_sure_is_left_to_the_keypoints(file):
    unsure, nothing = (cell((97, 131), 6, 9, (red, 0, 0)) for red in (UNSURE, 60))
    assert len(boxes(file, unsure)) == 1
    assert len(boxes(file, nothing)) == 0


def test_cells_of_one_face_are_one_box(file):
    picture = cell((97, 131), 6, 9, (SURE, 0, 0)) | cell((97, 131), 6, 10, (SURE, 0, 0))
    assert len(boxes(file, picture)) == 1
    apart = cell((97, 260), 6, 9, (SURE, 0, 0)) | cell((97, 260), 6, 24, (SURE, 0, 0))
    assert len(boxes(file, apart)) == 2


def test_a_picture_without_large_faces_is_searched_enlarged_too(file):
    """A cell of 4 pixels is one of 8 in the picture enlarged twice; of no more than 960 pixels, as it costs time."""
    small = cell((97, 131), 6, 9, (SURE, 0, 0), side=4)
    assert np.abs(boxes(file, small) - box_about(76, 52, scale=0.5)).max(1).min() < 0.3
    large = cell((400, 1000), 6, 9, (SURE, 0, 0), side=4)
    assert len(boxes(file, large)) == 0


def test_a_box_that_overflows_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.finding.test_yunet.WIDTH", np.inf)
    red_finder(tmp_path / "huge.onnx", 640, 640)
    assert boxes(tmp_path / "huge.onnx", cell((97, 131), 6, 9, (SURE, 0, 0))).shape == (0, 4)


@pytest.mark.parametrize("turn", [0, 40, -90, 180])
def test_five_points_tell_where_a_face_is_and_how_it_is_tilted(turn):
    face = transform_points(rotation_matrix(turn), 50 * FACE) + np.array([300, 200])
    eyes = (face[part].mean(0) for part in (slice(36, 42), slice(42, 48)))
    row = np.concatenate([*eyes, face[30], face[48], face[54]])
    box = boxes_of_points(face[None])[0]
    (window,) = windows_of_faces(np.concatenate([box, row, [0.9]])[None])
    (expected,) = windows_of_points(face[None])
    np.testing.assert_allclose((window - expected)[:3], 0, atol=0.5)
    assert abs((window - expected)[3]) % 360 == pytest.approx(0, abs=1)


def test_five_points_that_contradict_their_box_are_not_believed():
    box = np.array([100.0, 100, 50, 50])
    (window,) = windows_of_faces(np.concatenate([box, np.zeros(10), [0.9]])[None])
    np.testing.assert_allclose(window, windows_of_boxes(box[None])[0])


def test_keypoints_of_a_face_that_yunet_found(file):
    """A white disc is the face for the network of discs, a red cell in it for YuNet."""
    picture = draw_discs([(76, 52, 20)])
    picture[48:56, 72:80] = (SURE, 0, 0)
    (face,) = KeypointDetector(TorchNetwork(DiscNetwork(), SIDE, "pad"), YuNetDetector(file))(picture)
    assert np.abs(face.keypoints - disc_face(76, 52, 20)).max() < 4


def test_another_network_is_named(tmp_path):
    node = helper.make_node("Identity", ["input"], ["output"])
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("input", "output"))
    model = helper.make_model(
        helper.make_graph([node], "other", [given], [made]), opset_imports=[helper.make_opsetid("", 11)], ir_version=6
    )
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"other\.onnx is no YuNet model"):
        YuNetDetector(tmp_path / "other.onnx")


def test_the_model_of_the_keypoints_is_no_yunet():
    with pytest.raises(ModelError, match=r"ibug68\.onnx is no YuNet model \(.*'frames'"):
        YuNetDetector(SHIPPED)


def test_haar_stands_in_where_onnx_runtime_is_missing_unless_yunet_is_insisted_on(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setenv(VARIABLE, str(file))
    with pytest.warns(KeypointsWarning, match="onnxruntime cannot be imported"):
        assert isinstance(box_detector("auto", None), HaarDetector)
    for name, given in (("yunet", None), ("auto", file)):
        with pytest.raises(ModelError, match="pip install onnxruntime"):
            box_detector(name, given)
