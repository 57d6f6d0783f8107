"""Write frames as a video, with the times and the sound of the video that they come from."""

import errno
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import av

from facial_keypoints.core.errors import DataError
from facial_keypoints.outputs.output_folder import Target
from facial_keypoints.video.container import opened, packets
from facial_keypoints.video.encoding import Encoding, Sink, encoding
from facial_keypoints.video.reading import Frame, Video
from facial_keypoints.video.sound import Container


class FrameWriter:
    """Takes the frames of a video one after another; made by `frame_writer`."""

    def __init__(self, file: Encoding, encoder: Executor, sound_faults: list[str]) -> None:
        self._file, self._encoder = file, encoder
        self._last: Future[None] | None = None
        self.sound_faults = sound_faults
        """What was wrong with the sound, once all is written; the pictures do not suffer from it."""

    def __call__(self, frame: Frame) -> None:
        """Add a frame, later than the one before; another thread encodes it while the caller makes the next one."""
        self._wait()
        self._last = self._encoder.submit(self._file.add, frame)

    def finish(self) -> None:
        """Write what is still to be encoded, in the other thread too, since FFmpeg passes no interruption on."""
        self._wait()
        self._encoder.submit(self._file.finish).result()

    def _wait(self) -> None:
        """Raises what went wrong with the last frame."""
        if self._last:
            self._last.result()


@contextmanager
def frame_writer(target: Target, video: Video, container: Container | None = None) -> Iterator[FrameWriter]:
    """Write frames of the size of `video` to the target's .mp4 or .webm, with its sound; an odd side gains a pixel.

    No metadata goes over, such as place and camera. The file is whole at the end or not there. Raises OSError where the
    disk does not take it, DataError where it cannot be encoded.
    """
    kind = container or "mp4"
    path = target.folder.path / f"{target.name}.{kind}"
    with target.writing(f".{kind}") as partial:
        with partial.open("w+b") as file:
            sink = Sink(file, partial)
            faults: list[str] = []
            try:
                # In this order: the encoder's thread must have come to rest before its file is closed.
                with encoding(sink, video, kind, faults) as begun, ThreadPoolExecutor(1) as encoder:
                    write = FrameWriter(begun, encoder, faults)
                    yield write
                    write.finish()
            except (av.FFmpegError, OSError) as error:
                if sink.error:
                    raise OSError(sink.error.errno, sink.error.strerror, str(path)) from None
                if isinstance(error, av.FFmpegError):
                    raise _unencodable(path, video, error) from None
                raise
        _check(partial, path, begun.count)


def _unencodable(path: Path, video: Video, error: av.FFmpegError) -> DataError:
    return DataError(
        f"{path} cannot be encoded with frames of {video.width} x {video.height} pixels ({error.strerror}); "
        "make them smaller, or choose another container with --video"
    )


def _check(partial: Path, path: Path, count: int) -> None:
    """Raises OSError where a file does not hold the frames that were written to it."""
    faults: list[str] = []
    arrived = 0
    with suppress(DataError), opened(partial) as container:
        arrived = sum(packet.size > 0 for packet in packets(container, container.streams.video[0], faults))
    if faults or arrived != count:
        raise OSError(errno.EIO, f"of {count} frames that were written {arrived} can be read again", str(path))
