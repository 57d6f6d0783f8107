"""Open video files so that nothing but their own bytes is read, whatever they are called and refer to."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import Flags, InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable
from facial_keypoints.inputs.pictures import FRAME_PIXEL_LIMIT

# Containers that hold their own pictures. FFmpeg knows others that only name files or addresses (concat, hls, dash,
# image2, sdp) or that start devices.
_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,dv,mxf,gxf,rm,nut,nsv,nuv,wtv,pva,dhav,flic,swf,"
    "yuv4mpegpipe,ivf,obu,h261,h263,h264,hevc,vvc,m4v,av1,vc1,dirac,cavsvideo,mjpeg"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "", "max_pixels": str(FRAME_PIXEL_LIMIT)}
_READ_AT_ONCE = 2**18
_GIVE_UP_AFTER = 10
"""Failed readings in a row after which nothing more is expected of a file."""


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The container of a local file. Raises DataError for a file that is no video."""
    with _open(path) as file:
        try:
            container = _container(file)
        except (av.FFmpegError, OSError, ValueError):
            raise no_video(path) from None
        with container:
            yield container


def no_video(path: Path) -> DataError:
    """The error for a file in which no video can be decoded."""
    return DataError(
        f"{printable(str(path))} holds no video that can be decoded here; where it may be "
        "incomplete, copy it anew, else convert it with another program"
    )


def _open(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a device or pipe may never end
            raise DataError(f"{printable(str(path))} is no file; give a video file")
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise DataError(f"{printable(str(path))} is not here; correct the path") from None
    except OSError as error:
        raise DataError(
            f"{printable(str(path))} cannot be read ({error.strerror}); correct the path or its permissions"
        ) from None


class _Nameless:
    """The methods of a file that FFmpeg needs, without a name that it might take for an address or a format."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _container(file: BinaryIO) -> InputContainer:
    container = av.open(
        _Nameless(file),
        "r",
        options=_OPTIONS,
        metadata_errors="replace",
        buffer_size=_READ_AT_ONCE,
        io_open=_refuse,
    )
    container.flags &= ~cast(
        int, Flags.gen_pts.value
    )  # which guesses wrongly where frames are stored out of order, as in AVI
    return container


def _refuse(*_: Any) -> None:
    raise PermissionError("a video file reads no other file")


def missing_bytes(path: Path) -> int:
    """How many bytes a Matroska or WebM file lacks by its own header, 0 for others: FFmpeg says nothing of it.

    See RFC 8794 and RFC 9559.
    """
    with _open(path) as file:
        head = file.read(4096)
    at, size = 0, 0
    for name in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"):  # EBML, Segment
        at += size
        if head[at : at + 4] != name or at + 5 > len(head) or not head[at + 4]:
            return 0
        length = 9 - head[at + 4].bit_length()
        size = int.from_bytes(head[at + 4 : at + 4 + length], "big") & (1 << 7 * length) - 1
        unknown = size == (1 << 7 * length) - 1
        at += 4 + length
    return 0 if unknown else max(0, at + size - path.stat().st_size)


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The best stream of moving pictures. Raises DataError where there is none or its frames are too large."""
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    moving = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if not moving:
        if streams:
            raise DataError(f"{printable(str(path))} is sound with a cover picture, no video; give a video")
        if container.streams.audio:
            raise DataError(f"{printable(str(path))} is sound alone, no video; give a video")
        raise no_video(path)
    best = container.streams.best("video")
    stream = best if best in moving and isinstance(best, VideoStream) else moving[0]
    if stream.width * stream.height > FRAME_PIXEL_LIMIT:
        raise DataError(
            f"{printable(str(path))} has frames of {stream.width} x {stream.height} pixels; make them smaller"
        )
    return stream


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The best stream of sound; None where none can be decoded."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    best = container.streams.best("audio")
    return best if best in streams and isinstance(best, AudioStream) else next(iter(streams), None)


def starts_at(stream: VideoStream | AudioStream | None) -> Fraction | None:
    """Start of a stream in seconds on the clock of the file; None where the file does not say."""
    if stream is None or stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base


def _discard_others(container: InputContainer, chosen: Any) -> None:
    """Have FFmpeg pass over the packets of all streams but the chosen one."""
    for stream in container.streams:
        stream.discard = Discard.default if stream is chosen else Discard.all


def packets(container: InputContainer, stream: VideoStream | AudioStream, faults: list[str]) -> Iterator[Packet]:
    """All packets of a stream that can be read, then an empty one, which makes decoders give what they hold back.

    What went wrong is added to `faults`.
    """
    _discard_others(container, stream)
    failed = 0
    while failed < _GIVE_UP_AFTER:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    failed = 0
                    yield packet
            break
        except (av.FFmpegError, OSError) as error:
            failed += 1
            reason = error.strerror or str(error)
    if failed:
        faults.append(f"reading ends early: {reason}")
    end: Packet = Packet()
    end.stream, end.time_base = stream, stream.time_base or Fraction(1)
    yield end
