import numpy as np
import pytest
import torch
from torch import Tensor

from facial_keypoints.core.boxes import overlaps
from facial_keypoints.core.errors import DataError
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.finding.candidates import Candidates, candidates_of_boxes
from facial_keypoints.finding.windows import mean_face_in
from facial_keypoints.prediction.smoothing import OneEuro
from facial_keypoints.prediction.tracks import FaceTracker, KnownFaces
from pipeline.models.network import KeypointNetwork
from pipeline.models.torch_network import TorchNetwork
from tests.discs import SIDE, DiscFinder, DiscNetwork, KnowingNetwork, disc_detector, disc_face, draw_discs

FPS = 30.0
FRAME = np.zeros((480, 640, 3), np.uint8)


def follow(videos: list[list[tuple[float, float, float]]], detector=None, smooth: bool = False):
    look = FaceTracker(detector or disc_detector(), smooth)
    return [look(draw_discs(discs), frame / FPS) for frame, discs in enumerate(videos)]


def test_faces_keep_their_numbers_while_they_move():
    frames = [[(60.0 + 3 * t, 60.0, 15.0), (250.0 - 3 * t, 170.0, 18.0)] for t in range(45)]
    for discs, faces in zip(frames, follow(frames), strict=True):
        assert set(faces) == {1, 2}
        for number, disc in zip((1, 2), discs, strict=True):
            assert np.abs(faces[number].keypoints - disc_face(*disc)).max() < 1


def test_a_face_that_is_hidden_for_a_moment_comes_back_as_itself():
    frames = [[(80.0, 60.0, 15.0)] if not 15 <= t < 25 else [] for t in range(45)]
    numbers = [set(faces) for faces in follow(frames)]
    assert numbers[:15] == [{1}] * 15
    assert numbers[15:25] == [set()] * 10
    assert numbers[40:] == [{1}] * 5


def test_another_face_gets_another_number():
    frames = [[(60.0, 60.0, 15.0)] if t < 30 else [(250.0, 170.0, 25.0)] for t in range(60)]
    answers = follow(frames)
    assert set(answers[0]) == {1}
    assert set(answers[-1]) == {2}


def test_a_newcomer_is_found_within_half_a_second():
    frames = [[(60.0, 60.0, 15.0)] + ([(250.0, 170.0, 18.0)] if t >= 5 else []) for t in range(25)]
    assert set(follow(frames)[5 + 15]) == {1, 2}


class MeanFaceNetwork(KeypointNetwork):
    """Sees in every crop the mean face where training frames have it, so that a face lies where it is looked for."""

    def __init__(self) -> None:
        super().__init__(68)
        middle = (SIDE - 1) / 2
        self.register_buffer("face", torch.from_numpy(mean_face_in(np.array([middle, middle, SIDE, 0.0]))).float())

    def forward(self, images: Tensor) -> Tensor:
        return self.face.expand(len(images), 1, -1, -1)


def detector_at(*boxes: tuple[float, float, float, float]) -> KeypointDetector:
    """A detector that finds a mean face in each box of every frame."""

    class Find:
        upright_only = False

        def __call__(self, image: np.ndarray, gray: np.ndarray) -> Candidates:
            return candidates_of_boxes(np.array(boxes, float))

    return KeypointDetector(TorchNetwork(MeanFaceNetwork(), SIDE, "pad", "mean"), Find())


@pytest.mark.parametrize("every_frame", [False, True])
@pytest.mark.parametrize(
    ("aside", "overlap"),
    [
        (80, 1 / 9),
        (60, 1 / 4),
        (50, 1 / 3),
        (46, 0.37),
    ],  # of two squares of 100 px, which the face's box nearly is: (100 - a) / (100 + a)
)
def test_faces_that_overlap_are_all_followed_as_in_a_still(aside, overlap, every_frame):
    detector, frame = detector_at((200, 200, 100, 100), (200 + aside, 200, 100, 100)), FRAME
    still = detector(frame)
    assert len(still) == 2
    assert overlaps(np.array([still[0].box]), np.array([still[1].box]))[0, 0] == pytest.approx(overlap, abs=0.015)
    look = FaceTracker(detector, smooth=False, every_frame=every_frame)
    for number in range(30):
        faces = look(frame, number / FPS)
        assert set(faces) == {1, 2}
        for face, expected in zip((faces[1], faces[2]), still, strict=True):
            np.testing.assert_allclose(face.keypoints, expected.keypoints, atol=0.01)


