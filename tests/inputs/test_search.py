import io
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from facial_keypoints.inputs.folders import Walk, matching
from facial_keypoints.inputs.search import Inputs, find_sources
from facial_keypoints.inputs.standard_input import read_standard_input
from facial_keypoints.outputs.output_folder import OutputFolder
from tests.inputs.test_kinds import encoded

JPEG = encoded("JPEG")
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def find(*given: str | Path) -> Inputs:
    return find_sources(map(str, given), OutputFolder(Path("out")))


def names(inputs: Inputs) -> list[str]:
    return [source.path.name for source in inputs.sources if source.path]


def told(inputs: Inputs) -> list[str]:
    return [str(problem) for problem in inputs.problems]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pictures_and_videos_of_a_folder_are_known_by_their_content(here):
    taken = dict.fromkeys(("a.jfif", "b.jpe", "c.jpg_large", "d", ".e", "f.txt"), JPEG)
    films = {
        "g.ts": (b"G" + bytes(187)) * 20,
        "h.flv": b"FLV\1",
        "i": b"\x1a\x45\xdf\xa3",
        "j.MTS": b"\0\0\0\1G" + bytes(187),
    }
    films["j.MTS"] = (bytes(4) + b"G" + bytes(187)) * 20
    inputs = find(fill(here / "in", taken | films))
    assert names(inputs) == sorted([*taken, *films])
    assert [source.path.name for source in inputs.sources if source.is_video] == list(films)
    assert not inputs.left_out
    assert not inputs.problems


def write_result(folder: Path, name: str, content: bytes) -> None:
    made = OutputFolder(folder).target(name, Path("me.jpg"))
    with made.writing(".jpg") as partial:
        partial.write_bytes(content)


def test_what_an_earlier_run_wrote_is_no_input_unless_its_folder_is_named(here):
    fill(here, {"me.jpg": JPEG, "drawn/own.jpg": JPEG})
    for name in ("a", "b", "c"):
        write_result(here / "drawn", name, JPEG + name.encode())
    (here / "drawn/c.jpg").write_bytes(JPEG)  # somebody's own now
    inputs = find(".")
    assert names(inputs) == ["c.jpg", "own.jpg", "me.jpg"]
    reason = "results of an earlier run (name their folder to look inside)"
    assert inputs.lines_left_out() == [f"left out, {reason}: 2 (a.jpg, b.jpg)"]
    assert names(find("drawn")) == names(find("drawn/*.jpg")) == ["a.jpg", "b.jpg", "c.jpg", "own.jpg"]
    assert names(find("drawn/a.jpg")) == ["a.jpg"]


def test_what_is_left_out_is_told_by_its_reason(here):
    files = {f"{letter}.txt": b"hello" for letter in "bcde"} | {"a.jpg": JPEG, "x.ts": b"let a = 1;\n"}
    inputs = find(fill(here / "in", files | {"1.heic": HEIC, "2.HEIC": HEIC, ".git/a.jpg": JPEG}))
    assert names(inputs) == ["a.jpg"]
    assert not inputs.problems
    assert sorted(inputs.lines_left_out()) == [
        "left out, a HEIC picture, which cannot be read here (convert it to JPEG): 2 (1.heic, 2.HEIC)",
        "left out, a hidden folder (name it to look inside): 1 (.git)",
        "left out, no picture or video: 5 (b.txt, c.txt, d.txt, ...)",
    ]
    assert inputs.undone == 2  # pictures


def test_what_promises_to_be_a_picture_and_is_none_is_told(here):
    files = {"a.jpg": b"hello", "b.png": b"", "c.mp4": b"ffconcat version 1.0\n", "d.tif": b"\x91" * 9, "e.jpeg": JPEG}
    inputs = find(fill(here / "in", files))
    assert names(inputs) == ["e.jpeg"]
    for line, (name, what) in zip(
        told(inputs),
        [
            ("a.jpg", "holds text"),
            ("b.png", "is empty"),
            ("c.mp4", "holds text"),
            ("d.tif", "holds nothing that is known"),
        ],
        strict=True,
    ):
        assert line.startswith(f"{here / 'in' / name} {what}")


def test_notes_of_systems_and_unfinished_files_are_no_matter(here):
    noise = {".DS_Store": b"\0\0\0\1Bud1", "._a.jpg": b"\0\5\x16\7" + bytes(40), f".{'0' * 16}.partial": b"half"}
    inputs = find(fill(here / "in", {"a.jpg": JPEG} | noise))
    assert (names(inputs), inputs.undone, inputs.left_out) == (["a.jpg"], 0, {})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"hello", "holds text, no picture or video that is known; give a JPEG"),
        (b"%PDF-1.4", "holds a PDF document"),
        (b"", "is empty"),
        (HEIC, "is a HEIC picture, which cannot be read here; convert it to JPEG"),
        (b"\x91\x92\x93\x94", "holds nothing that is known"),
    ],
)
def test_a_file_given_by_hand_is_told_by_what_it_holds(here, content, what):
    for name in ("file", "file.MTS"):
        (here / name).write_bytes(content)
        [line] = told(find(name))
        assert line.startswith(f"{name} {what}")


