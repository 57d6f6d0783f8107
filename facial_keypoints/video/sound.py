"""The sound of a video for the one that is made of it: copied where browsers play it as it is, else encoded anew."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, cast

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from facial_keypoints.video.container import packets, sound_stream
from facial_keypoints.video.times import Clock

Container = Literal["mp4", "webm"]
Way = Literal["copied", "encoded"]
TimedPackets = Iterator[tuple[float, Packet]]
"""Packets to put into a file, each with its time in seconds."""

_PLAYED = {"mp4": ("aac", "mp3"), "webm": ("opus", "vorbis")}
"""Codecs that browsers play out of a container."""
_WITH_HEADER = ("aac", "vorbis")
"""Codecs that need a header before the first packet, which not every container has."""
_ENCODERS = {"mp4": ("aac", 192_000), "webm": ("libopus", 128_000)}
_RATE_HZ = 48_000
_LEAST_MP3_HZ = 16_000
"""MP4 takes no less, see ISO/IEC 14496-3."""
_USUAL_S = 0.02
_APART_S = 0.1
"""Seconds by which sound may come early or late before a part is left out or silence is put in."""
_SILENCE_S = 12 * 3600.0
"""Most seconds of silence put in: times that ask for more are a mistake of the file, or mean harm."""


def add_sound(
    output: OutputContainer, source: InputContainer, kind: Container, way: Way, start: Fraction, faults: list[str]
) -> TimedPackets:
    """Add a stream for the best sound of `source` to `output`; returns its packets, made while they are taken.

    `start`, in seconds on the clock of `source`, becomes 0 s; what is wrong with the sound is added to `faults`. Raises
    ValueError or av.FFmpegError where `output` cannot take the sound in this way.
    """
    stream = sound_stream(source)
    if stream is None:
        raise ValueError("it has no sound that can be decoded")
    clock = Clock(start, _USUAL_S)
    if way == "encoded":
        return _encoded(source, stream, _encoder(output, stream, kind), clock, faults)
    if not _is_played(stream, kind):
        raise ValueError("no browser plays it in this container")
    return _copied(source, stream, output.add_stream_from_template(stream), clock, faults)


def _is_played(stream: AudioStream, kind: Container) -> bool:
    name = stream.codec_context.codec.canonical_name
    if name in _WITH_HEADER and not stream.codec_context.extradata:
        return False
    return name in _PLAYED[kind] and (name != "mp3" or stream.codec_context.sample_rate >= _LEAST_MP3_HZ)


def _copied(
    source: InputContainer, stream: AudioStream, new: AudioStream, clock: Clock, faults: list[str]
) -> TimedPackets:
    last: int | None = None
    for packet in packets(source, stream, faults):
        if not packet.size:
            return
        second = clock(_time(packet))
        ticks = round(second / packet.time_base)
        packet.pts = packet.dts = last = ticks if last is None else max(ticks, last + 1)
        packet.stream = new
        yield second, packet


def _time(part: Packet | AudioFrame) -> Fraction | None:
    ticks = part.pts if part.pts is not None else part.dts
    return None if ticks is None or part.time_base is None else ticks * part.time_base


def _encoder(output: OutputContainer, stream: AudioStream, kind: Container) -> AudioStream:
    name, bits = _ENCODERS[kind]
    channels = 1 if stream.codec_context.channels == 1 else 2
    encoder = output.add_stream(name, rate=_RATE_HZ, layout="mono" if channels == 1 else "stereo", bit_rate=bits)
    return cast(AudioStream, encoder)


def _encoded(
    source: InputContainer, stream: AudioStream, encoder: AudioStream, clock: Clock, faults: list[str]
) -> TimedPackets:
    done = 0
    for frame in _evenly(_decoded(source, stream, faults), encoder, clock, faults):
        frame.pts, frame.time_base = done, Fraction(1, _RATE_HZ)
        done += frame.samples
        for packet in encoder.encode(frame):
            yield done / _RATE_HZ, packet
    for packet in encoder.encode(None):
        yield done / _RATE_HZ, packet


def _decoded(source: InputContainer, stream: AudioStream, faults: list[str]) -> Iterator[AudioFrame]:
    damaged = 0
    for packet in packets(source, stream, faults):
        try:
            yield from cast(list[AudioFrame], packet.decode())
        except EOFError:
            break
        except av.FFmpegError:
            damaged += 1
    if damaged:
        faults.append(f"{damaged} of its parts cannot be decoded")


def _evenly(
    frames: Iterator[AudioFrame], encoder: AudioStream, clock: Clock, faults: list[str]
) -> Iterator[AudioFrame]:
    """Frames as the encoder takes them, without overlap or gap, which players pass over: silence instead."""
    resampler = _Resampler(encoder)
    at_s = silent_s = 0.0
    for frame in frames:
        gap_s = clock(_time(frame)) - at_s
        if gap_s < -_APART_S:
            continue
        if gap_s > _APART_S:
            silent_s += gap_s
            if silent_s > _SILENCE_S:
                faults.append("its times leap")
                break
            yield from _silence(encoder, gap_s)
            at_s += gap_s
        yield from resampler(frame)
        at_s += frame.samples / frame.sample_rate
    yield from resampler(None)


class _Resampler:
    """Converts frames of sound, whose format may change on the way, to the format of an encoder."""

    def __init__(self, encoder: AudioStream) -> None:
        self._encoder, self._resampler, self._kind = encoder, self._new(encoder), ""

    @staticmethod
    def _new(encoder: AudioStream) -> AudioResampler:
        return AudioResampler(encoder.format, encoder.layout, _RATE_HZ)

    def __call__(self, frame: AudioFrame | None) -> list[AudioFrame]:
        rest: list[AudioFrame] = []
        if frame is not None:
            kind = f"{frame.format.name} {frame.layout.name} {frame.sample_rate}"
            if self._kind not in ("", kind):
                rest = self._resampler.resample(None)
                self._resampler = self._new(self._encoder)
            self._kind = kind
        return rest + self._resampler.resample(frame)


def _silence(encoder: AudioStream, seconds: float) -> Iterator[AudioFrame]:
    left = round(seconds * _RATE_HZ)
    while left > 0:
        samples = min(left, _RATE_HZ)
        frame = AudioFrame(encoder.format, encoder.layout, samples)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = _RATE_HZ
        yield frame
        left -= samples
