"""Objects against priors: the fast way equals the slow way, and suggestions help."""

from pathlib import Path

import pytest
import torch

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets.records import RawObject, RawPicture, Records
from ssd_tutorial.doctor.reach import (
    Objects,
    best_priors,
    check_reach,
    check_sizes,
    overlap_shapes,
    reach_of,
    suggest_extras,
)
from ssd_tutorial.doctor.rules import RULES
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.priors import cell_centres, make_priors


def random_boxes(count, seed=0, smallest=0.005):
    """Draw boxes of every size and place, including thin ones and ones that touch the border."""
    draw = torch.Generator().manual_seed(seed)
    size = smallest * (1 / smallest) ** torch.rand(count, 2, generator=draw)
    low = torch.rand(count, 2, generator=draw) * (1 - size)
    low[::7] = 0
    return torch.cat([low, low + size], dim=1).clamp(0, 1)


def objects_of(boxes, picture=None):
    where = [("a.xml", RawObject(i, "cat", ("1",) * 4, None)) for i in range(1, len(boxes) + 1)]
    picture = torch.arange(len(boxes)) if picture is None else torch.tensor(picture)
    return Objects(boxes, picture, where)


@pytest.mark.parametrize("clip", ["none", "wh"])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_nearest_centres_give_the_best_of_all_priors(name, clip):
    preset = get_preset(name).vary(name="clipped", clip=clip)
    boxes = random_boxes(150)
    overlap = iou(boxes, cxcywh_to_xyxy(make_priors(preset)))
    best, prior = best_priors(preset, boxes)
    assert torch.allclose(best, overlap.max(dim=1).values, atol=1e-6)
    at_index = overlap.gather(1, prior[:, None])[:, 0]
    assert torch.allclose(at_index, best, atol=1e-6)


def test_presets_whose_priors_differ_from_cell_to_cell_are_refused():
    preset = get_preset("paper").vary(name="clipped", clip="corners")
    with pytest.raises(ValueError, match="clipped clips corners"):
        best_priors(preset, random_boxes(3))


def test_a_data_set_without_objects_is_accepted():
    reach = reach_of(PRESETS["paper"], objects_of(torch.zeros(0, 4)))
    assert (reach.objects, reach.mean_iou, reach.unreached, reach.sharing) == (0, 0.0, (), 0)
    assert reach.extras == ()
    assert list(check_reach(objects_of(torch.zeros(0, 4)), [reach])) == []


def test_reach_counts_objects_below_an_iou_of_a_half():
    preset, boxes = PRESETS["caffe300_voc"], random_boxes(400)
    overlap = iou(boxes, cxcywh_to_xyxy(make_priors(preset))).max(dim=1).values
    reach = reach_of(preset, objects_of(boxes))
    assert list(reach.unreached) == (overlap < 0.5).nonzero()[:, 0].tolist()
    assert reach.mean_iou == pytest.approx(float(overlap.mean()), abs=1e-6)
    assert sum(reach.histogram) == len(boxes)
    assert sum(reach.histogram[:10]) == len(reach.unreached)
    assert reach.unreached_share == len(reach.unreached) / 400


def test_objects_that_share_a_prior_are_counted_within_a_picture():
    twins = torch.tensor([[0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.3, 0.3]])
    preset = PRESETS["caffe300_voc"]
    assert reach_of(preset, objects_of(twins, [0, 0, 0])).sharing == 3
    assert reach_of(preset, objects_of(twins, [0, 0, 1])).sharing == 2
    assert reach_of(preset, objects_of(twins, [0, 1, 2])).sharing == 0