def test_a_link_is_followed_once_and_round_nowhere(here):
    fill(here / "in", {"a.jpg": JPEG, "sub/b.jpg": JPEG})
    fill(here / "elsewhere", {"c.jpg": JPEG, "deep/d.jpg": JPEG})
    for link, target in [
        ("round", "."),
        ("sub/up", ".."),
        ("sub/again", "../sub"),
        ("away", "../elsewhere"),
        ("0", "away"),
    ]:
        (here / "in" / link).symlink_to(target)
    (here / "elsewhere/back").symlink_to("../in")
    (here / "in/1.jpg").symlink_to("a.jpg")  # the same under another name
    (here / "in/2.jpg").symlink_to("../elsewhere/deep/d.jpg")
    inputs = find("in")
    assert sorted(name for name in names(inputs) if name not in ("2.jpg", "d.jpg")) == ["a.jpg", "b.jpg", "c.jpg"]
    assert len([name for name in names(inputs) if name in ("2.jpg", "d.jpg")]) >= 1
    assert inputs.undone == 0


def test_a_link_that_leads_nowhere_is_told(here):
    fill(here / "in", {"a.jpg": JPEG})
    for name in ("lost.jpg", "lost"):
        (here / "in" / name).symlink_to("nowhere")
    (here / "in/itself.png").symlink_to("itself.png")
    inputs = find("in", "in/lost.jpg")
    assert sorted(told(inputs))[:2] == [
        "in/itself.png is a link that leads nowhere; mend it",
        "in/lost.jpg cannot be read (No such file or directory); correct the path or its permissions",
    ]
    assert inputs.lines_left_out() == ["left out, a link that leads nowhere: 1 (lost)"]


@pytest.mark.parametrize("pattern", ["in/**", "in/**/*", "in/**/*.jpg", "**/*.jpg", "**/[ab].jp?", "*/**/**/*.jpg"])
def test_two_stars_over_folders_that_link_to_themselves(here, pattern):
    """Two links in each folder are two to the fortieth ways."""
    fill(here / "in", {"a.jpg": JPEG, "sub/b.jpg": JPEG})
    for link in ("in/one", "in/two", "in/sub/three"):
        (here / link).symlink_to(here / "in")
    assert sorted(names(find(pattern))) == ["a.jpg", "b.jpg"]


def test_patterns_say_which_folders(here):
    fill(here / "in", {"a.jpg": JPEG, "x/b.jpg": JPEG, "x/y/c.jpg": JPEG, ".h/d.jpg": JPEG, "x/.e.jpg": JPEG})

    def matched(pattern: str) -> list[str]:
        return sorted(path.name for path in matching(pattern, Walk()) if path.is_file())

    assert matched("in/*.jpg") == ["a.jpg"]
    assert matched("in/*/*.jpg") == ["b.jpg"]
    assert matched("in/**/*.jpg") == ["a.jpg", "b.jpg", "c.jpg"]
    assert matched("in/**/y/*.jpg") == matched("in/**/y/**") == ["c.jpg"]
    assert matched("in/x/**/.e*") == [".e.jpg"]
    assert matched("in/.h/**") == ["d.jpg"]
    assert matched("none/**/*.jpg") == matched("in/**/*.png") == []


@pytest.mark.parametrize(
    "name",
    [
        "[a].jpg",
        "a*.jpg",
        "?.jpg",
        "-x.jpg",
        "runs:.jpg",
        "**",
        "2024-05-01T12:30:00.jpg",
        "\udce9.jpg",
        "a\nb",
        "~",
        "%s",
    ],
)
def test_a_name_that_exists_is_a_name(here, name):
    fill(here, {name: JPEG, "aa.jpg": JPEG, "a.jpg": JPEG})
    [source] = find(name).sources
    assert source.path == Path(name)
    assert source.shown.isprintable()


def test_only_a_bare_dash_is_standard_input(here):
    fill(here, {"-": JPEG})
    assert [source.path for source in find("-", "./-").sources] == [None, Path("-")]


def test_a_path_is_taken_once_however_it_is_written(here):
    fill(here / "in", {"a.jpg": JPEG, "sub/b.jpg": JPEG})
    (here / "link").symlink_to("in")
    given = ["in/a.jpg", "in", "./in/a.jpg", here / "in/sub/../a.jpg", "link/a.jpg", "in/**/*.jpg", "in/sub", "-", "-"]
    assert names(find(*given)) == ["a.jpg", "b.jpg"]
    assert len(find(*given).sources) == 3


