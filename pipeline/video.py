"""Videos as streams of frames, read and written by OpenCV; ffmpeg, where there is one, adds sound and H.264."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from pipeline.errors import DataError
from pipeline.output_folder import Target
from pipeline.reading import PIXEL_LIMIT

Container = Literal["mp4", "webm"]

_USUAL_FPS = 25.0
"""Where a file does not say how fast it goes."""
_PICTURES_COPIED = ("-c:v", "copy")
_SOUND_ANEW = ("-c:a", "aac", "-b:a", "192k")
_WAYS = {
    # By whichever encoder for H.264 ffmpeg has, in the colours that browsers know, playing before all is loaded. An
    # .mp4 can hold more kinds of sound than browsers play, a .webm cannot.
    ".mp4": (
        ("-c:v", "h264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", *_SOUND_ANEW),
        (*_PICTURES_COPIED, *_SOUND_ANEW),
    ),
    ".webm": ((*_PICTURES_COPIED, "-c:a", "copy"), (*_PICTURES_COPIED, "-c:a", "libopus")),
}
"""What ffmpeg is told to do with pictures and sound, the best first."""


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
    def __init__(self, writer: cv2.VideoWriter, encoder: Executor) -> None:
        self._writer, self._encoder = writer, encoder
        self._last: Future[None] | None = None

    def __call__(self, rgb: np.ndarray) -> None:
        """Add an (H, W, 3) uint8 RGB frame, encoded while the next one is looked at."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        if self._last:
            self._last.result()
        self._last = self._encoder.submit(self._writer.write, bgr)


@contextmanager
def frame_writer(target: Target, video: Video, container: Container | None = None) -> Iterator[FrameWriter]:
    """Write frames of the size and rate of `video` to the target's .mp4 or .webm, with its sound if there is ffmpeg.

    None is the one that browsers play: .mp4 takes ffmpeg, as OpenCV's wheels bring no encoder for H.264.
    """
    container = container or ("mp4" if shutil.which("ffmpeg") else "webm")
    with target.writing(f".{container}") as partial:
        silent = partial.with_suffix(f".silent.{container}")  # OpenCV goes by the suffix
        try:
            with _encoding(silent, video) as write:
                yield write
            if not _finish(silent, video.path, partial):
                silent.replace(partial)
        finally:
            silent.unlink(missing_ok=True)


@contextmanager
def _encoding(path: Path, video: Video) -> Iterator[FrameWriter]:
    code = cv2.VideoWriter.fourcc(*("VP80" if path.suffix == ".webm" else "mp4v"))
    with _silence():
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, video.fps, (video.width, video.height))
    if not writer.isOpened():
        raise DataError(f"{path.parent} takes no video; choose another folder with --output")
    try:
        with ThreadPoolExecutor(1) as encoder:
            yield FrameWriter(writer, encoder)
    finally:
        writer.release()


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing goes to standard error: OpenCV says there, and cannot be told not to, that WebM knows no tag VP80."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _finish(silent: Path, source: Path, target: Path) -> bool:
    """Join the pictures of `silent` with the sound of `source`, so that browsers play both, as well as ffmpeg can.

    False where there is none or it fails.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return False
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", str(silent), "-i", str(source)]
    command += ["-map", "0:v:0", "-map", "1:a?"]
    for way in _WAYS[silent.suffix]:
        made = [*command, *way, "-f", silent.suffix[1:], str(target)]
        if subprocess.run(made, capture_output=True, check=False).returncode == 0:
            return True
    return False
