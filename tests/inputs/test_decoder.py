import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.inputs import decoder
from facial_keypoints.inputs.decoder import Decoder
from facial_keypoints.inputs.pictures import MEMORY_LIMIT, read_picture
from facial_keypoints.inputs.source import Source
from facial_keypoints.prediction.batch import each
from tests.inputs.test_kinds import encoded

STILL = encoded("PNG")


@pytest.fixture
def reader():
    with Decoder() as reader:
        yield reader


def test_pictures_come_as_they_are_read_here(reader, tmp_path):
    pages = encoded("TIFF", frames=3)
    (tmp_path / "caf\udce9.tif").write_bytes(pages)
    for page in range(3):
        expected = read_picture(pages, page)
        np.testing.assert_array_equal(reader.read(pages, page), expected)
        np.testing.assert_array_equal(reader.read(tmp_path / "caf\udce9.tif", page), expected)


def test_what_is_wrong_is_told_as_here_and_the_next_is_read(reader, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"hello")
    for given in (tmp_path / "a.jpg", tmp_path / "none", b"", STILL[:50]):
        with pytest.raises(DataError) as here:
            read_picture(given)
        with pytest.raises(DataError) as there:
            reader.read(given)
        assert str(there.value) == str(here.value)
    assert reader.read(STILL).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (signal.SIGSEGV, r"is damaged \(its decoder failed with status -11\)"),
        (signal.SIGXCPU, "takes more than 60 s of processor time"),
        (signal.SIGKILL, "takes more memory to read than there is"),
    ],
)
def test_a_picture_that_ends_its_decoder_takes_no_other_along(reader, monkeypatch, end, told):
    ended = (
        "import os, facial_keypoints.inputs.decoder as own;"
        f"own.read_picture = lambda *_: os.kill(os.getpid(), {int(end)}); serve()"
    )
    with monkeypatch.context() as patched:
        patched.setattr(decoder, "_CODE", decoder._CODE.replace("serve()", ended))
        with pytest.raises(DataError, match=f"the picture {told}"):
            reader.read(STILL)
    assert reader.read(STILL).shape == (8, 8, 3)


def test_a_decoder_that_was_ended_between_pictures_is_started_anew(reader):
    for _ in range(3):
        assert reader.read(STILL).shape == (8, 8, 3)
        os.kill(reader._process.pid, signal.SIGKILL)
        reader._process.wait()


def test_time_and_memory_are_limited_while_a_picture_is_read(reader):
    reader.read(STILL)
    limits = Path(f"/proc/{reader._process.pid}/limits").read_text().splitlines()
    soft = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert 60 <= int(soft["Max cpu time"]) <= 65
    assert int(soft["Max address space"]) == MEMORY_LIMIT + 2**29
    assert soft["Max core file size"] == "0"


@pytest.mark.slow
def test_a_picture_that_wants_more_memory_than_the_limit_is_told(monkeypatch, tmp_path):
    """A PNG of 90 million pixels in 90 KB, where 300 MB are the limit of the process."""
    from PIL import Image

    Image.new("L", (9000, 10_000)).save(tmp_path / "a.png", compress_level=9)
    script = decoder._CODE.replace(
        "serve()",
        "import facial_keypoints.inputs.decoder as own; own.MEMORY_LIMIT = 2**28; own._OWN_BYTES = 2**27; serve()",
    )
    monkeypatch.setattr(decoder, "_CODE", script)
    with Decoder() as reader, pytest.raises(DataError, match=r"a.png takes more than \d+ MB of memory to read"):
        reader.read(tmp_path / "a.png")


def test_leaving_ends_what_is_being_read(tmp_path):
    """A picture that would take long is left at once."""
    with Decoder() as reader:
        reader.read(STILL)
        process = reader._process
        process.stdin.write(b'{"path": null, "bytes": 1000000000, "page": 0}\n')
        process.stdin.flush()
        started = time.monotonic()
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - started < 30


def test_who_comes_to_read_after_the_end_starts_no_process():
    """As a thread may that was to read ahead when the work was interrupted."""
    with Decoder() as reader:
        pass
    with pytest.raises(DataError, match="has ended"):
        reader.read(STILL)
    assert reader._process is None


def test_no_process_is_started_where_nothing_is_read():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with Decoder():
        pass
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime == before


def test_an_interruption_does_not_wait_for_what_is_read_ahead(monkeypatch, tmp_path):
    """The second picture would be read for ever."""
    patched = (
        "import time, facial_keypoints.inputs.decoder as own; read = own.read_picture; "
        "own.read_picture = lambda source, page: time.sleep(10**6) if page else read(source); serve()"
    )
    monkeypatch.setattr(decoder, "_CODE", decoder._CODE.replace("serve()", patched))
    (tmp_path / "a.tif").write_bytes(encoded("TIFF", frames=2))
    sources = [Source(tmp_path / "a.tif", f"a{page}", page) for page in (0, 1)]

    def interrupt(source: Source, picture: np.ndarray) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each(sources, label="look", on_picture=interrupt, on_video=lambda _: 0)
