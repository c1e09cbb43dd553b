"""Names of torchvision's weights: every one is brought over, and a stranger is named."""

import pytest
import torch
from torch import nn
from torchvision.models.detection import ssd300_vgg16

from ssd_tutorial.convert import from_torchvision_ssd300
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD300


@pytest.fixture(scope="module")
def theirs():
    """Names and shapes only: no memory, no time."""
    with torch.device("meta"):
        return ssd300_vgg16(weights=None, weights_backbone=None, num_classes=21).state_dict()


def test_every_weight_finds_its_place(theirs):
    with torch.device("meta"):
        ours = SSD(SSD300, num_classes=21)
    converted = from_torchvision_ssd300(theirs)
    assert len(converted) == len(theirs)
    assert {k: v.shape for k, v in converted.items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }
    ours.load_state_dict(converted, assign=True)  # strict


def test_layers_keep_their_order(theirs):
    """In both networks the layers run in the order in which their state dict lists them."""

    def of_kind(state, prefixes):
        return [v.shape for k, v in state.items() if k.startswith(prefixes) and v.ndim == 4]

    with torch.device("meta"):
        ours = SSD(SSD300, num_classes=21).state_dict()
    assert of_kind(theirs, "backbone") == of_kind(ours, ("backbone", "extras"))


def test_tensors_are_passed_on_not_copied(theirs):
    converted = from_torchvision_ssd300(theirs)
    assert converted["backbone.norm.weight"] is theirs["backbone.scale_weight"]
    assert converted["backbone.conv7.10.bias"] is theirs["backbone.extra.0.7.3.bias"]
    assert {id(v) for v in converted.values()} == {id(v) for v in theirs.values()}


def test_missing_and_unknown_keys_are_named(theirs):
    state = dict(theirs)
    del state["backbone.extra.2.0.bias"]
    with pytest.raises(ValueError, match=r"ssd300_vgg16; keys 1 missing: backbone\.extra\.2\.0\.b"):
        from_torchvision_ssd300(state)
    state["module.backbone.extra.2.0.bias"] = torch.zeros(128)
    with pytest.raises(ValueError, match=r"1 unknown: module\.backbone.*; 1 missing: backbone"):
        from_torchvision_ssd300(state)


def test_the_weights_of_another_model_are_refused_without_listing_them_all():
    with pytest.raises(ValueError, match=r"2 unknown: weight, bias; 71 missing: .*, …$") as error:
        from_torchvision_ssd300(nn.Linear(2, 2).state_dict())
    assert len(str(error.value)) < 500
