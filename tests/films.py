"""Video files made to measure: of any times, kinds and faults."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.codec.context import Flags

from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.video.reading import FrameReader, Video, open_video
from facial_keypoints.video.writing import frame_writer
from tests.discs import draw_discs

FPS = 24


def disc_at(frame: int) -> tuple[float, float, float]:
    return 60.0 + 3 * frame, 100.0, 20.0


def discs_moving(frames: int = 20, size: tuple[int, int] = (240, 320)) -> list[np.ndarray]:
    return [draw_discs([disc_at(frame)], size) for frame in range(frames)]


def evenly(frames: int, fps: float = FPS) -> list[float]:
    return [frame / fps for frame in range(frames)]


def write_film(
    path: Path,
    images: Sequence[np.ndarray] | None = None,
    times: Iterable[float] | None = None,
    *,
    form: str | None = None,
    codec: str = "mpeg4",
    unit: Fraction = Fraction(1, 12_000),
    rate: int = FPS,
    pixels: str = "yuv420p",
    aspect: Fraction | None = None,
    turned: tuple[int, bool, bool] | None = None,
    lasts: float | None = None,
    muxer: dict[str, str] | None = None,
    coder: dict[str, str] | None = None,
    sound: np.ndarray | None = None,
    sound_codec: str = "aac",
    sound_start: float = 0.0,
    sound_rate: int = 44_100,
    metadata: dict[str, str] | None = None,
) -> None:
    """Frames at given seconds; `turned`: degrees, mirrored left to right, top to bottom; `sound`: (S,) -1 to 1."""
    images = discs_moving() if images is None else images
    times = list(times) if times is not None else evenly(len(images), rate)
    with (
        path.open("w+b") as file,
        av.open(file, "w", format=form or path.suffix[1:], container_options=muxer or {}) as output,
    ):
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=rate, time_base=unit, options=coder or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = images[0].shape[:2]
        stream.codec_context.flags |= Flags.frame_duration
        stream.pix_fmt, stream.codec_context.bit_rate = pixels, 4_000_000
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if turned:
            stream.set_display_rotation(*turned)
        heard = output.add_stream(sound_codec, rate=sound_rate, layout="mono") if sound is not None else None
        for number, (image, second) in enumerate(zip(images, times, strict=True)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = round(second / unit), unit
            after = times[number + 1] - second if number + 1 < len(times) else lasts or 1 / rate
            frame.duration = round(after / unit)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if heard is not None and sound is not None:
            _add_sound(output, heard, sound, sound_start)


def _add_sound(output, stream, sound: np.ndarray, start: float) -> None:
    at = round(start * stream.sample_rate)
    for first in range(0, len(sound), 1024):
        samples = sound[first : first + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = stream.sample_rate, at + first, Fraction(1, stream.sample_rate)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def tone(seconds: float, hz: float = 440.0, rate: int = 44_100) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def forget_times(path: Path) -> None:
    """Make a WebM as browsers record it: DefaultDuration and Duration become Void, see the Matroska specification."""
    content = bytearray(path.read_bytes())
    for name in (b"\x23\xe3\x83", b"\x44\x89"):
        at = content.find(name)
        while at >= 0 and at < 4000:
            length = content[at + len(name)] & 0x7F
            content[at : at + len(name) + 1] = b"\xec" + bytes([0x80 | (length + len(name) - 1)]) + bytes(len(name) - 1)
            at = content.find(name, at + 1)
    path.write_bytes(content)


def break_off(path: Path) -> None:
    """Make a video end within what it holds, though it says that it goes on."""
    content = bytearray(path.read_bytes())
    lost = slice(len(content) // 3, len(content) * 9 // 10)
    content[lost] = bytes(lost.stop - lost.start)
    path.write_bytes(content)


def heard(path: Path) -> tuple[np.ndarray, float, str]:
    """(S,) samples at 48 kHz, the second of the first, and the codec."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler, start = av.AudioResampler("fltp", "mono", 48_000), 0.0
        parts: list[np.ndarray] = []
        for frame in container.decode(stream):
            start = start if parts else frame.time or 0.0
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
        return np.concatenate(parts), start, stream.codec_context.codec.canonical_name


def copy(path: Path, video: Video, container: Literal["mp4", "webm"]) -> Path:
    """The video written anew, nothing added."""
    target = OutputFolder(path.parent / "copy").target(path.name, path)
    with frame_writer(target, video, container) as write:
        for frame in FrameReader(video):
            write(frame)
    return path.parent / "copy" / f"{path.name}.{container}"


def times(path: Path) -> list[float]:
    return [frame.time_s for frame in FrameReader(open_video(path))]
