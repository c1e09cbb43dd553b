"""From outputs to detections: suppression and post-processing, against loops and torchvision."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import nms as torchvision_nms

from ssd_tutorial.boxes import decode, encode, iou
from ssd_tutorial.detect import Detections, _nms_blocked, nms, postprocess
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from tests.parity import reference

VOC = make_priors(get_preset("caffe300_voc"))
CLASSES = 6


def outputs(batch=2, seed=0, spread=2.0, classes=CLASSES, priors=8732):
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(batch, priors, classes, generator=generator)
    return logits, torch.randn(batch, priors, 4, generator=generator)


def sparse(batch=2, seed=0, classes=CLASSES):
    """Return outputs like a trained network's: background and some clusters of objects."""
    logits, offsets = outputs(batch, seed, 0.5, classes)
    logits[..., 0] += 8
    generator = torch.Generator().manual_seed(seed)
    for image in range(batch):
        for _ in range(8):
            label = int(torch.randint(1, classes, (), generator=generator))
            centre = VOC[int(torch.randint(0, 8732, (), generator=generator))]
            near = (VOC - centre).abs().amax(1).argsort()[:15]
            logits[image, near, label] += 8 + 2 * torch.rand(15, generator=generator)
    return logits, offsets


def slow_nms(boxes, threshold):
    """Return which of the sorted boxes survive, one by one."""
    kept = []
    for i, box in enumerate(boxes):
        if all(iou(box[None], boxes[k][None]).item() <= threshold for k in kept):
            kept.append(i)
    return [i in kept for i in range(len(boxes))]


def slow_postprocess(logits, offsets, score, overlap, candidates, most):
    """Post-process one image in a loop over classes."""
    boxes = decode(offsets, VOC).clamp(0, 1)
    probabilities = logits.softmax(-1)
    found = []
    for label in range(1, logits.shape[1]):
        p = probabilities[:, label]
        ranked = sorted((p > score).nonzero().flatten().tolist(), key=lambda i: -p[i].item())
        ranked = ranked[:candidates]
        alive = slow_nms(boxes[ranked], overlap)
        found += [(p[i].item(), label, i) for i, ok in zip(ranked, alive, strict=True) if ok]
    found.sort(key=lambda one: -one[0])
    return found[:most], boxes


# --- suppression ---------------------------------------------------------------------------------

both = pytest.mark.parametrize("suppress", [nms, _nms_blocked])
grid = st.integers(0, 6)
grid_boxes = st.lists(st.tuples(grid, grid, grid, grid), max_size=50).map(
    lambda rows: torch.tensor(
        [[x, y, x + 2 + w, y + 2 + h] for x, y, w, h in rows], dtype=torch.float32
    ).view(-1, 4)
)


@both
@given(grid_boxes, st.sampled_from([0.0, 0.25, 0.45, 0.5, 0.9]))
def test_nms_equals_a_loop(suppress, boxes, threshold):
    got = suppress(boxes, torch.ones(len(boxes), dtype=torch.bool), threshold)
    assert got.tolist() == slow_nms(boxes, threshold)


@both
@given(grid_boxes)
def test_nms_survivors_are_apart_and_others_overlap_a_better_survivor(suppress, boxes):
    got = suppress(boxes, torch.ones(len(boxes), dtype=torch.bool), 0.45)
    overlap = iou(boxes, boxes).triu(1) > 0.45  # [better, worse]
    assert not overlap[got][:, got].any()
    assert overlap[got][:, ~got].any(0).all()
    again = suppress(boxes[got], torch.ones(int(got.sum()), dtype=torch.bool), 0.45)
    assert again.all()


@both
def test_nms_equals_torchvisions(suppress):
    boxes = torch.rand(4, 300, 2, 2).sort(2).values.flatten(2)
    got = suppress(boxes, torch.ones(4, 300, dtype=torch.bool), 0.45)
    scores = torch.linspace(1, 0.1, 300)
    for mine, b in zip(got, boxes, strict=True):
        assert mine.nonzero().flatten().tolist() == torchvision_nms(b, scores, 0.45).tolist()


@both
def test_nms_keeps_a_box_whose_only_rival_was_suppressed(suppress):
    """A suppresses B; C overlaps B but not A, and stays, because B is already suppressed."""
    a, b, c = [0.0, 0, 4, 4], [1.0, 0, 5, 4], [2.0, 0, 6, 4]
    boxes = torch.tensor([a, b, c])
    assert suppress(boxes, torch.ones(3, dtype=torch.bool), 0.45).tolist() == [True, False, True]
    swapped = suppress(boxes[[1, 0, 2]], torch.ones(3, dtype=torch.bool), 0.45)
    assert swapped.tolist() == [True, False, False]


