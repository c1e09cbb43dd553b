"""The presets as data: their names, what they refuse, and the numbers of the fact sheet."""

import dataclasses

import pytest

from ssd_tutorial.presets import (
    MODELS,
    PRESETS,
    SLIM300,
    SSD300,
    SSD512,
    FeatureMap,
    caffe_preset,
    get_model,
    get_preset,
)

NAMES = [
    "naive_m6",
    "paper",
    "caffe300_voc",
    "caffe300_coco",
    "torchvision300_coco",
    "caffe512_voc",
    "caffe512_coco",
]


def test_every_convention_has_its_name():
    assert list(PRESETS) == NAMES
    assert all(
        get_preset(name) is PRESETS[name] and get_preset(name).name == name for name in NAMES
    )
    assert all(preset.source for preset in PRESETS.values())


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'ssd300'.*naive_m6, paper, caffe300_voc"):
        get_preset("ssd300")
    with pytest.raises(ValueError, match=r"'ssd301'.*ssd300, ssd512, slim300"):
        get_model("ssd301")


@pytest.mark.parametrize("name", NAMES)
def test_feature_maps_have_the_cells_steps_and_ratios_of_their_size(name):
    preset = get_preset(name)
    cells = [fm.cells for fm in preset.maps]
    steps = [fm.step_px for fm in preset.maps]
    if preset.image_size == 300:
        assert cells == [38, 19, 10, 5, 3, 1]
        assert steps == [8, 16, 32, 64, 100, 300]
        ratios = [(2,), (2, 3), (2, 3), (2, 3), (2,), (2,)]
    else:
        assert preset.image_size == 512
        assert cells == [64, 32, 16, 8, 4, 2, 1]
        assert steps == [8, 16, 32, 64, 128, 256, 512]
        ratios = [(2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)]
    assert [fm.ratios for fm in preset.maps] == ratios
    assert [fm.name for fm in preset.maps] == [
        "conv4_3", "conv7", "conv8_2", "conv9_2", "conv10_2", "conv11_2", "conv12_2",
    ][: len(cells)]  # fmt: skip
    assert preset.variances == (0.1, 0.1, 0.2, 0.2)
    assert preset.order == "caffe"


def test_only_the_expected_presets_divide_or_clip():
    assert {n for n in NAMES if PRESETS[n].centres == "cells"} == {"naive_m6", "paper"}
    assert {n: PRESETS[n].clip for n in NAMES if PRESETS[n].clip != "none"} == {
        "torchvision300_coco": "wh"
    }


def test_boxes_per_cell_counts_two_squares_and_two_boxes_per_ratio():
    assert FeatureMap("x", 1, 1, ()).boxes_per_cell == 2
    assert FeatureMap("x", 1, 1, (2,)).boxes_per_cell == 4
    assert FeatureMap("x", 1, 1, (2, 3)).boxes_per_cell == 6


def test_vary_changes_a_copy():
    paper = get_preset("paper")
    varied = paper.vary(name="clipped", clip="corners", centres="step")
    assert (varied.clip, varied.centres, varied.rule) == ("corners", "step", paper.rule)
    assert (paper.name, varied.name) == ("paper", "clipped")
    assert (paper.clip, paper.centres) == ("none", "cells")
    with pytest.raises(dataclasses.FrozenInstanceError):
        paper.clip = "corners"


@pytest.mark.parametrize(
    ("field", "value"), [("centres", "steps"), ("clip", "corner"), ("order", "tensorflow")]
)
def test_vary_refuses_a_value_that_does_not_exist(field, value):
    with pytest.raises(ValueError, match=rf"Preset\.{field} is '{value}'; it must be one of"):
        get_preset("paper").vary(name="varied", **{field: value})


@pytest.mark.parametrize("name", ["paper", "caffe300_voc"])
def test_a_varied_preset_needs_a_name_of_its_own(name):
    with pytest.raises(ValueError, match=f"'{name}' is the name of a preset"):
        get_preset("paper").vary(name=name, clip="corners")
    with pytest.raises(TypeError, match="name"):
        get_preset("paper").vary(clip="corners")


@pytest.mark.parametrize("size", [300, 512])
@pytest.mark.parametrize("dataset", ["voc", "coco"])
def test_caffe_preset_finds_the_authors_scripts(size, dataset):
    preset = caffe_preset(size, dataset)
    assert preset.image_size == size
    assert f"ssd_{dataset.replace('voc', 'pascal')}.py" in preset.source
    with pytest.raises(ValueError, match="no preset is called"):
        caffe_preset(400, dataset)


@pytest.mark.parametrize(
    "preset",
    [
        get_preset("caffe512_voc"),
        SSD300.priors.vary(name="other maps", maps=SSD300.priors.maps[:5]),
        SSD300.priors.vary(name="other size", image_size=320),
        SSD300.priors.vary(
            name="other ratios",
            maps=tuple(dataclasses.replace(m, ratios=(2.0, 3.0)) for m in SSD300.priors.maps),
        ),
    ],
    ids=lambda preset: preset.name,
)
def test_priors_of_another_geometry_are_refused(preset):
    theirs = rf"the priors '{preset.name}' have .* for {preset.image_size} px"
    why = rf"^ssd300 has maps .*\[\(38, 4\).*\] for 300 px; {theirs}$"
    with pytest.raises(ValueError, match=why):
        SSD300.with_priors(preset)


def test_models_have_their_priors_and_backbones():
    assert {name: (m.priors.name, m.backbone) for name, m in MODELS.items()} == {
        "ssd300": ("caffe300_voc", "vgg16"),
        "ssd512": ("caffe512_voc", "vgg16"),
        "slim300": ("caffe300_voc", "slim"),
    }
    assert [get_model(m.name) for m in (SSD300, SSD512, SLIM300)] == [SSD300, SSD512, SLIM300]
    other = SSD300.with_priors(get_preset("torchvision300_coco"))
    assert (other.backbone, other.priors.name) == ("vgg16", "torchvision300_coco")
    assert SSD300.priors.name == "caffe300_voc"
