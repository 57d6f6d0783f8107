import errno

import pytest

from facial_keypoints.core.atomic_files import whole


def write_half(place):
    with whole(place) as partial:
        partial.write_text("half")
        raise ZeroDivisionError


def test_what_goes_wrong_leaves_what_was_there(tmp_path):
    place = tmp_path / "table.csv"
    place.write_text("before")
    with pytest.raises(ZeroDivisionError):
        write_half(place)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert place.read_text() == "before"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), OSError("7 requested and 3 written")])
def test_a_full_disk_is_told_with_the_file(tmp_path, error):
    with pytest.raises(OSError, match=r"array\.npy") as told, whole(tmp_path / "array.npy"):
        raise error
    assert told.value.errno == errno.ENOSPC


def test_other_failures_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(ConnectionError, match="no answer"), whole(tmp_path / "frames.zip"):
        raise ConnectionError("no answer")
