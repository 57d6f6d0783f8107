import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml as pyyaml
from annotated_types import Ge, Gt, Le, Lt
from ruamel.yaml import YAML
from typer.testing import CliRunner

from facial_keypoints.core.errors import ConfigError
from pipeline.cli import app
from pipeline.commands.parameter_help import parameter_lines
from pipeline.core.params import flatten
from pipeline.experiments.params import SECTIONS, load_params
from pipeline.models import NETWORKS
from pipeline.models.settings import Model
from pipeline.training.losses import LOSSES, UNITS
from pipeline.training.schedules import SCHEDULES
from pipeline.training.settings import Train
from tests.architecture import ROOT


def with_change(tmp_path: Path, old: str, new: str) -> Path:
    """params.yaml with the one place that matches the pattern `old` replaced."""
    text, count = re.subn(old, new, (ROOT / "params.yaml").read_text(), flags=re.MULTILINE)
    assert count == 1
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_the_committed_parameters_are_valid():
    assert load_params(ROOT / "params.yaml").fetch.source == "youtube-faces"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  weight_decay:", "  wait_decay:", r"train\.wait_decay is not a known parameter; remove it"),
        ("  weight_decay:", "  wait_decay:", r"train\.weight_decay is missing; add it"),
        (r"epochs: \d\d+  #", "epochs: sixty  #", r"train\.epochs is 'sixty' but should be a valid integer"),
        (r"epochs: \d\d+  #", "epochs: 1.5  #", r"train\.epochs is 1\.5 but should be a valid integer"),
        (r"epochs: \d\d+  #", "epochs: true  #", r"train\.epochs is True but should be a valid integer"),
        (
            r"mirror_prob: \S+",
            "mirror_prob: 1.5",
            r"augment\.mirror_prob is 1\.5 but should be less than or equal to 1",
        ),
        (r"^  lr: \S+", "  lr: .nan", r"train\.lr is nan but should be"),
        (
            "  loss: l1 ",
            "  loss: l3 ",
            rf"train\.loss is 'l3' but should be {', '.join(map(repr, [*LOSSES][:-1]))} or {[*LOSSES][-1]!r}",
        ),
        ("    people: 70", "    people: 1", r"fetch\.synthetic\.people is 1 but should be greater"),
        ("^train:", "train: [", "not valid YAML"),
        (r"^  lr: \S+", "  lr: 0.004\n  lr: 0.002", r"line \d+: lr stands twice in its section; remove one"),
        (r"^  lr: \S+", "  lr: 2001-99-99", r"not valid YAML: line \d+: '2001-99-99' is no value \(month must be"),
        (r"^  lr: \S+", "  lr: 2001-01-01", r"train\.lr is datetime\.date\(2001, 1, 1\) but should be a valid number"),
        (r"^  lr: \S+", f"  lr: {'9' * 5000}", "a value has 5,000 characters where 1,000 are the most"),
        (r"^  lr: \S+", f"  lr: 0x{'f' * 900}", r"train\.lr is \d{18}\.\.\.\d{19} but should be a valid number"),
        (r"^  lr: \S+", f"  lr: {'x' * 900}", r"train\.lr is 'x{17}\.\.\.x{18}' but should be a valid number"),
        (r"^  lr: \S+", "  lr: 1e400", r"train\.lr is inf but should be a finite number"),
        (r"^  lr: \S+", "  ? [1, 2]\n  : 3", r"train\.\(1, 2\) is not a known parameter"),
        (r"^  lr: \S+", "  ~: 3", r"train\.None is not a known parameter"),
        (r"^  lr: \S+", "  2001-01-01: 3", r"train\.\S+date\(2001, 1, 1\) is not a known parameter"),
        (r"^  lr: \S+", f"  {'k' * 900}: 3", r"train\.k{30}…k{29} is not a known parameter"),
        (r"^  lr: \S+", '  lr: "\\\\e[31m\\\\ud800"', r"train\.lr is '\\x1b\[31m\\ud800' but should be a valid number"),
        (r"epochs: \d\d+  #", "epochs: 1e300  #", r"the decimal number 1e\+300 .* write 1000\d+\.\.\.\d+"),
        (r"epochs: \d\d+  #", "epochs: 1e1  #", r"train\.epochs is the decimal number 10\.0 .* whole one; write 10"),
    ],
)
def test_a_bad_parameter_is_named_with_the_remedy(tmp_path, old, new, message):
    with pytest.raises(ConfigError, match=message):
        load_params(with_change(tmp_path, old, new))


@pytest.mark.parametrize(("content", "held"), [("", "empty"), ("[]", r"\[\]"), ("just text", "'just text'")])
def test_a_file_without_sections_is_refused(tmp_path, content, held):
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(ConfigError, match=f"the file is {held} but should hold parameters by name; restore it"):
        load_params(tmp_path / "params.yaml")


def test_a_section_without_parameters_is_named(tmp_path):
    head, _, tail = (ROOT / "params.yaml").read_text().partition("\ntrain:\n")
    (tmp_path / "params.yaml").write_text(f"{head}\ntrain:\nevaluate:{tail.partition('evaluate:')[2]}")
    with pytest.raises(ConfigError, match="train is empty but should hold parameters by name"):
        load_params(tmp_path / "params.yaml")


