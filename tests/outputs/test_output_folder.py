"""What a command may write over: what it made of the same source before, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.outputs.ledger import LEDGER
from facial_keypoints.outputs.output_folder import OutputFolder
from tests.signals import as_in_a_terminal
from tests.written import written


def make(folder: Path, name: str, content: str, source: str = "photos/me.jpg") -> None:
    with OutputFolder(folder).writing(name, source) as partial:
        partial.write_text(content)


def names(folder: Path, *sources: str, ending: str = "") -> list[str]:
    wanted = [(Path(source).stem, folder.parent / source) for source in sources]
    return OutputFolder(folder).names(wanted, ending)


def write_all(folder: Path, source: str, name: str, *endings: str) -> None:
    """What a command does for one source."""
    target = OutputFolder(folder).target(name, folder.parent / source)
    for ending in endings:
        with target.writing(ending) as partial:
            partial.write_text(f"{source}{ending}")


def test_what_an_earlier_run_made_of_the_same_source_is_written_over(tmp_path):
    make(tmp_path, "me.json", "old")
    make(tmp_path, "me.json", "new")
    assert (tmp_path / "me.json").read_text() == "new"
    assert written(tmp_path) == ["me.json"]


@pytest.mark.parametrize("how", ["never ours", "of another source", "changed since", "a link to ours", "a broken link"])
def test_what_is_not_ours_is_left_and_named(tmp_path, how):
    place = tmp_path / "me.json"
    if how == "never ours":
        place.write_text("mine")
    elif how == "of another source":
        make(tmp_path, "me.json", "mine", "elsewhere/me.jpg")
    elif how == "changed since":
        make(tmp_path, "me.json", "ours")
        place.write_text("mine")
    elif how == "a link to ours":
        make(tmp_path, "me.json", "mine")
        place.rename(tmp_path / "kept.json")
        place.symlink_to("kept.json")
    else:
        place.symlink_to("nowhere")
    before = place.read_text() if place.exists() else None
    with pytest.raises(DataError, match=r"me\.json is here already"):
        make(tmp_path, "me.json", "new")
    assert (place.read_text() if place.exists() else None) == before
    assert place.is_symlink() == ("link" in how)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_nothing_but_a_plain_file_is_written_over(tmp_path, kind):
    os.mkfifo(tmp_path / "me.json") if kind == "pipe" else (tmp_path / "me.json").mkdir()
    with pytest.raises(DataError, match="is here already"):
        make(tmp_path, "me.json", "new")
    assert not (tmp_path / "me.json").is_file()


def test_a_device_is_not_written_over():
    with pytest.raises(DataError, match="/dev/null is here already"), OutputFolder(Path("/dev")).writing("null", "x"):
        pass


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_an_input_is_not_written_over_by_whatever_name_it_is_given(tmp_path, link):
    make(tmp_path, "me.json", "a result that is an input now")
    given = tmp_path / "me.json"
    if link:
        given = tmp_path / "other.json"
        link(tmp_path / "me.json", given)
    folder = OutputFolder(tmp_path, [given])
    with pytest.raises(DataError, match="is here already"), folder.writing("me.json", "photos/me.jpg"):
        pass
    assert (tmp_path / "me.json").read_text() == "a result that is an input now"


def test_what_appears_meanwhile_is_not_written_over(tmp_path):
    def write_beside_the_user() -> None:
        with OutputFolder(tmp_path).writing("me.json", "s") as partial:
            partial.write_text("ours")
            (tmp_path / "me.json").write_text("mine")

    with pytest.raises(DataError, match="is here already"):
        write_beside_the_user()
    assert (tmp_path / "me.json").read_text() == "mine"
    assert written(tmp_path) == ["me.json"]


@pytest.mark.parametrize("name", ["points.json", "out.CSV", "me.jpg", "clip.mp4"])
def test_a_folder_that_would_be_called_as_a_file_is_refused_unless_it_is_there(tmp_path, name):
    with pytest.raises(DataError, match=f"{name} is the name of a file, where --output is a folder; leave out"):
        OutputFolder(tmp_path / name)
    (tmp_path / name).mkdir()
    OutputFolder(tmp_path / name)


def test_a_file_as_output_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out is no folder to write to"):
        OutputFolder(tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    ["", "no json\n", '{"a": 1}\n', "[" * 10_000, '["me.json"]\n', "[1, 2, 3]\n", '["me.json", ["x"], {}]\n', "\0\xff"],
)
def test_a_damaged_ledger_makes_nothing_ours(tmp_path, content):
    (tmp_path / LEDGER).write_text(content)
    (tmp_path / "me.json").write_text("mine")
    with pytest.raises(DataError, match="is here already"):
        make(tmp_path, "me.json", "new")
    make(tmp_path, "other.json", "new")
    make(tmp_path, "other.json", "newer")


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_ledger_that_is_no_file_is_named(tmp_path, kind):
    place = tmp_path / LEDGER
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda path: os.symlink("/dev/zero", path)}[kind](place)
    with pytest.raises(DataError, match=r"keypoints-outputs.* is no plain file; move it away"):
        make(tmp_path, "me.json", "new")


def test_two_programs_know_each_others_files(tmp_path):
    first, second = OutputFolder(tmp_path), OutputFolder(tmp_path)
    for folder in (first, second, first):
        with folder.writing("me.json", "photos/me.jpg") as partial:
            partial.write_text(str(id(folder)))
    with pytest.raises(DataError, match="is here already"), second.writing("me.json", "photos/more/me.jpg"):
        pass


def test_a_moved_folder_knows_its_files_if_its_sources_moved_along(tmp_path):
    write_all(tmp_path / "a" / "out", "me.jpg", "me", ".json")
    (tmp_path / "a").rename(tmp_path / "b")
    assert names(tmp_path / "b" / "out", "me.jpg") == ["me"]


def test_names_go_round_what_is_not_ours(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "me-2.jpg").write_text("mine")
    assert names(out, "a/me.jpg", "b/me.jpg", "c/ME.png") == ["me", "me-3", "ME-4"]
    (out / "Me.pts").write_text("mine")
    assert names(out, "a/me.jpg", "b/me.jpg") == ["me-3", "me-4"]
    (out / "film").mkdir()
    assert names(out, "film.mp4", "film.v2.mp4") == ["film-2", "film.v2"]


def test_a_source_keeps_its_name_in_whatever_order_it_comes(tmp_path):
    out = tmp_path / "out"
    sources = ["a/me.jpg", "b/me.jpg", "c/me.jpg"]
    for source, name in zip(sources, names(out, *sources), strict=True):
        write_all(out, source, name, ".json", ".jpg")
    assert names(out, *sources) == ["me", "me-2", "me-3"]
    assert names(out, *reversed(sources)) == ["me-3", "me-2", "me"]
    assert names(out, "c/me.jpg", "new/me.jpg") == ["me-3", "me-4"]


def test_faces_of_one_source_are_no_files_of_another(tmp_path):
    out = tmp_path / "out"
    write_all(out, "a.jpg", "a", ".face1.pts", ".face2.pts")
    assert names(out, "a.jpg", "b/a.png", "a.face1.png") == ["a", "a-2", "a.face1-2"]
    write_all(out, "c.jpg", "c_crop", "_1.jpg", "_2.jpg")
    assert names(out, "c.jpg", ending="_crop") == ["c"]
    assert names(out, "d/c.jpg", ending="_crop") == ["c-2"]


def test_names_take_time_in_proportion_to_the_files(tmp_path):
    """Counted in looks at names, as seconds depend on the machine."""
    looks = []

    class Counting(OutputFolder):
        def is_own(self, name, source):
            looks.append(name)
            return super().is_own(name, source)

    def count(files: int) -> int:
        out = tmp_path / str(files)
        sources = [f"{number}/me.jpg" for number in range(files)]
        for source, name in zip(sources, names(out, *sources), strict=True):
            write_all(out, source, name, ".json")
        looks.clear()
        wanted = [("me", tmp_path / source) for source in [*sources, *(f"new/{source}" for source in sources)]]
        assert Counting(out).names(wanted)[:2] == ["me", "me-2"]
        return len(looks)

    assert count(80) <= 2.2 * count(40)


FACES = r"(\.face\d+)?\.pts"


def test_numbered_files_that_are_not_written_again_are_removed(tmp_path):
    out = tmp_path / "out"
    write_all(out, "me.jpg", "me", ".face1.pts", ".face2.pts", ".face3.pts")
    folder = OutputFolder(out)
    target = folder.target("me", tmp_path / "me.jpg")
    with target.writing(".face1.pts") as partial:
        partial.write_text("new")
    target.remove_outdated(FACES)
    assert written(out) == ["me.face1.pts"]
    assert folder.removed == ["me.face2.pts", "me.face3.pts"]


def test_of_a_source_without_faces_all_numbered_files_are_removed(tmp_path):
    out = tmp_path / "out"
    write_all(out, "me.jpg", "me", ".pts", ".json")
    OutputFolder(out).target("me", tmp_path / "me.jpg").remove_outdated(FACES)
    assert written(out) == ["me.json"]


@pytest.mark.parametrize("how", ["never ours", "of another source", "changed since", "a link to ours", "an input"])
def test_what_is_not_ours_is_never_removed(tmp_path, how):
    out, place = tmp_path / "out", tmp_path / "out" / "me.face2.pts"
    write_all(out, "you.jpg" if how == "of another source" else "me.jpg", "me", ".face2.pts")
    if how == "never ours":
        (out / LEDGER).write_text("")
    elif how == "changed since":
        place.write_text("mine")
    elif how == "a link to ours":
        place.rename(tmp_path / "kept.pts")
        place.symlink_to(tmp_path / "kept.pts")
    folder = OutputFolder(out, [place] if how == "an input" else [])
    folder.target("me", tmp_path / "me.jpg").remove_outdated(FACES)
    assert place.exists()
    assert not folder.removed


def test_only_names_of_the_target_are_removed(tmp_path):
    """Also where a ledger that came from elsewhere names files outside the folder, or a name means something to re."""
    out = tmp_path / "out"
    others = ["me2.face1.pts", "me.face1.json", "me-2.face1.pts", "../me.face1.pts", "m+e.face1.pts"]
    for name in others:
        make(out, name, "ours", "../me.jpg")
    for name in ("me", "m.e", "mme"):
        OutputFolder(out).target(name, tmp_path / "me.jpg").remove_outdated(FACES)
    assert all((out / name).is_file() for name in others)


# Several programs at once


def test_a_program_that_comes_later_numbers_on(tmp_path):
    """Both looked for names when the folder was empty."""
    out = tmp_path / "out"
    first, second = OutputFolder(out), OutputFolder(out)
    assert first.names([("me", tmp_path / "a/me.jpg")]) == second.names([("me", tmp_path / "b/me.jpg")]) == ["me"]
    with first.claimed_target("me", tmp_path / "a/me.jpg") as one:
        with second.claimed_target("me", tmp_path / "b/me.jpg") as other:
            assert (one.name, other.name) == ("me", "me-2")
            with other.writing(".json") as partial:
                partial.write_text("second")
        with one.writing(".json") as partial:
            partial.write_text("first")
    assert written(out) == ["me-2.json", "me.json"]
    assert names(out, "a/me.jpg", "b/me.jpg", "c/me.jpg") == ["me", "me-2", "me-3"]


def test_a_name_that_another_program_took_and_is_done_with_stays_its_own(tmp_path):
    out = tmp_path / "out"
    late = OutputFolder(out)
    assert late.names([("me", tmp_path / "b/me.jpg"), ("me", tmp_path / "c/me.jpg")], "_hat") == ["me", "me-2"]
    write_all(out, "a/me.jpg", "me_hat", ".jpg")
    with late.claimed_target("me", tmp_path / "b/me.jpg", "_hat") as target:
        assert target.name == "me-3_hat"
    with late.claimed_target("me-2", tmp_path / "c/me.jpg", "_hat") as target:
        assert target.name == "me-2_hat"


def test_two_programs_with_the_same_source_write_the_same_files(tmp_path):
    first, second = OutputFolder(tmp_path), OutputFolder(tmp_path)
    with (
        first.claimed_target("me", tmp_path / "me.jpg") as one,
        second.claimed_target("me", tmp_path / "me.jpg") as two,
    ):
        assert one.name == two.name == "me"


def test_a_claim_leaves_no_trace_and_a_name_that_was_not_used_is_free_again(tmp_path):
    with OutputFolder(tmp_path).claimed_target("me", tmp_path / "a/me.jpg"):
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())
    with OutputFolder(tmp_path).claimed_target("me", tmp_path / "b/me.jpg") as target:
        assert target.name == "me"


CLAIM = """
import sys, time
from pathlib import Path
from facial_keypoints.outputs.output_folder import OutputFolder
folder = OutputFolder(Path(sys.argv[1]))
with folder.claimed_target("me", Path(sys.argv[1], "..", "a", "me.jpg")) as target:
    print(target.name, flush=True)
    time.sleep(60)
