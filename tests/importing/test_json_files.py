import json
from pathlib import Path

import pytest

from facial_keypoints.core.errors import DataError
from pipeline.datasets.formats import json_files
from pipeline.datasets.formats.json_files import elements

CONTENT = {"first": [1, [2], {"a": "]"}], "n": 12.5, "deep": {"wanted": [0]}, "wanted": [{"x": 'é"\\'}, -13, [], None]}


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_elements_are_those_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, indent: int | None
) -> None:
    monkeypatch.setattr(json_files, "_BLOCK", block)
    (tmp_path / "a.json").write_text(json.dumps(CONTENT, indent=indent, ensure_ascii=False))
    for key in ("first", "wanted"):
        assert [*elements(tmp_path / "a.json", key)] == CONTENT[key]
    assert [*elements(tmp_path / "a.json", "none")] == []
    (tmp_path / "a.json").write_text(f"  {json.dumps(CONTENT['wanted'], indent=indent)} ")
    assert [*elements(tmp_path / "a.json")] == CONTENT["wanted"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_file_may_be_any_unicode(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_text('["顔"]', encoding=encoding)
    assert [*elements(tmp_path / "a.json")] == ["顔"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"[1", b"[1,]", b"[1 2]", b"{}", b"3", b"\xff\xfe\xff", b'["\xff"]', b"[" * 100_000],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json is no JSON with a list there \(.*\); write it again"):
        [*elements(tmp_path / "a.json")]


@pytest.mark.parametrize("content", ["[]", "{", '{"a"}', '{"a": 1', '{"key": {}}', '{"a": 1 "key": []}', '{"a": [1'])
def test_what_is_no_object_with_a_list_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match="is no JSON with a list there"):
        [*elements(tmp_path / "a.json", "key")]


def test_only_what_is_being_read_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "_BLOCK", 100)
    (tmp_path / "a.json").write_text(json.dumps({"key": [[number] * 5 for number in range(1000)]}))
    held: list[int] = []
    read_on = json_files._Text._read_on

    def counted(text: json_files._Text) -> bool:
        more = read_on(text)
        held.append(len(text._text))
        return more

    monkeypatch.setattr(json_files._Text, "_read_on", counted)
    assert len([*elements(tmp_path / "a.json", "key")]) == 1000
    assert len(held) > 100
    assert max(held) < 250