@both
def test_nms_keeps_both_boxes_at_the_threshold(suppress):
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 2]])
    assert suppress(boxes, torch.ones(2, dtype=torch.bool), 0.5).all()
    assert suppress(boxes, torch.ones(2, dtype=torch.bool), 0.499).tolist() == [True, False]


@both
def test_nms_padding_neither_survives_nor_suppresses(suppress):
    boxes = torch.tensor([[[0.0, 0, 2, 2]] * 3, [[0.0, 0, 2, 2], [5, 5, 6, 6], [0, 0, 2, 2]]])
    valid = torch.tensor([[True, False, False], [True, True, False]])
    before = valid.clone()
    assert suppress(boxes, valid, 0.45).tolist() == before.tolist()
    assert torch.equal(valid, before)


@both
def test_nms_treats_each_list_of_a_batch_alone(suppress):
    """Lists of 0 to 70 boxes in random order: each as if it were alone."""
    boxes = torch.rand(3, 4, 70, 2, 2).sort(3).values.flatten(3)
    lengths = torch.tensor([[3, 70, 0, 17], [16, 33, 1, 32], [70, 5, 64, 48]])
    valid = torch.arange(70) < lengths[..., None]
    got = suppress(boxes, valid, 0.3)
    assert got.shape == (3, 4, 70)
    for i in range(3):
        for j in range(4):
            n = int(lengths[i, j])
            assert got[i, j, :n].tolist() == slow_nms(boxes[i, j, :n], 0.3)
            assert not got[i, j, n:].any()


@both
def test_nms_of_no_boxes_returns_no_boxes(suppress):
    nothing = torch.zeros(5, 0, dtype=torch.bool)
    assert suppress(torch.zeros(5, 0, 4), nothing, 0.45).shape == (5, 0)
    assert suppress(torch.zeros(0, 4), nothing[0], 0.45).shape == (0,)


# --- post-processing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "overlap", "candidates", "most"), [(0.3, 0.45, 60, 40), (0.5, 0.2, 80, 10)]
)
def test_postprocess_equals_a_loop(score, overlap, candidates, most):
    logits, offsets = outputs(2, seed=1)
    got = postprocess(
        logits,
        offsets,
        VOC,
        score_threshold=score,
        iou_threshold=overlap,
        candidates_per_class=candidates,
        detections_per_image=most,
    )
    for image in range(2):
        want, boxes = slow_postprocess(
            logits[image], offsets[image], score, overlap, candidates, most
        )
        assert len(want) == most
        assert got[image].labels.tolist() == [label for _, label, _ in want]
        assert got[image].scores.tolist() == [p for p, _, _ in want]
        torch.testing.assert_close(got[image].boxes, boxes[[i for _, _, i in want]])


@pytest.mark.parametrize("make", [outputs, sparse])
@pytest.mark.parametrize("seed", range(3))
def test_postprocess_equals_torchvisions(make, seed):
    logits, offsets = make(seed=seed)
    ours = postprocess(logits, offsets, VOC)
    theirs = reference.postprocess(logits, offsets, VOC)
    assert [len(one.scores) for one in ours] != [0, 0]
    for mine, other in zip(ours, theirs, strict=True):
        assert reference.unexcused(mine, other) == 0
        lost, gained = reference.differing(mine, other)
        assert int(lost.sum() + gained.sum()) <= 4  # of up to 400


def test_the_comparison_with_torchvision_detects_a_difference():
    """`unexcused` must not excuse everything: a moved, renamed or missing one is a difference."""
    logits, offsets = sparse()
    found = postprocess(logits, offsets, VOC, score_threshold=0.2)[0]
    assert reference.unexcused(found, found) == 0
    assert len(found.scores) > 5
    moved = found._replace(boxes=found.boxes + 0.01)
    renamed = found._replace(labels=found.labels % (CLASSES - 1) + 1)
    shorter = Detections(*(x[1:] for x in found))
    for other in (moved, renamed, shorter):
        assert reference.unexcused(found, other) + reference.unexcused(other, found) > 0


def test_results_are_sorted_limited_and_inside_the_image():
    for found in postprocess(*outputs(), VOC):
        assert len(found.scores) == 200
        assert (found.scores.diff() <= 0).all()
        assert found.boxes.shape == (200, 4)
        assert found.boxes.min() >= 0
        assert found.boxes.max() <= 1
        assert found.labels.dtype == torch.int64
        assert set(found.labels.tolist()) <= set(range(1, CLASSES))


