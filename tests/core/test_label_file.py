from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from pipeline.core import label_file
from pipeline.core.label_file import LabelFile
from pipeline.core.labels import read_label_table


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_found_by_name_as_the_whole_table_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(label_file, "_AT_ONCE", 2)
    lines = [",0,1,2,3,v0,v1", "dé.jpg,1,2,3,4,2,1", '"a, b.jpg",5,6,,,1,0', "c.jpg,7,8,9,10.5,2,2"]
    path = tmp_path / "labels.csv"
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    table = read_label_table(path, 2)
    assert table.names == ["dé.jpg", "a, b.jpg", "c.jpg"]
    found, keypoints, hidden = LabelFile(path, 2).rows(["c.jpg", "a longer name.jpg", "dé.jpg", "a, b.jpg", "c.jpg"])
    assert found.tolist() == [True, False, True, True, True]
    rows = [2, 0, 1, 2]
    np.testing.assert_array_equal(keypoints[found], table.keypoints_source[rows])
    np.testing.assert_array_equal(hidden[found], table.hidden[rows])
    assert np.isnan(keypoints[1]).all()
    assert not hidden[1].any()


def test_a_table_without_rows_has_no_frame(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(",0,1\n")
    found, keypoints, _ = LabelFile(tmp_path / "labels.csv", 1).rows(["a.jpg"])
    assert not found.any()
    assert keypoints.shape == (1, 1, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["b,1,2", "a,1,2", "c,1,2", "a,3,4"], "line 5: a stands on line 3 already"),
        (["b,1,2", "a,1,x"], "line 3, a: column 1 holds 'x'"),
        (["b" * 300 + ",1,2"], "is longer than a file name can be"),
        (["b" * 2_000_000], "a line has more than 1,000,000 bytes"),
    ],
)
def test_every_row_is_checked_when_the_table_is_opened(tmp_path: Path, rows: list[str], message: str) -> None:
    (tmp_path / "labels.csv").write_text("\n".join([",0,1", *rows]) + "\n")
    with pytest.raises(DataError, match=message):
        LabelFile(tmp_path / "labels.csv", 1)