def test_paths_that_are_no_files_are_told(here):
    os.mkfifo(here / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        (here / "folder.jpg").mkdir()
        given = ["", "pipe.jpg", "socket.jpg", "/dev/zero", "none.jpg", "none/*.jpg", "n" * 300, "a/b\0c", "folder.jpg"]
        lines = told(find(*given))
    for line, what in zip(
        lines,
        [
            "an empty path",
            *["is no file"] * 3,
            *["is not here"] * 2,
            "File name too long",
            "is not here",
            "holds no picture or video",
        ],
        strict=True,
    ):
        assert what in line
        assert line.isprintable()
    assert find(".").lines_left_out() == ["left out, a pipe, socket or device: 2 (pipe.jpg, socket.jpg)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(here):
    fill(here / "in", {"a.jpg": JPEG, "b": JPEG, "c/d.jpg": JPEG})
    for name in ("a.jpg", "b", "c"):
        (here / "in" / name).chmod(0)
    assert [line.split(" ", 1)[1][:32] for line in told(find("in"))][:3] == ["cannot be read (Permission denie"] * 3


def test_the_folder_of_results_is_no_input(here):
    fill(here / "in", {"a.jpg": JPEG})
    shutil.copytree(here / "in", here / "out")
    assert names(find(".")) == ["a.jpg"]
    assert told(find("out")) == ["out is where results go; choose another --output"]
    for pattern in ("*", "*/*", "*/*.jpg", "**/*.jpg", str(here / "*/*.jpg"), "in/../*/a.jpg"):
        assert names(find(pattern)) == ["a.jpg"]
        assert not told(find(pattern))
    for pattern in ("out/*", "out/**/*.jpg", "o*"):
        assert told(find(pattern)) == [f"{pattern} matches nothing but results; choose another --output"]
    assert names(find("out/a.jpg")) == ["a.jpg"]  # named by itself


def test_every_page_is_a_source_with_a_name_of_its_own(here):
    fill(here, {"scan.tif": encoded("TIFF", frames=3), "scan-page2.jpg": JPEG, "scan.jpg": JPEG})
    sources = find("scan.tif", "scan-page2.jpg", "scan.jpg").sources
    assert [(source.name, source.page) for source in sources] == [
        *(("scan-page1", 0), ("scan-page2", 1), ("scan-page3", 2)),
        *(("scan-page2-2", None), ("scan", None)),
    ]
    assert sources[1].shown == "scan.tif page 2"
    assert not any(source.is_video for source in sources)


def test_names_that_were_taken_are_told(here):
    fill(here, {"a/1.jpg": JPEG, "b/1.jpg": JPEG, "b/2.jpg": JPEG})
    assert find("a/1.jpg", "b/2.jpg").lines_renamed() == []
    told = "names that were taken have a number: 1 (b/1.jpg is 1-2); all are listed in .keypoints-outputs"
    assert find("a", "b").lines_renamed() == [told]


def test_a_file_of_too_many_pages_is_told(here):
    directory = b"\1\0" + b"\0\1\4\0\1\0\0\0\x08\0\0\0"
    pages = b"".join(directory + (8 + 18 * (number + 1)).to_bytes(4, "little") for number in range(2000))
    fill(here, {"book.tif": b"II*\0\x08\0\0\0" + pages})
    assert told(find("book.tif")) == ["book.tif has more than 1000 pages; split it"]


def give(monkeypatch, content: bytes | None) -> None:
    stream = None if content is None else io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdin", stream)


def test_standard_input_is_one_picture(monkeypatch):
    give(monkeypatch, JPEG)
    assert read_standard_input() == JPEG
    for content, what in [
        (None, "is empty or closed"),
        (b"", "is empty or closed"),
        (b"hello", "holds text"),
        (HEIC, "holds a HEIC picture"),
        (encoded("GIF", frames=2), "holds a GIF of several frames; save it"),
        (encoded("TIFF", frames=2), "holds several pictures; save it"),
    ]:
        give(monkeypatch, content)
        with pytest.raises(Exception, match=f"standard input {what}"):
            read_standard_input()


def test_standard_input_that_never_ends_is_left(monkeypatch):
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            buffer[:] = (b"y\n" * len(buffer))[: len(buffer)]
            return len(buffer)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    with pytest.raises(Exception, match="standard input holds text"):
        read_standard_input()


def test_files_are_listed_in_linear_time(here):
    """Ten times as many take about ten times as long, not a hundred times."""
    times = []
    for count in (300, 3000):
        folder = here / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.jpg").write_bytes(JPEG)
        before = os.times().user + os.times().system
        assert len(find(folder).sources) == count
        times.append(os.times().user + os.times().system - before)
    assert times[1] < 40 * times[0]