def test_extra_boxes_reach_as_many_objects_as_reported():
    """The suggested boxes, put into every cell, and all compared the slow way."""
    preset, boxes = PRESETS["caffe300_voc"], random_boxes(600, smallest=0.02)
    priors = cxcywh_to_xyxy(make_priors(preset))
    under = iou(boxes, priors).max(dim=1).values < 0.5
    extras = suggest_extras(preset, boxes[under], len(boxes))
    assert len(extras) == 3
    left = boxes[under]
    for extra in extras:
        k = [fm.name for fm in preset.maps].index(extra.map)
        centres = cell_centres(preset, k)
        cy, cx = torch.meshgrid(centres, centres, indexing="ij")
        width, height = extra.scale * extra.ratio**0.5, extra.scale / extra.ratio**0.5
        shape = torch.tensor([width, height]).expand(len(centres) ** 2, 2)
        more = torch.cat([cx.reshape(-1, 1), cy.reshape(-1, 1), shape], dim=1)
        assert len(more) == extra.priors
        reached = iou(left, cxcywh_to_xyxy(more)).max(dim=1).values >= 0.5
        assert int(reached.sum()) == extra.gain > 0
        left = left[~reached]
    assert [e.gain for e in extras] == sorted((e.gain for e in extras), reverse=True)


def test_the_extra_box_for_small_squares_is_a_small_square():
    low = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * 0.9
    boxes = torch.cat([low, low + 0.05], dim=1)  # caffe300_voc begins at 0.1: IoU 0.25
    reach = reach_of(PRESETS["caffe300_voc"], objects_of(boxes))
    assert len(reach.unreached) == 200
    first = reach.extras[0]
    assert (first.map, first.ratio) == ("conv4_3", 1.0)
    assert 0.04 < first.scale < 0.07
    assert first.gain > 150  # between the cells some stay below 0.5
    assert str(first) == f"scale {first.scale:.3f} with ratio 1 on conv4_3"
    assert reach_of(PRESETS["caffe512_coco"], objects_of(boxes)).unreached == ()


def test_two_objects_of_a_thousand_do_not_justify_a_box():
    boxes = torch.tensor([[0.1, 0.1, 0.12, 0.12]])
    assert suggest_extras(PRESETS["caffe300_voc"], boxes, 1000) == ()


def test_objects_that_no_preset_reaches_are_named():
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.1, 0.05, 0.12, 0.95]])
    objects = objects_of(boxes)
    (fault,) = check_reach(objects, [reach_of(preset, objects) for preset in PRESETS.values()])
    assert (fault.code, fault.file, fault.number) == ("prior-unreached", "a.xml", 2)
    assert "0.020 of the picture wide and 0.900 high" in str(fault)
    assert RULES[fault.code].severity == "note"


def test_a_sample_of_many_objects_chooses_and_all_are_counted():
    preset, boxes = PRESETS["caffe300_voc"], random_boxes(9000, smallest=0.02)
    unreached = boxes[best_priors(preset, boxes)[0] < 0.5]
    assert len(unreached) > 4000
    first = suggest_extras(preset, unreached, len(boxes))[0]
    k = [fm.name for fm in preset.maps].index(first.map)
    shape = torch.tensor([[first.scale * first.ratio**0.5, first.scale / first.ratio**0.5]])
    reached = overlap_shapes(preset, k, shape, unreached)[1] >= 0.5
    assert first.gain == int(reached.sum())


def test_tiny_objects_are_not_said_to_be_learned():
    boxes = torch.tensor([[0.1, 0.05, 0.108, 0.95], [0.1, 0.05, 0.12, 0.95]])
    objects = objects_of(boxes)
    faults = list(check_reach(objects, [reach_of(preset, objects) for preset in PRESETS.values()]))
    assert [fault.number for fault in faults] == [2]


def test_a_split_whose_objects_are_all_tiny_is_an_error():
    """3 of 300 px can be learned, and one such object is enough; 2 splits share a picture."""
    tiny, just = [0.5, 0.1, 0.509, 0.9], [0.5, 0.1, 0.51, 0.9]
    objects = objects_of(torch.tensor([tiny, tiny, just]), picture=[0, 1, 1])
    pictures = {key: RawPicture(key, None, None, "", (300, 300)) for key in "abc"}
    splits = {"train": ("a",), "val": ("a", "b"), "test": ("c",)}
    (fault,) = check_sizes(Records(Path("data"), "VOC", pictures, splits), objects)
    assert (fault.code, fault.severity, fault.file) == ("split-tiny", "error", "split train")
    assert fault.what == "its objects are at most 2.7 px in width or in height at 300 px"
