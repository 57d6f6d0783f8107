"""Frames of a video file, decoded by FFmpeg through PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from facial_keypoints.video.container import missing_bytes, opened, packets, picture_stream, sound_stream, starts_at
from facial_keypoints.video.frame_geometry import Matrix, natural_size, upright
from facial_keypoints.video.hdr import to_standard_range
from facial_keypoints.video.times import Decoded

_USUAL_RATES = (1, 240)
_USUAL_RATE = Fraction(25)
_UNSPECIFIED = 2
"""FFmpeg's number for colours that are not specified (https://ffmpeg.org/doxygen/trunk/pixfmt_8h.html)."""
_HD_HEIGHT = 720
"""From this height in pixels, colours that are not specified are taken for BT.709, as players do."""


class VideoFile:
    """A video file; goes through its frames each time that it is iterated over."""

    def __init__(self, path: Path) -> None:
        """Raises DataError where the file is no video."""
        self._path = path
        self.faults: list[str] = []
        """What was wrong, once all has been read."""
        with opened(path) as container:
            stream = picture_stream(container, path)
            self.rate = _rate(stream)
            """Usual frames a second, for where times are missing."""
            self.frame_count = stream.frames or round(self.rate * Fraction(container.duration or 0, av.time_base))
            """Number of frames as the file says, which may be wrong; 0 where it does not."""
            self.stated_s = _stated_s(container, stream)
            """Duration of the pictures in seconds as the file says, which may be wrong; 0 where it does not."""
            self.has_sound = bool(container.streams.audio)
            self.start = starts_at(stream)
            self.sound_start = starts_at(sound_stream(container))
            """Start of pictures and sound in seconds on the clock of the file; None where the file does not say."""

    def __iter__(self) -> Iterator[Decoded]:
        damaged, seen = 0, False
        with opened(self._path) as container:
            stream = picture_stream(container, self._path)
            # With several threads a damaged file gave other frames and another count of faults from one reading to the
            # next, and with other cores. One decodes 1080p of 63 Mbit/s in 9 ms a frame, a fiftieth of predicting.
            stream.codec_context.thread_count = 1
            picture = _Converter(stream.sample_aspect_ratio)
            for packet in packets(container, stream, self.faults):
                frames, is_whole = _decode(packet)
                # What comes before the first whole frame began in a part that was cut off.
                damaged += (seen or packet.is_keyframe) and not is_whole
                for frame in frames:
                    try:
                        decoded = picture(frame)
                    except (av.FFmpegError, ValueError):  # of some kinds FFmpeg cannot make RGB
                        damaged += 1
                        continue
                    seen = True
                    yield decoded
        if damaged:
            self.faults.append(f"{damaged} of its parts cannot be decoded")
        if missing := missing_bytes(self._path):
            self.faults.append(f"its last {missing} bytes are missing")


def _rate(stream: VideoStream) -> Fraction:
    """Frames a second as the file says, _USUAL_RATE where that is missing or out of _USUAL_RATES."""
    told = stream.average_rate or stream.guessed_rate
    return told if told and _USUAL_RATES[0] <= told <= _USUAL_RATES[1] else _USUAL_RATE


def _stated_s(container: InputContainer, stream: VideoStream) -> float:
    """Duration of the pictures in seconds as the file says, 0 where it does not."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return 0.0 if container.streams.audio else (container.duration or 0) / av.time_base  # else it may be the sound's


def _decode(packet: Packet) -> tuple[list[VideoFrame], bool]:
    """The frames that a packet completes, and whether neither they nor the packet are damaged."""
    try:
        frames = [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except EOFError:
        return [], True
    except av.FFmpegError:
        return [], False
    return frames, not packet.is_corrupt and not any(frame.is_corrupt for frame in frames)


class _Converter:
    """Makes upright RGB frames with square pixels of what FFmpeg decodes."""

    def __init__(self, aspect: Fraction | None) -> None:
        """`aspect`: width of a pixel over its height, None where the file does not say."""
        self._aspect, self._reformatter = aspect, VideoReformatter()
        self._matrices: dict[int, Matrix] = {}
        """By rotation in degrees: to read the side data of a frame keeps the frame in memory."""

    def __call__(self, frame: VideoFrame) -> Decoded:
        rotation = _rotation_deg(frame)
        if rotation not in self._matrices:
            self._matrices[rotation] = _display_matrix(frame)
        image = upright(self._rgb(frame), self._matrices[rotation])
        ticks, unit = frame.pts if frame.pts is not None else frame.dts, frame.time_base
        at = None if ticks is None or unit is None else ticks * unit
        return Decoded(image, at, frame.duration * unit if frame.duration > 0 and unit else None)

    def _rgb(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 with square pixels; transparent frames stand on white, as transparent pictures do."""
        clear = any(component.is_alpha for component in frame.format.components)
        width, height = natural_size(frame.width, frame.height, self._aspect)
        hd = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_HEIGHT
        shown = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgba" if clear else "rgb24",
            src_colorspace=Colorspace.ITU709 if hd else None,
            threads=1,
        ).to_ndarray()
        rgb = _on_white(shown) if clear else np.asarray(shown, np.uint8)
        return to_standard_range(rgb, frame.color_trc)


def _on_white(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of (H, W, 4) uint8 RGBA over white."""
    cover = rgba[..., 3:].astype(np.uint16)
    return np.asarray((rgba[..., :3] * cover + 255 * (255 - cover) + 127) // 255, np.uint8)


def _rotation_deg(frame: VideoFrame) -> int:
    """Rotation by which a frame is to be shown, as FFmpeg tells it."""
    try:
        return frame.rotation
    except ValueError:  # a display matrix that is none
        return 0


def _display_matrix(frame: VideoFrame) -> Matrix:
    """How a frame is to be rotated and mirrored for showing."""
    try:
        data = cast(Buffer | None, frame.side_data.get("DISPLAYMATRIX"))
    except ValueError:  # PyAV does not know every kind of side data, but every rotation
        quarters = round(_rotation_deg(frame) / 90) % 4
        return ((1, 0, 0, 0, 1), (0, -1, 0, 1, 0), (-1, 0, 0, 0, -1), (0, 1, 0, -1, 0))[quarters]
    return tuple(np.frombuffer(bytes(data), np.int32).tolist()) if data is not None else (1, 0, 0, 0, 1)
