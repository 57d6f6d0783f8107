import shutil

import pytest

from facial_keypoints.core.errors import ConfigError
from pipeline.core.params import flatten
from pipeline.experiments.params import load_params
from pipeline.experiments.recipe import (
    DEFAULT,
    changed_values,
    recipe_names,
    recipe_summary,
    recipe_values,
    with_values,
    write_values,
)
from tests.architecture import ROOT
from tests.core.test_yaml_files import aliases


@pytest.fixture
def params(tmp_path):
    return shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_valid_and_says_what_it_is(name, params):
    with_values(recipe_values(name), params)
    assert len(recipe_summary(name)) > 20


@pytest.mark.parametrize("name", recipe_names())
def test_an_applied_recipe_is_what_the_file_then_says(name, params):
    wanted = with_values(recipe_values(name), params)
    write_values(recipe_values(name), params)
    assert load_params(params) == wanted
    assert "# side of the square arrays" in params.read_text()
    assert write_values(recipe_values(name), params) == []


def test_the_default_recipe_is_params_yaml_as_it_comes(params):
    assert with_values(recipe_values(DEFAULT), params) == load_params(params)
    assert changed_values(recipe_values(DEFAULT), params) == {}


def test_the_default_recipe_names_all_of_its_sections_but_the_seed(params):
    sections = ("model", "augment", "pretrain", "train")
    named = {key for key in flatten(load_params(params)) if key.split(".")[0] in sections}
    wanted = named - {"pretrain.seed", "train.seed"} | {"split.val_people_frac"}
    assert set(recipe_values(DEFAULT)) == wanted, "recipes/default.yaml holds what params.yaml does"


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("before", ["naimishnet_bn", "udacity_5conv"])
def test_nothing_is_left_of_the_recipe_before(name, before, params):
    wanted = with_values(recipe_values(name), params)
    write_values(recipe_values(before), params)
    write_values(recipe_values(name), params)
    assert load_params(params) == wanted


@pytest.mark.parametrize("change", [lambda text: text, lambda text: text.replace(b"\n", b"\r\n"), bytes.rstrip])
@pytest.mark.parametrize("name", recipe_names())
def test_there_and_back_leaves_every_byte_as_it_was(name, change, params):
    params.write_bytes(change(params.read_bytes()))
    before = params.read_bytes()
    write_values(recipe_values(name), params)
    assert not [line for line in params.read_text().splitlines() if " # " in line and "  # " not in line]
    write_values(recipe_values(DEFAULT), params)
    assert params.read_bytes() == before


def test_applying_names_each_change(params):
    epochs = load_params(params).train.epochs
    assert f"train.epochs: {epochs} -> 7" in write_values(recipe_values("naimishnet_bn"), params)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  lr: 0.006", "  lr: &x 6e-3"),
        ("weight_decay: 0.1", "weight_decay: 0x0"),
        ("mirrored_view: true", "mirrored_view: &view true"),
        ("\ntrain:", "\ntrain: &section"),
        ("  brightness: 0.2", "  <<: {brightness: 0.2}"),
        ("\n", "\r\n"),
        ("# Every", "\ufeff# Every"),
    ],
)
def test_odd_but_sound_yaml_is_changed_soundly(params, old, new):
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new), newline="")
    for name in ("naimishnet_bn", DEFAULT):
        wanted = with_values(recipe_values(name), params)
        write_values(recipe_values(name), params)
        assert load_params(params) == wanted


def test_values_that_hang_together_are_left_alone(params):
    text = params.read_text().replace("mirror_prob: 0.5", "mirror_prob: &half 0.5")
    params.write_text(text.replace("occlusion_prob: 0.15", "occlusion_prob: *half"))
    for name in ("naimishnet_bn", DEFAULT):
        wanted = with_values(recipe_values(name), params)
        write_values(recipe_values(name), params)
        assert load_params(params) == wanted


def test_a_bomb_is_refused_and_left_alone(params):
    params.write_text(aliases(20))
    with pytest.raises(ConfigError, match="more than 10,000 values"):
        write_values(recipe_values(DEFAULT), params)
    assert params.read_text() == aliases(20)


def test_a_recipe_of_a_long_name_is_told_in_part():
    with pytest.raises(ConfigError) as caught:
        recipe_values("x" * 5000)
    assert len(str(caught.value)) < 300


def test_an_unknown_recipe_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no recipe is called 'nobody'; there are .*naimishnet"):
        recipe_values("nobody")


def test_the_course_recipes_are_adam_at_a_constant_rate():
    for name in ("naimishnet_bn", "udacity_4conv", "udacity_5conv", "udacity_5conv_smooth_l1", "naimishnet"):
        values = recipe_values(name)
        assert (values["train.optimizer"], values["train.weight_decay"]) == ("adamw", 0)
        assert values["train.schedule"] == "constant"
        assert values["train.loss_unit"] == "50_px"
