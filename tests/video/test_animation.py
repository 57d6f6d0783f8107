"""Animated pictures as videos."""

import numpy as np
import pytest
from PIL import Image

from facial_keypoints.core.errors import DataError
from facial_keypoints.filters.files import Job, filter_files
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.video.reading import FrameReader, open_video
from tests.discs import disc_detector, draw_discs
from tests.films import copy, discs_moving, times

LASTS_MS = [100, 40, 500, 70, 200]
STARTS_S = [0, 0.1, 0.14, 0.64, 0.71]
ANIMATIONS = ["film.gif", "film.png", "film.webp", "film.avif"]


def save(path, images: list[Image.Image], duration: list[int] | int = LASTS_MS, **options) -> None:
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, **options)


def moving() -> list[Image.Image]:
    return [Image.fromarray(image) for image in discs_moving(5)]


@pytest.mark.parametrize("name", ANIMATIONS)
def test_frames_come_one_after_another_at_their_times(tmp_path, name):
    save(tmp_path / name, moving())
    video = open_video(tmp_path / name)
    assert (video.width, video.height, video.has_sound) == (320, 240, False)
    frames = list(FrameReader(video))
    assert [frame.time_s for frame in frames] == pytest.approx(STARTS_S)
    assert [frame.lasts_s for frame in frames] == pytest.approx([lasts / 1000 for lasts in LASTS_MS])
    for frame, image in zip(frames, discs_moving(5), strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 4


def test_a_picture_for_those_who_cannot_show_the_frames_is_none_of_them(tmp_path):
    other, *frames = moving()
    other.save(
        tmp_path / "film.png",
        save_all=True,
        append_images=frames,
        duration=LASTS_MS[1:],
        loop=0,
        default_image=True,
    )
    shown = list(FrameReader(open_video(tmp_path / "film.png")))
    assert [frame.lasts_s for frame in shown] == pytest.approx([lasts / 1000 for lasts in LASTS_MS[1:]])
    np.testing.assert_array_equal(shown[0].image, np.asarray(frames[0]))


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("name", ANIMATIONS)
def test_what_is_written_of_it_has_its_times(tmp_path, name, container):
    save(tmp_path / name, moving())
    assert times(copy(tmp_path / name, open_video(tmp_path / name), container)) == pytest.approx(STARTS_S, abs=1e-3)


@pytest.mark.parametrize(("told_ms", "lasts_s"), [(0, 0.1), (10, 0.1), (20, 0.02)])
def test_frames_too_short_last_as_browsers_show_them(tmp_path, told_ms, lasts_s):
    """A tenth of a second, as GIFs that say 0 are meant; see Blink's and Gecko's decoders."""
    save(tmp_path / "film.gif", moving(), told_ms)
    assert times(tmp_path / "film.gif") == pytest.approx([frame * lasts_s for frame in range(5)])


@pytest.mark.parametrize(("name", "disposal"), [("film.gif", 2), ("film.png", 1)])
def test_transparent_parts_are_white_and_what_moved_on_is_gone(tmp_path, name, disposal):
    """`disposal`: the ground comes back before the next frame, as each kind says it."""
    images = [Image.new("RGBA", (40, 30), (0, 0, 0, 0)) for _ in range(3)]
    for number, image in enumerate(images):
        image.paste((200, 0, 0, 255), (12 * number, 10, 12 * number + 10, 20))
    save(tmp_path / name, images, 100, disposal=disposal, lossless=True)
    for number, frame in enumerate(FrameReader(open_video(tmp_path / name))):
        expected = np.full((30, 40, 3), 255)
        expected[10:20, 12 * number : 12 * number + 10] = 200, 0, 0
        assert np.abs(frame.image - expected).max() < 3


def test_transparent_frames_of_a_webp_are_white(tmp_path):
    clear, red = (Image.new("RGBA", (40, 30), colour) for colour in ((0, 0, 0, 0), (200, 0, 0, 255)))
    save(tmp_path / "film.webp", [clear, red, clear], 100, lossless=True)
    shown = [frame.image[5, 5].tolist() for frame in FrameReader(open_video(tmp_path / "film.webp"))]
    assert shown == [[255] * 3, [200, 0, 0], [255] * 3]


def test_a_frame_that_changes_a_part_keeps_the_rest(tmp_path):
    first = draw_discs([(60, 60, 20)], (120, 160))
    second = first.copy()
    second[100:110, 100:110] = 200
    save(tmp_path / "film.gif", [Image.fromarray(first), Image.fromarray(second)], 100)
    shown = [frame.image.astype(int) for frame in FrameReader(open_video(tmp_path / "film.gif"))]
    assert np.abs(shown[1] - second).max() < 6


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film.webp"])
def test_one_that_was_cut_off_gives_what_there_is_and_says_so(tmp_path, name):
    save(tmp_path / name, moving())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * 3 // 4])
    if name == "film.webp":  # whole or nothing
        with pytest.raises(DataError, match="holds no video"):
            open_video(tmp_path / name)
        return
    reader = FrameReader(open_video(tmp_path / name))
    assert 1 <= len(list(reader)) < 5
    assert reader.faults


def test_every_frame_is_hidden(tmp_path):
    save(tmp_path / "film.gif", [Image.fromarray(image) for image in discs_moving(5)], 200)

    def blacken(image, faces):
        dark = image.copy()
        for points in faces:
            (left, top), (right, bottom) = points.min(0).astype(int) - 8, points.max(0).astype(int) + 8
            dark[max(top, 0) : bottom, max(left, 0) : right] = 0
        return [dark]

    job = Job(disc_detector(), "blur", blacken, OutputFolder(tmp_path / "out"), every=True)
    assert str(filter_files(job, [Source(tmp_path / "film.gif", "film")])) == "1 face in 1 video"
    shown = list(FrameReader(open_video(tmp_path / "out/film_blur.mp4")))
    assert len(shown) == 5
    assert max(frame.image.max() for frame in shown) < 90