"""


def test_a_claim_ends_with_its_program_even_when_that_is_killed(tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", CLAIM, out], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "me\n"
    with OutputFolder(out).claimed_target("me", tmp_path / "b/me.jpg") as target:
        assert target.name == "me-2"
    process.kill()
    process.communicate()
    assert len(list(out.iterdir())) == 1
    with OutputFolder(out).claimed_target("me", tmp_path / "b/me.jpg") as target:
        assert target.name == "me"
    assert not list(out.iterdir())


MANY = """
import sys
from pathlib import Path
from facial_keypoints.outputs.output_folder import OutputFolder
folder = OutputFolder(Path(sys.argv[1]))
sources = [Path(sys.argv[1], "..", sys.argv[2], str(number), "me.jpg") for number in range(20)]
for name, source in zip(folder.names([("me", source) for source in sources]), sources):
    with folder.claimed_target(name, source) as target:
        for ending in (".json", ".jpg"):
            with target.writing(ending) as partial:
                partial.write_text(str(source))
"""


def test_programs_at_once_with_pictures_of_the_same_name_give_each_its_own_number(tmp_path):
    out = tmp_path / "out"
    racing = [subprocess.Popen([sys.executable, "-c", MANY, out, letter], stderr=subprocess.PIPE) for letter in "abc"]
    assert [process.communicate()[1] for process in racing] == [b"", b"", b""]
    stems = ["me", *(f"me-{number}" for number in range(2, 61))]
    assert written(out) == sorted(f"{stem}{ending}" for stem in stems for ending in (".json", ".jpg"))
    assert all((out / f"{stem}.json").read_text() == (out / f"{stem}.jpg").read_text() for stem in stems)


RACE = """
import sys
from pathlib import Path
from facial_keypoints.outputs.output_folder import OutputFolder
folder = OutputFolder(Path(sys.argv[1]))
for number in range(300):
    with folder.writing(f"{number % 30}.json", "photos") as partial:
        partial.write_text(sys.argv[2] * 5000)