def test_a_third_face_between_two_that_are_followed_is_found_too():
    boxes = [(40.0, 60.0, 100.0, 100.0), (160.0, 60.0, 100.0, 100.0)]
    detector, frame = detector_at(*boxes), FRAME
    look = FaceTracker(detector, every_frame=True)
    assert set(look(frame, 0.0)) == {1, 2}
    look._detector = detector_at(*boxes, (100, 60, 100, 100))  # overlaps each of them by a quarter
    assert set(look(frame, 1 / FPS)) == {1, 2, 3}


@pytest.mark.parametrize("fps", [5, 25, 60])
def test_one_black_frame_costs_no_more_than_itself(fps):
    look = FaceTracker(disc_detector())
    seen = [set(look(draw_discs([(80.0, 60.0, 15.0)] if frame != 3 else []), frame / fps)) for frame in range(8)]
    assert seen == [{1}, {1}, {1}, set(), {1}, {1}, {1}, {1}]


def test_a_face_that_left_is_looked_for_in_each_frame_for_as_long_as_the_next_search_may_take():
    """Of 90 frames at 30 Hz every 12th is searched; last seen in frame 19, the face is looked for in 20 to 31, too."""
    detector = disc_detector()
    detector.find.upright_only = False
    follow([[(60.0, 60.0, 15.0)] if t < 20 else [] for t in range(90)], detector)
    assert detector.find.searches == len({*range(0, 90, 12), *range(20, 32)})


def test_most_frames_need_no_search():
    detector = disc_detector()
    follow([[(60.0 + t, 60.0, 15.0)] for t in range(48)], detector)
    assert detector.find.searches == 4


def test_a_quick_face_is_looked_at_again_in_its_new_place():
    frames = [[(50.0 + 12 * t, 60.0, 15.0)] for t in range(18)]
    for discs, faces in zip(frames, follow(frames), strict=True):
        assert np.abs(faces[1].keypoints - disc_face(*discs[0])).max() < 1


def test_places_that_are_known_are_numbered_in_their_order():
    detector = disc_detector(noise_px=0.5)
    boxes = np.array([[240, 60, 36, 36], [46, 56, 28, 28]], float)
    look = KnownFaces(lambda image: detector(image, boxes))
    for frame in range(3):
        faces = look(draw_discs([(60.0, 70.0, 14.0), (258.0, 78.0, 18.0)]), frame / FPS)
        assert [round(faces[number].keypoints[:, 0].mean(), -1) for number in (1, 2)] == [260, 60]


def test_smoothing_stills_a_still_face():
    frames = [[(160.0, 120.0, 30.0)]] * 60
    raw, smooth = (
        np.stack([faces[1].keypoints for faces in follow(frames, disc_detector(noise_px=0.15), smooth)])
        for smooth in (False, True)
    )
    assert jitter(smooth[10:]) < jitter(raw[10:]) / 2.5


def test_smoothing_does_not_trail_a_quick_face():
    """Half a face a tenth of a second: less than half a frame behind, where the same filter for still faces is five."""
    frames = [[(60.0 + (8 * (t - 10) if t > 10 else 0), 120.0, 25.0)] for t in range(30)]
    smooth = follow(frames, smooth=True)
    behind = [
        disc_face(*discs[0])[:, 0].mean() - faces[1].keypoints[:, 0].mean()
        for discs, faces in zip(frames, smooth, strict=True)
    ]
    assert max(behind[15:]) < 4
    assert max(behind) < 8


