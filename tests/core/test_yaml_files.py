"""YAML from outside: what DVC reads of it, or one line; in bounded time and memory."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from dvc.utils.serialize._yaml import parse_yaml
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.core.yaml_files import edited_yaml, load_yaml, read_yaml
from tests.architecture import ROOT


def aliases(levels: int) -> str:
    """9 ** levels values."""
    lists = "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, levels))
    return f"a0: &a0 [x,x,x,x,x,x,x,x,x]\n{lists}"


def merges(levels: int) -> str:
    """The same, merged into one section each."""
    first = f"a0: &a0 {{{','.join(f'k{n}: 1' for n in range(9))}}}\n"
    return first + "".join(f"a{n}: &a{n}\n  <<: [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, levels))


TOO_LARGE = {
    "aliases of aliases": (aliases(20), "it holds more than 10,000 values"),
    "merges of merges": (merges(20), "it holds more than 10,000 values"),
    "one long list": (f"[{'1,' * 40_000}]", "it holds more than 10,000 values"),
    "one long section": ("\n".join(f"k{n}: 1" for n in range(9000)), "it holds more than 10,000 values"),
    "brackets": ("[" * 99_000, "nested in more than 20 levels"),
    "braces": ("{" * 99_000, "nested in more than 20 levels"),
    "dashes": ("- " * 49_000, "nested in more than 20 levels"),
    "keys of keys": ("? " * 49_000, "nested in more than 20 levels"),
    "keys of brackets": ("[? " * 30_000, "nested in more than 20 levels"),
    "indents": ("\n".join(" " * n + "a:" for n in range(400)), "nested in more than 20 levels"),
    "itself": ("&a [*a]", r"the alias \*a stands for nothing, or for what it is part of"),
    "merged into itself": ("&a {<<: *a}", r"the alias \*a stands for nothing"),
    "nothing": ("a: *b", r"the alias \*b stands for nothing"),
    "a long word": (f"a: {'x' * 99_000}", "a value has 99,000 characters where 1,000 are the most"),
    "a long number": (f"a: {'9' * 5000}", "a value has 5,000 characters"),
    "a long hexadecimal": (f"a: 0x{'f' * 90_000}", "a value has 90,002 characters"),
    "folded lines": ("a: >\n" + " x\n\n" * 20_000, "a value has 40,000 characters"),
    "many bytes": ("#" * 100_001, "it has 100,001 bytes where 100,000 are the most"),
}
NO_VALUES = {
    "a date": ("a: 1\nb: 2001-99-99", r"line 2: '2001-99-99' is no value \(month must be in 1\.\.12\)"),
    "an hour": ("2001-01-01T25:00:00Z", "hour must be in 0..23"),
    "year 0": ("0000-00-00", "line 1: '0000-00-00' is no value"),
    "sixtieths": ("%YAML 1.1\n---\na: " + ":".join(["59"] * 300) + ".5", "line 3: .* is no value"),
    "digits": ("a: 0x_", "line 1: '0x_' is no value"),
    "int": ('!!int ""', "line 1: '' is no value"),
    "bool": ("!!bool maybe", "line 1: 'maybe' is no value"),
    "float": ("!!float x", "line 1: 'x' is no value"),
    "binary": ('!!binary "é"', "line 1: failed to convert base64"),
    "a section as key": ("? {a: 1}\n: 2", "line 1: found unhashable key"),
    "lists in a key": ("? [[1], [2]]\n: 3", "unhashable"),
    "a key that comes twice": ("a: 1\na: 2", "line 2: a stands twice in its section; remove one of the two"),
    "a quoted key": ("'a\"b': 1\n'a\"b': 2", 'line 2: a"b stands twice'),
    "two merges": ("a: &a {b: 1}\nc:\n  <<: *a\n  <<: *a", "line 4: << stands twice"),
    "an ordered map": ("!!omap [a: 1, a: 2]", "AssertionError"),
    "Python": ("!!python/object/apply:os.system ['true']", "line 1: could not determine a constructor for the tag"),
    "another tag": ("!x y", "line 1: could not determine a constructor for the tag '!x'"),
    "a long tag": (f"!{'a' * 90_000} x", "line 1: could not determine a constructor"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: but found another document"),
    "a tab": ("a:\n\tb: 1", "line 2: found character"),
    "NUL": ("a: \0", "unacceptable character"),
    "an escape": ("a: \x1b[31m", "unacceptable character"),
    "no character": ('"\\U7fffffff"', "chr"),
    "another YAML": ("%YAML 3.0\n---\na", "line 1: found incompatible YAML document"),
    "no end": ("a: [1", "line 1: "),
}


def refused(content: bytes, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        load_yaml(content)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(("text", "expected"), [*TOO_LARGE.values(), *NO_VALUES.values()], ids=[*TOO_LARGE, *NO_VALUES])
@pytest.mark.slow
def test_what_is_too_large_or_no_value_is_one_line(text, expected):
    refused(text.encode(), expected)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_other_encodings_are_named_as_dvc_reads_none(encoding):
    refused("a: é".encode(encoding), "is no UTF-8; save it as UTF-8 text|unacceptable character")


def test_python_tags_run_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(b"!!python/object/apply:os.mkdir [ran]", "constructor")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "params.yaml").read_text(),
        "\ufeffa: 1",
        "a: 1\r\nb: 2\r\n",
        "a: 1\rb: 2",
        "a: &x 1\nb: *x\nc: {<<: {d: *x}}",
        "a: &x 1\nb: &x 2\nc: *x",
        "a: 1e-3\nb: 1e400\nc: .nan\nd: 0o17\ne: 0x1F\nf: 1_000\ng: 017\nh: 12:30:00\ni: yes\nj: ~",
        "%YAML 1.1\n---\na: 017\nb: 12:30:00\nc: yes\nd: 1e-3",
        "? [1, 2]\n: 3",
        "~: 1\n2: 3\ntrue: 4\n1.5: 5",
        "a: 2001-01-01\nb: !!set {c, d}\ne: !!binary aGVsbG8=",
        'a: "\\ud800\\x41"',
        "a: |\n  b\n   c\nd: >-\n  e\n  f",
        aliases(4),
    ],
)
def test_what_is_read_is_what_dvc_reads(text):
    """As `dvc` opens a file: text in UTF-8, line ends made the same."""
    with warnings.catch_warnings(action="ignore"):
        seen_by_dvc = parse_yaml(text.replace("\r\n", "\n").replace("\r", "\n"), "params.yaml")
    assert repr(load_yaml(text.encode())) == repr(seen_by_dvc)


@given(st.text(st.sampled_from(list("ab10:-,[]{}&*!?|>#'\"%\n .~e_<=")), max_size=60))
def test_of_any_text_dvc_reads_the_same_or_nothing_is_read(text):
    try:
        value = load_yaml(text.encode())
    except ValueError:
        return
    with warnings.catch_warnings(action="ignore"):
        assert repr(value or {}) == repr(parse_yaml(text, "params.yaml"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_one_line(content):
    told = ""
    try:
        load_yaml(content)
    except ValueError as error:
        told = str(error)
    assert told.isprintable()


def test_what_is_no_plain_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ValueError, match="it is no plain file"):
            read_yaml(path)
    with (tmp_path / "large").open("wb") as sparse:
        sparse.truncate(10**9)
    with pytest.raises(ValueError, match="it has 1,000,000,000 bytes"):
        read_yaml(tmp_path / "large")
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none")


LIMITED = """
import resource, sys
from pathlib import Path
from facial_keypoints.core.yaml_files import load_yaml
before = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (before + 50_000_000,) * 2)
for path in sys.argv[1:]:
    try:
        load_yaml(Path(path).read_bytes())
        sys.exit(f"{path} was taken")
    except ValueError:
        pass
"""


@pytest.mark.slow
def test_nothing_takes_more_than_50_megabytes(tmp_path):
    for number, (text, _) in enumerate([*TOO_LARGE.values(), *NO_VALUES.values()]):
        (tmp_path / str(number)).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, tmp_path.iterdir())], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_an_edit_keeps_comments_and_refuses_bombs(tmp_path):
    path = tmp_path / "file"
    path.write_text("a: 1  # one\nb: [1, 2]\n")
    assert edited_yaml(path, lambda document: document.update(a=2)) == b"a: 2  # one\nb: [1, 2]\n"
    path.write_text(aliases(20))
    with pytest.raises(ValueError, match="more than 10,000 values"):
        edited_yaml(path, lambda document: None)