def planted(*finds, classes=4):
    """Return outputs with class c at prior i with probability p, and background elsewhere."""
    logits = torch.full((1, len(VOC), classes), -30.0)
    logits[..., 0] = 0
    for prior, label, p in finds:
        logits[0, prior, label] = torch.logit(torch.tensor(float(p)))
    return logits, torch.zeros(1, len(VOC), 4)


def test_a_planted_object_is_found_where_it_is():
    logits, offsets = planted((8000, 3, 0.9))
    truth = torch.tensor([0.2, 0.3, 0.6, 0.8])
    offsets[0, 8000] = encode(truth, VOC[8000])
    (found,) = postprocess(logits, offsets, VOC)
    torch.testing.assert_close(found.boxes, truth[None])
    assert found.labels.tolist() == [3]
    torch.testing.assert_close(found.scores, torch.tensor([0.9]))


def test_postprocess_decodes_with_the_variances_given():
    logits, offsets = planted((8000, 3, 0.9))
    truth, own = torch.tensor([0.2, 0.3, 0.6, 0.8]), (1.0, 0.5, 0.3, 0.2)
    offsets[0, 8000] = encode(truth, VOC[8000], own)
    (found,) = postprocess(logits, offsets, VOC, variances=own)
    torch.testing.assert_close(found.boxes, truth[None])
    (other,) = postprocess(logits, offsets, VOC)
    assert (other.boxes - truth).abs().max() > 0.1


def test_classes_do_not_suppress_each_other():
    same_place = planted((8002, 1, 0.9), (8002, 2, 0.3), (8003, 1, 0.8))
    squares = decode(torch.zeros(2, 4), VOC[8002:8004])  # of one cell
    assert iou(squares, squares)[0, 1] > 0.45
    (found,) = postprocess(*same_place, VOC)
    assert found.labels.tolist() == [1, 2]
    (both,) = postprocess(*same_place, VOC, iou_threshold=0.99)
    assert both.labels.tolist() == [1, 1, 2]


def test_the_score_threshold_is_strict():
    logits = torch.zeros(1, len(VOC), 2)  # every score is exactly .5
    offsets = torch.zeros(1, len(VOC), 4)
    assert len(postprocess(logits, offsets, VOC, score_threshold=0.5)[0].scores) == 0
    assert len(postprocess(logits, offsets, VOC, score_threshold=0.499)[0].scores) > 0
    logits = torch.zeros(1, len(VOC), 4)  # a quarter each, and one prior that is more confident
    logits[0, 8000, 1] = 5
    (found,) = postprocess(logits, offsets, VOC, score_threshold=0.25)
    assert found.labels.tolist() == [1]


@pytest.mark.parametrize(("p", "count"), [(0.0099, 0), (0.0101, 1)])
def test_a_score_that_barely_passes_is_found_and_one_below_is_not(p, count):
    (found,) = postprocess(*planted((8000, 1, p)), VOC)
    assert len(found.scores) == count


def test_candidates_are_counted_per_class_before_suppression():
    """Two of three candidates are on one object: with two places, the other object is not found."""
    finds = planted((8002, 1, 0.9), (8003, 1, 0.8), (100, 1, 0.7), (200, 2, 0.3))
    (all_three,) = postprocess(*finds, VOC)
    assert all_three.labels.tolist() == [1, 1, 2]
    (two,) = postprocess(*finds, VOC, candidates_per_class=2)
    assert two.labels.tolist() == [1, 2]


def test_images_of_a_batch_are_independent():
    logits, offsets = outputs(3)
    logits[1, :, 0] += 50  # nothing in the middle one
    together = postprocess(logits, offsets, VOC)
    assert [len(one.scores) for one in together] == [200, 0, 200]
    for i, found in enumerate(together):
        (alone,) = postprocess(logits[[i]], offsets[[i]], VOC)
        assert all(torch.equal(a, b) for a, b in zip(alone, found, strict=True))


