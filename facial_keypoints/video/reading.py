"""Videos and animated pictures as streams of frames, each with the time at which it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable
from facial_keypoints.inputs.kinds import Kind, kind_of
from facial_keypoints.inputs.pictures import FRAME_PIXEL_LIMIT
from facial_keypoints.video.animation import Animation
from facial_keypoints.video.container import no_video
from facial_keypoints.video.frame_geometry import fitted
from facial_keypoints.video.times import Clock
from facial_keypoints.video.video_file import VideoFile

_PRELUDE_S = Fraction(1, 10)
"""Sound may start so much before the pictures without their starting later: encoders need a run-up."""

_WHOLE_FROM = 0.9
"""Share of the stated duration from which a video counts as whole."""


@dataclass(frozen=True)
class Video:
    """What is known of a video or animation before its frames are read."""

    path: Path
    width: int
    """Upright, with square pixels, as of the first frame; later ones of another size are fitted into it."""
    height: int
    start: Fraction
    """What is 0 s, on the file's own clock."""
    usual_rate: Fraction
    """Frames a second, for where the file says no times."""
    frame_count: int
    """As the file says, which may be wrong, so for a progress bar alone; 0 where it does not."""
    has_sound: bool


class Frame(NamedTuple):
    """A frame of a video as it is shown."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, upright, with square pixels."""
    time_s: float
    """Seconds at which it is shown, from the start of pictures and sound; later than those of the frame before."""
    lasts_s: float
    """Seconds for which it is shown, as the file says; the next frame may come earlier or later."""


def open_video(path: Path) -> Video:
    """The video or animated picture in a file, whose first frame is decoded. Raises DataError where there is none."""
    source = _source(path)
    first = next(iter(source), None)
    if first is None:
        raise no_video(path)
    height, width = first.image.shape[:2]
    if height * width > FRAME_PIXEL_LIMIT:
        raise DataError(f"{printable(str(path))} has frames of {width} x {height} pixels; make them smaller")
    pictures = first.at if first.at is not None else source.start or Fraction(0)
    sound = source.sound_start
    start = sound if sound is not None and sound < pictures - _PRELUDE_S else pictures
    frames = max(0, min(source.frame_count, 10**9))
    return Video(path, width, height, start, source.rate, frames, source.has_sound)


class FrameReader:
    """The frames of a video, one at a time, as far as they can be decoded."""

    def __init__(self, video: Video) -> None:
        self._video, self._source = video, _source(video.path)
        self._reached_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        usual_s = float(1 / self._video.usual_rate)
        clock, start_s = Clock(self._video.start, usual_s), None
        for decoded in self._source:
            image = fitted(decoded.image, (self._video.width, self._video.height))
            frame = Frame(image, clock(decoded.at), float(decoded.lasts or usual_s))
            start_s = frame.time_s if start_s is None else start_s
            self._reached_s = frame.time_s + frame.lasts_s - start_s
            yield frame

    @property
    def frame_count(self) -> int:
        """Number of frames as the file says, for a progress bar alone."""
        return self._video.frame_count

    @property
    def faults(self) -> list[str]:
        """What was wrong with the file, once all has been read."""
        return self._source.faults

    @property
    def shortfall(self) -> str:
        """By how much the frames end early, though all of them could be decoded; empty where they do not."""
        if self._reached_s >= _WHOLE_FROM * self._source.stated_s:
            return ""
        return f"it ends after {self._reached_s:.2f} s but says that it lasts {self._source.stated_s:.2f} s"


def _source(path: Path) -> VideoFile | Animation:
    return Animation(path) if kind_of(path) is Kind.ANIMATION else VideoFile(path)