"""


@pytest.mark.slow
def test_programs_that_write_the_same_names_at_once_lose_nothing(tmp_path):
    racing = [
        subprocess.Popen([sys.executable, "-c", RACE, tmp_path, letter], stderr=subprocess.PIPE) for letter in "abc"
    ]
    assert [process.communicate()[1] for process in racing] == [b"", b"", b""]
    assert written(tmp_path) == sorted(f"{number}.json" for number in range(30))
    assert {(path.read_text()[0], path.stat().st_size) for path in tmp_path.glob("*.json")} <= {
        (c, 5000) for c in "abc"
    }


WAIT = """
import sys, time
from pathlib import Path
from facial_keypoints.cli import errors_as_one_line, new_app, run
from facial_keypoints.outputs.output_folder import OutputFolder

app = new_app()

@app.command()
def wait(folder: Path):
    with errors_as_one_line(), OutputFolder(folder).writing("film.mp4", "s") as partial:
        partial.write_text("half a film")
        time.sleep(60)

run(app)
"""


@pytest.mark.parametrize(("number", "status"), [("TERM", 143), ("HUP", 143), ("INT", 130)])
def test_a_command_that_is_ended_leaves_nothing_half_written(tmp_path, number, status):
    process = start_waiting(tmp_path)
    process.send_signal(signal.Signals[f"SIG{number}"])
    errors = process.communicate(timeout=30)[1]
    assert (process.returncode, errors.count("\n")) == (status, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_a_killed_command_left_is_removed_by_the_next_and_what_another_writes_is_not(tmp_path):
    killed, alive = start_waiting(tmp_path), start_waiting(tmp_path, files=2)
    killed.kill()
    killed.communicate()
    (tmp_path / ".mine.partial").write_text("the user's")
    make(tmp_path, "me.json", "new")
    left = sorted(path.name for path in tmp_path.glob(".*.partial"))
    alive.kill()
    alive.communicate()
    assert len(left) == 2
    assert ".mine.partial" in left


def start_waiting(folder: Path, files: int = 1) -> subprocess.Popen:
    """A command that is half-way through its output; `files`: half-written ones then in the folder."""
    command = [sys.executable, "-c", WAIT, "wait", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal)
    while len([path for path in folder.glob(".*.partial") if path.stat().st_size]) < files:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    return process