def test_no_detections_have_empty_tensors_of_the_right_type():
    logits, offsets = planted()
    (found,) = postprocess(logits, offsets, VOC)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
    assert found.labels.dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_the_results_of_its_exact_values(dtype):
    logits, offsets = (x.to(dtype) for x in sparse())
    got = postprocess(logits, offsets, VOC)
    want = postprocess(logits.float(), offsets.float(), VOC)
    for a, b in zip(got, want, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        assert a.boxes.dtype == a.scores.dtype == torch.float32


def test_extreme_offsets_stay_in_the_image():
    logits, offsets = outputs(1)
    (found,) = postprocess(logits, offsets * 1e4, VOC)
    assert found.boxes.isfinite().all()
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= 1


def test_above_keeps_scores_of_at_least_the_given_one():
    found = Detections(torch.rand(3, 4), torch.tensor([0.9, 0.5, 0.2]), torch.tensor([1, 2, 3]))
    assert found.above(0.5).labels.tolist() == [1, 2]
    assert torch.equal(found.above(0.5).scores, found.scores[:2])
    assert found.above(0.91).boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("offsets", "priors"),
    [((2, 8731, 4), (8732, 4)), ((2, 8732, 4), (8731, 4)), ((1, 8732, 4), (8732, 4))],
)
def test_shapes_that_do_not_match_are_refused(offsets, priors):
    with pytest.raises(
        ValueError, match=r"expected offsets \[2, 8732, 4\].* for logits \[2, 8732, 6\]"
    ):
        postprocess(outputs()[0], torch.zeros(offsets), torch.ones(priors))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("which", ["logits", "offsets"])
def test_numbers_that_are_not_finite_are_refused_by_name(which, value):
    """NaN would rank above every score, and push the real detections out."""
    logits, offsets = sparse()
    broken = {"logits": logits, "offsets": offsets}[which]
    broken[1, 100:110, 1] = value
    with pytest.raises(ValueError, match=f"image 1: 10 of 8732 priors have {which} that are not f"):
        postprocess(logits, offsets, VOC)


def test_finite_numbers_whose_sum_is_not_are_no_fault():
    logits, offsets = sparse(1)
    (want,) = postprocess(logits, offsets, VOC)
    offsets[0, (logits[0, :, 0] > 8).nonzero()[:2, 0], 0] = 3e38  # background
    (got,) = postprocess(logits, offsets, VOC)
    assert torch.equal(got.scores, want.scores)


@pytest.mark.parametrize("shape", [(8732, 6), (0, 8732, 6), (1, 0, 6), (1, 8732, 1), (1, 8732, 0)])
def test_logits_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"logits must be \[B, P, C\] with B, P >= 1, C >= 2, not"):
        postprocess(torch.zeros(shape), torch.zeros(*shape[:-1], 4), VOC)


@pytest.mark.parametrize("name", ["score_threshold", "iou_threshold"])
@pytest.mark.parametrize("value", [-0.1, 1.1, 45, torch.nan])
def test_thresholds_outside_0_to_1_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\], not {value}"):
        postprocess(*sparse(1), VOC, **{name: value})


@pytest.mark.parametrize("name", ["candidates_per_class", "detections_per_image"])
@pytest.mark.parametrize("value", [0, -1, 1.5, torch.nan, torch.inf])
def test_numbers_of_boxes_that_cannot_be_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1, not {value}"):
        postprocess(*sparse(1), VOC, **{name: value})


@pytest.mark.parametrize("value", ["5", None, 400.0, torch.tensor(400)])
def test_limits_of_another_type_are_refused_by_name(value):
    """400.0 boxes would end in an error of a slice, after all the work."""
    with pytest.raises(ValueError, match="candidates_per_class must be a whole number from 1, not"):
        postprocess(*sparse(1), VOC, candidates_per_class=value)
    with pytest.raises(ValueError, match=r"score_threshold must be in \[0, 1\], not"):
        postprocess(*sparse(1), VOC, score_threshold=str(value))


def test_nms_refuses_a_threshold_in_percent():
    boxes = torch.tensor([[0.0, 0, 1, 1]])
    with pytest.raises(ValueError, match="iou_threshold must be in .*not 45"):
        nms(boxes, torch.ones(1, dtype=torch.bool), 45)


def test_nms_suppresses_above_45_percent_by_default():
    boxes = torch.tensor([[0, 0, 100, 100], [0, 0, 100, 46], [0, 0, 44, 100.0]])
    assert nms(boxes, torch.ones(3, dtype=torch.bool)).tolist() == [True, False, True]


def test_400_candidates_per_class_by_default():
    logits, offsets = outputs(1, classes=2)
    found = postprocess(logits, offsets, VOC, iou_threshold=1, detections_per_image=1000)
    assert len(found[0].scores) == 400


def test_detections_are_made_on_the_device_of_the_logits():
    logits, offsets = sparse()
    want = postprocess(logits, offsets, VOC)
    with torch.device("meta"):  # an index that would be made there reads anything
        got = postprocess(logits, offsets, VOC)
    for one, other in zip(got, want, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_one_of_each_limit_is_accepted():
    (found,) = postprocess(*outputs(1), VOC, candidates_per_class=1, detections_per_image=1)
    assert len(found.scores) == 1
