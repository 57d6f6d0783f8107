"""Encode pictures and sound into one file that browsers play."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from facial_keypoints.video.container import opened
from facial_keypoints.video.reading import Frame, Video
from facial_keypoints.video.sound import Container, TimedPackets, Way, add_sound

_ENCODERS: dict[Container, tuple[str, Fraction, dict[str, str]]] = {
    "mp4": ("libx264", Fraction(1, 90_000), {"preset": "veryfast", "crf": "20"}),
    "webm": (
        "libvpx-vp9",
        Fraction(1, 1000),
        {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "28", "b": "0"},
    ),
}
"""Encoder, unit of time in seconds, options; speeds: python -m benchmarks.video_files."""
_MUXER = {"mp4": {"movflags": "+faststart"}, "webm": {}}
"""Faststart: what players need comes first, so that they begin before all is loaded."""
_REPEATABLE = {"fflags": "+bitexact"}
_WRITTEN_AT_ONCE = 2**18


class Sink:
    """A file for FFmpeg to write to; it keeps the error of the system, which FFmpeg does not tell.

    After an error it returns a negative number, as the files of FFmpeg do, which looks at exceptions too late.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        return self._tried(self._file.write, data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._tried(self._file.seek, offset, whence)

    def tell(self) -> int:
        return self._tried(self._file.tell)

    def _tried(self, work: Callable[..., int], *arguments: Any) -> int:
        if self.error is None:
            try:
                return work(*arguments)
            except OSError as error:
                self.error = error
        return -(self.error.errno or errno.EIO)

    def read_again(self, *_: Any) -> BinaryIO:
        """What is written so far, opened for reading: FFmpeg moves it on to make room at the front (faststart)."""
        self._tried(lambda: self._file.flush() or 0)
        return self._path.open("rb")

    def restart(self) -> None:
        """Forget what was written."""
        self._file.seek(0)
        self._file.truncate()


class Encoding:
    """A file that takes frames one after another, and the sound along with them."""

    def __init__(self, output: OutputContainer, stream: VideoStream, sound: TimedPackets, faults: list[str]) -> None:
        self._output, self._stream, self._sound, self._faults = output, stream, sound, faults
        self._waiting: tuple[float, Packet] | None = None
        self._reformatter = VideoReformatter()
        self._ticks = -1
        self.count = 0

    def add(self, frame: Frame) -> None:
        """Encode the next frame. Raises av.FFmpegError."""
        self.count += 1
        for packet in self._stream.encode(self._coded(frame)):
            self._put(packet)

    def finish(self) -> None:
        """Write what encoders hold back and the rest of the sound, and close the file. Raises av.FFmpegError."""
        for packet in self._stream.encode(None):
            self._put(packet)
        self._sound_until(float("inf"))
        self._output.close()

    def give_up(self) -> None:
        """Close a file that will not be used."""
        with suppress(av.FFmpegError, ValueError, OSError):
            self._output.close()

    def _coded(self, frame: Frame) -> VideoFrame:
        """A frame in the colours of browsers (BT.709); an odd side gains a repeated pixel."""
        height, width = frame.image.shape[:2]
        even = cv2.copyMakeBorder(frame.image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        coded = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.asarray(even, np.uint8), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        unit = self._stream.codec_context.time_base
        self._ticks = max(self._ticks + 1, round(frame.time_s / unit))  # at most one a tick
        coded.time_base, coded.pts = unit, self._ticks
        coded.duration = max(1, round(frame.lasts_s / unit))
        return coded

    def _put(self, packet: Packet) -> None:
        """Add pictures, after the sound that is due before them."""
        if packet.dts is not None:
            self._sound_until(float(packet.dts * packet.time_base))
        self._output.mux(packet)

    def _sound_until(self, second: float) -> None:
        while (due := self._waiting or self._next_sound()) and due[0] <= second:
            self._output.mux(due[1])
            self._waiting = None
        self._waiting = due

    def _next_sound(self) -> tuple[float, Packet] | None:
        try:
            return next(self._sound, None)
        except (av.FFmpegError, ValueError) as error:
            self._faults.append(str(error))
            return None


@contextmanager
def encoding(sink: Sink, video: Video, kind: Container, faults: list[str]) -> Iterator[Encoding]:
    """Begin a file with the sound of `video`, copied or encoded; what is wrong with the sound is added to `faults`."""
    with ExitStack() as files:
        source = files.enter_context(opened(video.path)) if video.has_sound else None
        begun = _begun(sink, video, kind, source, faults)
        try:
            yield begun
        except BaseException:
            begun.give_up()
            raise


def _begun(sink: Sink, video: Video, kind: Container, source: InputContainer | None, faults: list[str]) -> Encoding:
    ways: tuple[Way, ...] = ("copied", "encoded")
    for way in ways if source else ():
        output, stream = _output(sink, video, kind)
        try:
            sound = add_sound(output, cast(InputContainer, source), kind, way, video.start, faults)
            output.start_encoding()
            return Encoding(output, stream, sound, faults)
        except (av.FFmpegError, ValueError) as error:
            reason = str(error)
            sink.restart()
    if source:
        faults.append(reason)
    output, stream = _output(sink, video, kind)
    output.start_encoding()
    return Encoding(output, stream, iter(()), faults)


def _output(sink: Sink, video: Video, kind: Container) -> tuple[OutputContainer, VideoStream]:
    """A file with its stream of pictures, to which a stream of sound may still be added."""
    output = av.open(
        sink,
        "w",
        format=kind,
        container_options=_MUXER[kind] | _REPEATABLE,
        buffer_size=_WRITTEN_AT_ONCE,
        io_open=sink.read_again,
    )
    codec, unit, options = _ENCODERS[kind]
    stream = output.add_stream(codec, rate=video.usual_rate, options=dict(options), time_base=unit)
    assert isinstance(stream, VideoStream)
    _set_up(stream.codec_context, video)
    return output, stream


def _set_up(context: VideoCodecContext, video: Video) -> None:
    context.width, context.height = video.width + video.width % 2, video.height + video.height % 2
    context.pix_fmt = "yuv420p"
    context.thread_type = "AUTO"
    context.flags |= Flags.frame_duration  # or the last frame lasts as long as most do
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
