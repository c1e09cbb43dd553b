"""Recipes: the numbers of the paper and of Caffe, in our units, each with a reason."""

import json
import math
from dataclasses import fields, replace

import pytest
from ssd_book.reasons import reasons

from ssd_tutorial._files import data_path
from ssd_tutorial.presets import get_preset
from ssd_tutorial.training.loop import learning_rate
from ssd_tutorial.training.recipes import (
    COCO,
    RECIPES,
    VOC0712,
    Recipe,
    current_settings,
    get_recipe,
)
from ssd_tutorial.weights.file import read_header


def rates(recipe):
    """Return the learning rate by iteration, as Caffe counts them."""
    steps = recipe.samples // recipe.batch_size
    return steps, lambda iteration: learning_rate(iteration, steps, recipe)


@pytest.mark.parametrize(
    ("name", "iterations", "first", "second"),
    [
        ("voc0712", 120_000, 80_000, 100_000),
        ("voc0712_first", 60_000, 40_000, 50_000),
        ("coco", 400_000, 280_000, 360_000),
    ],
)
def test_schedules_are_those_of_the_paper_and_of_caffe(name, iterations, first, second):
    recipe = get_recipe(name)
    steps, rate = rates(recipe)
    assert (steps, recipe.batch_size) == (iterations, 32)
    assert rate(0) == pytest.approx(1e-6)
    assert rate(499) == pytest.approx(5e-4)
    assert rate(999) == rate(1_000) == rate(first - 1) == 1e-3
    assert rate(first) == pytest.approx(1e-4) == rate(second - 1)
    assert rate(second) == pytest.approx(1e-5) == rate(iterations - 1)


def test_optimisation_is_caffes():
    for name in ("voc0712", "voc0712_first", "coco"):
        recipe = get_recipe(name)
        assert (recipe.optimizer, recipe.momentum, recipe.weight_decay) == ("sgd", 0.9, 5e-4)
        assert (recipe.bias_lr, recipe.grad_clip_norm, recipe.start) == (2, 0, "imagenet")
        assert (recipe.distort, recipe.crop, recipe.crop_prob) == (True, "caffe", 1)
        assert (recipe.interpolation, recipe.horizontal_flip, recipe.vertical_flip) == (
            "random",
            True,
            False,
        )
        assert recipe.expand == (0 if name == "voc0712_first" else 4)


@pytest.mark.parametrize(
    ("recipe", "priors"),
    [
        (Recipe(), "caffe300_voc"),
        (VOC0712(), "caffe300_voc"),
        (VOC0712(model="ssd512"), "caffe512_voc"),
        (COCO(), "caffe300_coco"),
        (COCO(model="ssd512"), "caffe512_coco"),
    ],
)
def test_a_recipe_names_its_priors(recipe, priors):
    model = recipe.model_preset()
    assert model.priors == get_preset(priors)
    assert model.name == recipe.model


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_has_a_reason_of_its_own(name):
    recipe = get_recipe(name)
    said = reasons(recipe)
    assert list(said) == [field.name for field in fields(recipe)]
    assert all(len(sentence) > 5 for sentence in said.values())
    assert len(set(said.values())) == len(said)
    if name != "laptop":  # what differs from the recipe laptop is explained again
        for field in fields(recipe):
            if getattr(recipe, field.name) != getattr(Recipe(), field.name):
                assert said[field.name] != reasons(Recipe())[field.name], field.name


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "ssd301"}, {"prior_scales": "kitti"}, {"samples": 0}, {"batch_size": 0},
        {"optimizer": "adam"}, {"lr": 0.0}, {"lr": math.nan}, {"lr": math.inf},
        {"grad_clip_norm": math.inf},
        {"accumulate": 0}, {"accumulate": 99}, {"repeat_rare": 1.5}, {"expand": 1e5},
        {"seed": 2**63}, {"momentum": 1.0},
        {"bias_lr": 0.0}, {"weight_decay": -1.0}, {"schedule": "linear"},
        {"milestones": (0.8, 0.5)}, {"milestones": (0.5, 1.0)}, {"milestones": (0.0,)},
        {"warmup": 1.5}, {"grad_clip_norm": -1.0}, {"expand": 0.5}, {"crop": "yolo"},
        {"crop_prob": 1.1}, {"interpolation": "cubic"}, {"precision": "fp8"}, {"seed": -1},
        {"seed": 10**23},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be "):
        Recipe(**wrong)
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be "):
        replace(VOC0712(), **wrong)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ValueError, match="laptop, voc0712, voc0712_first, coco"):
        get_recipe("voc07")


def test_settings_in_the_old_spelling_make_todays_recipe():
    record = json.loads(data_path("runs/bccd_slim300/result.json").read_text(encoding="utf-8"))
    trained = read_header(data_path("weights/bccd_slim300.safetensors")).metadata["settings"]
    assert {"scales", "clip", "crop_share", "mirror", "turn_over"} <= set(trained)
    assert current_settings(trained) == current_settings(record["settings"]) | {"seed": 0}
    recipe = Recipe(**current_settings(trained))
    assert (recipe.prior_scales, recipe.grad_clip_norm, recipe.crop_prob) == ("coco", 10, 0.5)
    assert (recipe.horizontal_flip, recipe.vertical_flip) == (True, True)
