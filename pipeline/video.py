"""Videos as streams of frames, read and written by OpenCV; sound is copied by ffmpeg where there is one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import DataError
from pipeline.files import whole
from pipeline.reading import PIXEL_LIMIT

_USUAL_FPS = 25.0
"""Where a file does not say how fast it goes."""


@dataclass(frozen=True)
class Video:
    path: Path
    width: int
    height: int
    fps: float
    frames: int
    """As the file says, which may be wrong."""


def open_video(path: Path) -> Video:
    """What a video file says of itself, found by reading its first frame. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path} is not here; correct the path")
    capture = _capture(path)
    try:
        read, frame = capture.read()
        if not read:
            raise DataError(
                f"{path} holds no video that can be decoded here; convert it, e.g. with: ffmpeg -i {path.name} new.mp4"
            )
        if frame.shape[0] * frame.shape[1] > PIXEL_LIMIT:
            raise DataError(f"{path} has frames of {frame.shape[1]} x {frame.shape[0]} pixels; make them smaller")
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        frames = int(max(0, min(capture.get(cv2.CAP_PROP_FRAME_COUNT), 1e9)))
    finally:
        capture.release()
    return Video(path, frame.shape[1], frame.shape[0], fps if 0.1 <= fps <= 1000 else _USUAL_FPS, frames)


def read_frames(video: Video) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB frames, one at a time, upright; ends where the file cannot be decoded further."""
    capture = _capture(video.path)
    try:
        while True:
            read, frame = capture.read()
            if not read or frame.shape[:2] != (video.height, video.width):
                return
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        capture.release()


def _capture(path: Path) -> cv2.VideoCapture:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # or it tells of every damaged block
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)


class FrameWriter:
    def __init__(self, writer: cv2.VideoWriter) -> None:
        self._writer = writer

    def __call__(self, rgb: np.ndarray) -> None:
        """Add an (H, W, 3) uint8 RGB frame."""
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


@contextmanager
def frame_writer(path: Path, video: Video) -> Iterator[FrameWriter]:
    """Write frames of the size and rate of `video` to `path`, an .mp4, with its sound if ffmpeg is on the PATH."""
    with whole(path) as partial:
        silent = partial.with_suffix(".silent.mp4")  # OpenCV goes by the suffix
        try:
            writer = cv2.VideoWriter(
                str(silent), cv2.VideoWriter.fourcc(*"mp4v"), video.fps, (video.width, video.height)
            )
            if not writer.isOpened():
                raise DataError(f"{path} cannot be written as a video; choose another folder with --output")
            try:
                yield FrameWriter(writer)
            finally:
                writer.release()
            if not _add_sound(silent, video.path, partial):
                silent.replace(partial)
        finally:
            silent.unlink(missing_ok=True)


def _add_sound(silent: Path, source: Path, target: Path) -> bool:
    """Join the pictures of `silent` with the sound of `source`; False where ffmpeg is missing or cannot."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return False
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", str(silent), "-i", str(source)]
    command += ["-map", "0:v:0", "-map", "1:a?", "-c:v", "copy"]
    for codec in ("copy", "aac"):  # what an .mp4 cannot hold as it is, is encoded anew
        done = subprocess.run([*command, "-c:a", codec, "-f", "mp4", str(target)], capture_output=True, check=False)
        if done.returncode == 0:
            return True
    return False