def test_the_filter_passes_what_never_moves():
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    smoother = OneEuro()
    for frame in range(5):
        np.testing.assert_allclose(smoother(points, frame / FPS), points)


@pytest.mark.parametrize("scale", [0.1, 20.0])
def test_the_filter_acts_alike_on_small_and_large_faces(scale):
    steps = np.random.default_rng(0).normal(0, 1, (10, 68, 2)).cumsum(0) + disc_face(50, 50, 20)
    one, other = OneEuro(), OneEuro()
    for frame, points in enumerate(steps):
        np.testing.assert_allclose(other(points * scale, frame / FPS), one(points, frame / FPS) * scale)


def test_a_step_arrives_as_the_filters_equation_says():
    """By hand: at 30 Hz the speed's share is 1 / (1 + 30 / (2 pi f))."""
    from facial_keypoints.prediction import smoothing

    start = disc_face(50, 50, 20)
    smoother = OneEuro()
    smoother(start, 0.0)
    moved = smoother(start + np.array([4.0, 0.0]), 1 / FPS)
    size = 40.0
    speed = 4 * 30 / size / (1 + 30 / (2 * np.pi * smoothing._SPEED_CUTOFF_HZ))
    cutoff = smoothing._LEAST_CUTOFF_HZ + smoothing._CUTOFF_PER_SPEED * speed
    np.testing.assert_allclose(moved - start, np.tile([4 / (1 + 30 / (2 * np.pi * cutoff)), 0], (68, 1)))


def steps_of(moved: np.ndarray, radii: np.ndarray | None) -> np.ndarray:
    """How far each point of a face is moved by a frame in which its points moved so; before, all radii were 0.5 px."""
    start, smoother = disc_face(50, 50, 20), OneEuro()
    smoother(start, 0.0, None if radii is None else np.full(68, 0.5))
    return smoother(start + moved, 1 / FPS, radii) - start


def test_a_point_that_becomes_less_certain_follows_its_own_measurement_less():
    """By hand: measured before with certainty 1 and now with 1/4, of which shares 1 - s and s are kept, the new value
    weighs s/4 / (1 - s + s/4), where it would weigh s; what is left, the point moves as the face does, which stands."""
    alone = np.zeros((68, 2))
    alone[30, 0] = 4.0
    share = steps_of(alone, None)[30, 0] / 4
    own = (1 / 4) / (1 - share + share / 4)
    of_face = (1 / 4) * share * 4 / (67 + 1 / 4)
    moved = steps_of(alone, np.where(np.arange(68) == 30, 1.0, 0.5))
    np.testing.assert_allclose(moved[30], [own * share * 4 + (1 - own) * of_face, 0])
    assert moved[30, 0] < 0.7 * share * 4
    np.testing.assert_allclose(np.delete(moved, 30, 0), 0)


def test_points_that_become_less_certain_move_with_their_face():
    together, few = np.tile([4.0, -2.0], (68, 1)), np.arange(68) < 20
    expected = steps_of(together, None)
    for radii in (np.full(68, 0.5), np.full(68, 3.0), np.where(few, 3.0, 0.5)):
        np.testing.assert_allclose(steps_of(together, radii), expected)


def test_points_that_are_as_certain_as_before_or_more_are_filtered_as_without_radii():
    moved = np.random.default_rng(0).normal(0, 1, (68, 2))
    for radii in (np.full(68, 0.5), np.linspace(0, 0.5, 68)):
        np.testing.assert_allclose(steps_of(moved, radii), steps_of(moved, None))


def test_radii_of_a_network_that_knows_are_shown_in_videos():
    look = FaceTracker(KeypointDetector(KnowingNetwork(DiscNetwork(), SIDE, "pad"), DiscFinder()))
    first, second = (look(draw_discs([(160.0 + move, 120.0, 30.0)]), move / FPS)[1] for move in (0, 1))
    assert first.radii is not None
    np.testing.assert_allclose(second.radii, first.radii, rtol=0.05)


