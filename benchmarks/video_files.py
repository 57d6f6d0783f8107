"""How quickly videos of 720p are read and written, and in how much memory, beside OpenCV's own classes.

python -m benchmarks.video_files; with a number of frames: the peak of the memory alone, for that many.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.filters.lasting import COVERED_S, lasting
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.video.reading import Frame, FrameReader, Video, open_video
from facial_keypoints.video.writing import frame_writer
from tests.discs import disc_detector

FPS = 30
FRAMES = 120
SIZE = (720, 1280)
MEMORY_FRAMES = (60, 600)


def pictures(count: int) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB: a smooth ground that moves, with the noise of a camera."""
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 255, (100, 180, 3), np.uint8), (1440, 800), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 9, (*SIZE, 3), np.uint8)
    for number in range(count):
        x, y = number % 160, number % 80
        yield cv2.add(ground[y : y + SIZE[0], x : x + SIZE[1]], np.roll(noise, 17 * number, axis=1))


def write(folder: Path, name: str, container: str, frames: Iterator[np.ndarray]) -> Path:
    video = Video(folder / name, SIZE[1], SIZE[0], Fraction(0), Fraction(FPS), 0, has_sound=False)
    target = OutputFolder(folder).target(name, None)
    with frame_writer(target, video, "webm" if container == "webm" else "mp4") as add:
        for number, image in enumerate(frames):
            add(Frame(image, number / FPS, 1 / FPS))
    return folder / f"{name}.{container}"


def write_by_opencv(path: Path, code: str, frames: list[np.ndarray]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), FPS, SIZE[::-1])
    for image in frames:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()


def read_by_opencv(path: Path) -> None:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    while (read := capture.read())[0]:
        cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def rate(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return FRAMES / (time.perf_counter() - start)


def peak_mb(folder: Path, frames: int) -> int:
    """Of this process, once a video has been read, held and written as `keypoints filter --name blur` does it."""
    path = write(folder, "film", "mp4", pictures(frames))
    held = lasting(((frame, {}) for frame in FrameReader(open_video(path))), COVERED_S, disc_detector(), folder)
    write(folder, "held", "mp4", (frame.image for frame, _ in held))
    # Not of getrusage, which counts what the parent held when this process began.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) >> 10


def compare(folder: Path, frames: list[np.ndarray]) -> None:
    for container, code in (("mp4", "mp4v"), ("webm", "VP80")):
        ours = rate(partial(write, folder, "new", container, iter(frames)))
        theirs = rate(partial(write_by_opencv, folder / f"cv.{container}", code, frames))
        sizes = [os.path.getsize(folder / f"{stem}.{container}") >> 10 for stem in ("new", "cv")]
        print(f"write {container}: {ours:.0f} frames/s, {sizes[0]} KB; OpenCV {theirs:.0f}, {sizes[1]} KB")
    path = folder / "new.mp4"
    ours, theirs = rate(lambda: list(map(len, FrameReader(open_video(path))))), rate(partial(read_by_opencv, path))
    print(f"read mp4: {ours:.0f} frames/s; OpenCV {theirs:.0f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            print(peak_mb(folder, int(sys.argv[1])))
            return
        compare(folder, list(pictures(FRAMES)))
    for count in MEMORY_FRAMES:
        command = [sys.executable, "-m", "benchmarks.video_files", str(count)]
        print(f"{count} frames: at most {subprocess.check_output(command, text=True).strip()} MB")


if __name__ == "__main__":
    main()