def test_of_many_wrong_values_the_first_are_told(tmp_path):
    (tmp_path / "params.yaml").write_text("\n".join(f"k{n}: 1" for n in range(4000)))
    with pytest.raises(ConfigError, match=r"k0 is not a known parameter; .*; and 3,999 more; `git checkout") as caught:
        load_params(tmp_path / "params.yaml")
    assert str(caught.value).endswith("params.yaml` goes back to the committed values")
    assert len(str(caught.value).replace(str(tmp_path), "")) < 500


def test_what_is_no_plain_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="it is no plain file; mend it or restore it with: git checkout"):
            load_params(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="is not here; bring it back: git checkout"):
        load_params(tmp_path / "params.yaml")


def test_numbers_with_exponents_are_numbers(tmp_path):
    path = with_change(tmp_path, r"^  lr: \S+", "  lr: 1e-3")
    assert pyyaml.safe_load(path.read_text())["train"]["lr"] == "1e-3"
    assert load_params(path).train.lr == 1e-3


def test_flattened_names_and_values_are_those_of_the_file():
    tree = YAML(typ="safe").load(ROOT / "params.yaml")
    flat = flatten(load_params(ROOT / "params.yaml"))
    for name, value in flat.items():
        node = tree
        for part in name.split("."):
            node = node[part]
        assert node == value


def test_every_parameter_is_described():
    flat = flatten(load_params(ROOT / "params.yaml"))
    described = [line.split(":")[0] for line in parameter_lines(list(SECTIONS))]
    assert described == list(flat)


def test_every_parameter_has_a_comment():
    lines = [line for line in (ROOT / "params.yaml").read_text().splitlines() if line.startswith("  ")]
    assert not [line for line in lines if " # " not in line]


def bounds(name: str) -> tuple[Any, Any]:
    """The least and the greatest value that the settings allow for a dotted name; the latter may be excluded."""
    kind: Any = SECTIONS[name.split(".")[0]]
    for part in name.split(".")[1:]:
        kind = get_type_hints(kind, include_extras=True)[part]
    rules = kind.__metadata__
    low = next(getattr(rule, "ge", getattr(rule, "gt", None)) for rule in rules if isinstance(rule, Ge | Gt))
    high = next(getattr(rule, "le", getattr(rule, "lt", None)) for rule in rules if isinstance(rule, Le | Lt))
    return low, high


def test_comments_give_the_bounds_of_the_code():
    wrong, checked = [], 0
    for line in parameter_lines(list(SECTIONS)):
        name, comment = line.split(":")[0], line.partition(" # ")[2]
        if not (span := re.search(r"([\d.]+)\.\.([\d.]*\d)", comment)):
            continue
        low, high = map(float, span.groups())
        least, greatest = bounds(name)
        checked += 1
        if (low, high) != (least, greatest - 1 if name.endswith(".seed") else greatest):
            wrong.append(line)
    assert checked > 20
    assert not wrong


def test_comments_give_the_choices_of_the_code():
    wrong, checked = [], 0
    for line in parameter_lines(list(SECTIONS)):
        name, comment = line.split(":")[0], line.partition(" # ")[2]
        kind: Any = SECTIONS[name.split(".")[0]]
        for part in name.split(".")[1:]:
            kind = get_type_hints(kind)[part]
        if get_origin(kind) is not Literal:
            continue
        told = [re.match(r"\s*(\w+)", choice)[1] for choice in re.sub(r"\(.*?\)", "", comment).split("|")]
        checked += 1
        if sorted(told) != sorted(get_args(kind)):
            wrong.append(f"{line}, where the code has {' | '.join(get_args(kind))}")
    assert checked > 5
    assert not wrong


def test_choices_are_those_of_the_tables():
    hints = get_type_hints(Train)
    assert list(get_args(hints["loss"])) == list(LOSSES)
    assert list(get_args(hints["loss_unit"])) == list(UNITS)
    assert list(get_args(hints["schedule"])) == list(SCHEDULES)
    assert list(get_args(get_type_hints(Model)["name"])) == list(NETWORKS)


def test_the_first_stage_of_a_run_names_the_wrong_values_of_all(workspace):
    path = with_change(workspace, r"faces_per_row: \d+", "faces_per_row: 99")
    before = path.read_bytes()
    result = CliRunner().invoke(app, ["fetch"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: params.yaml: render.faces_per_row is 99 but should be less than or equal")
    assert "`git checkout params.yaml` goes back to the committed values" in result.stderr
    assert path.read_bytes() == before
    assert not (workspace / "data").exists()


def test_settings_load_no_torch():
    code = "import sys, pipeline.experiments.params; assert not {'torch', 'pandas', 'mlflow', 'cv2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_help_of_a_stage_shows_its_parameters_with_their_comments(workspace):
    lines = parameter_lines(["render"])
    assert lines == [line for line in lines if line.startswith("render.")]
    assert "render.faces_per_row: 6  # 2..12" in lines
    (workspace / "params.yaml").write_text("render:\n  faces_per_row: 4  # mine\n  deep:\n    at: 1\ntrain:\n  lr: 2\n")
    assert parameter_lines(["render"]) == ["render.faces_per_row: 4  # mine", "render.deep.at: 1"]