def test_the_filter_goes_by_the_time_between_frames():
    """A point that moves evenly is where it would be, however unevenly it is looked at: seen twice at once or not."""
    start, way = disc_face(50, 50, 20), np.array([60.0, 0.0])
    even, uneven = OneEuro(), OneEuro()
    for time_s in np.arange(0, 1, 1 / FPS):
        at = even(start + way * time_s, time_s)
    for time_s in np.arange(0, 1, 1 / FPS).repeat(2) + np.tile([0, 0.002], round(FPS)):
        beside = uneven(start + way * time_s, time_s)
    behind = [start[0, 0] + way[0] * time - points[0, 0] for time, points in ((29 / 30, at), (29 / 30 + 0.002, beside))]
    assert abs(behind[0] - behind[1]) < 0.4
    assert max(behind) < 2


@pytest.mark.parametrize(
    ("times", "searches"),
    [
        (np.arange(48) / 30, 4),  # every 0.4 s
        (np.arange(48) / 120, 2),  # at 120 Hz, 30 frames are a quarter of a second
        (np.arange(48) * 1e-6, 2),  # a file that crowds its frames into a moment is searched all the same
        (np.arange(8) * 2.0, 8),  # a frame every two seconds
        (np.concatenate([np.arange(12) / 30, 5 + np.arange(12) / 30]), 2),
    ],
)
def test_faces_are_searched_by_time_and_at_least_every_thirty_frames(times, searches):
    detector = disc_detector()
    look = FaceTracker(detector)
    for time_s in times:
        look(draw_discs([(60.0, 60.0, 15.0)]), float(time_s))
    assert detector.find.searches == searches


@pytest.mark.parametrize("fps", [10, 60])
@pytest.mark.parametrize(("back_s", "number"), [(1.5, 1), (2.5, 2)])
def test_a_face_is_remembered_for_a_second_and_a_half_at_any_rate(back_s, number, fps):
    """Gone from 0.5 s on, searched every 0.4 s."""
    look = FaceTracker(disc_detector())
    for frame in range(3 * fps):
        there = not 0.5 <= frame / fps < back_s
        faces = look(draw_discs([(60.0, 60.0, 15.0)] if there else []), frame / fps)
    assert set(faces) == {number}


def jitter(points: np.ndarray) -> float:
    """Root mean square step of (T, 68, 2) points."""
    return float(np.sqrt((np.diff(points, axis=0) ** 2).mean()))


@pytest.mark.parametrize(("every_frame", "found"), [(False, 1), (True, 2)])
def test_who_appears_between_two_searches_is_found_where_every_frame_is_searched(every_frame, found):
    here, newcomer = (60.0, 100.0, 20.0), (220.0, 100.0, 20.0)
    follow = FaceTracker(disc_detector(), every_frame=every_frame)
    assert len(follow(draw_discs([here]), 0.0)) == 1
    assert len(follow(draw_discs([here, newcomer]), 0.04)) == found


@pytest.mark.parametrize("time_s", [None, "1", float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(time_s):
    with pytest.raises(DataError, match="the time of the frame is"):
        FaceTracker(disc_detector())(draw_discs([]), time_s)


@pytest.mark.parametrize("later_s", [0.0, -1.0])
def test_a_frame_that_is_not_later_is_refused(later_s):
    tracker, picture = FaceTracker(disc_detector()), draw_discs([(60.0, 70.0, 14.0)])
    tracker(picture, 5.0)
    with pytest.raises(DataError, match="is not later than the one before, at 5 s; give them in order"):
        tracker(picture, 5.0 + later_s)
    assert list(tracker(picture, 5.1)) == [1]


@pytest.mark.parametrize("frame", [np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40, 3)), None])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(DataError, match="should be a uint8 array"):
        FaceTracker(disc_detector())(frame, 0.0)
