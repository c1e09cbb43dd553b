"""The MultiBox loss: by hand, against torchvision's (values and gradients), and at extremes."""

import math

import pytest
import torch

from ssd_tutorial.boxes import cxcywh_to_xyxy, encode, xyxy_to_cxcywh
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import Targets, make_targets
from tests.parity import reference

VOC = make_priors(get_preset("caffe300_voc"))


def outputs(batch, priors=8732, classes=21, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(batch, priors, classes, generator=generator)
    offsets = torch.randn(batch, priors, 4, generator=generator)
    return logits.to(dtype).requires_grad_(), offsets.to(dtype).requires_grad_()


def no_objects(batch):
    return make_targets([torch.zeros(0, 4)] * batch, [torch.zeros(0).long()] * batch, 21)


def some_objects(counts, seed=0):
    return reference.draw_targets(counts, 21, torch.Generator().manual_seed(seed))


# --- by hand -------------------------------------------------------------------------------------


def slow_loss(logits, offsets, targets, priors, ratio=3):
    """Compute the paper's equations in Python floats, one prior at a time."""
    matched = match(priors, targets).ground_truth
    confidence = localization = positives = 0.0
    for image in range(len(logits)):
        minus_log_p = []
        for scores in logits[image].tolist():
            top = max(scores)
            log_sum = top + math.log(sum(math.exp(s - top) for s in scores))
            minus_log_p.append([log_sum - s for s in scores])
        found = [p for p in range(len(priors)) if matched[image, p] >= 0]
        others = [p for p in range(len(priors)) if matched[image, p] < 0]
        others.sort(key=lambda p: -minus_log_p[p][0])
        positives += len(found)
        confidence += sum(minus_log_p[p][0] for p in others[: int(ratio * len(found))])
        for p in found:
            truth = int(matched[image, p])
            confidence += minus_log_p[p][int(targets.labels[image, truth])]
            x0, y0, x1, y1 = targets.boxes[image, truth].tolist()
            cx, cy, w, h = priors[p].tolist()
            want = [
                ((x0 + x1) / 2 - cx) / w / 0.1,
                ((y0 + y1) / 2 - cy) / h / 0.1,
                math.log((x1 - x0) / w) / 0.2,
                math.log((y1 - y0) / h) / 0.2,
            ]
            for got, wanted in zip(offsets[image, p].tolist(), want, strict=True):
                far = abs(got - wanted)
                localization += far - 0.5 if far > 1 else far**2 / 2
    n = max(1.0, positives)
    return confidence / n, localization / n, positives


@pytest.mark.parametrize("counts", [[3], [2, 0, 5], [1, 1], [0, 4]])
@pytest.mark.parametrize("ratio", [3, 1])
def test_the_loss_equals_the_papers_equations(counts, ratio):
    priors = VOC[-190:]  # the three smallest maps
    targets = some_objects(counts, seed=len(counts))
    logits, offsets = outputs(len(counts), len(priors), seed=9)
    got = multibox_loss(logits, offsets, targets, priors, negative_ratio=ratio)
    confidence, localization, positives = slow_loss(logits, offsets, targets, priors, ratio)
    assert got.num_positives.item() == positives
    assert got.confidence.item() == pytest.approx(confidence, rel=1e-5)
    assert got.localization.item() == pytest.approx(localization, rel=1e-5)
    assert got.total.item() == pytest.approx(confidence + localization, rel=1e-5)


def test_uniform_scores_and_perfect_boxes_cost_log_of_the_classes():
    """Each of the 4 counted priors per positive costs log 21; boxes cost nothing."""
    targets = some_objects([4, 2])
    matches = match(VOC, targets)
    boxes = targets.boxes.gather(1, matches.ground_truth.clamp(min=0)[..., None].expand(-1, -1, 4))
    offsets = torch.where(matches.positive[..., None], encode(boxes, VOC), torch.nan)
    got = multibox_loss(torch.zeros(2, 8732, 21), offsets, targets, VOC)
    assert got.confidence.item() == pytest.approx(4 * math.log(21), rel=1e-5)
    assert got.localization.item() == pytest.approx(0, abs=1e-9)


def test_n_is_counted_over_the_batch():
    """An image with one positive weighs less than one with many: sums, not means of means."""
    targets, (logits, offsets) = some_objects([1, 12]), outputs(2)
    both = multibox_loss(logits, offsets, targets, VOC)
    single = [
        multibox_loss(logits[[i]], offsets[[i]], Targets(*(x[[i]] for x in targets)), VOC)
        for i in range(2)
    ]
    assert single[0].num_positives != single[1].num_positives
    summed = sum(one.total * one.num_positives for one in single)
    torch.testing.assert_close(both.total, summed / both.num_positives)


def test_alpha_weights_the_boxes():
    targets, (logits, offsets) = some_objects([3, 3]), outputs(2)
    plain, weighed = (multibox_loss(logits, offsets, targets, VOC, alpha=a) for a in (1, 2.5))
    assert torch.equal(plain.confidence, weighed.confidence)
    assert torch.equal(plain.localization, weighed.localization)
    torch.testing.assert_close(weighed.total, plain.confidence + 2.5 * plain.localization)
    torch.testing.assert_close(plain.total, plain.confidence + plain.localization)


def test_given_matches_are_used():
    targets, (logits, offsets) = some_objects([3, 3]), outputs(2)
    want = multibox_loss(logits, offsets, targets, VOC)
    assert multibox_loss(logits, offsets, targets, VOC, matches=match(VOC, targets)) == want
    stricter = match(VOC, targets, threshold=0.7)
    got = multibox_loss(logits, offsets, targets, VOC, matches=stricter)
    assert got.num_positives == stricter.positive.sum() < want.num_positives


def test_variances_change_the_target():
    targets, (logits, offsets) = some_objects([3]), outputs(1)
    got = multibox_loss(logits, offsets, targets, VOC, variances=(1.0, 1, 1, 1))
    want = multibox_loss(logits, offsets, targets, VOC)
    assert got.localization != want.localization
    assert torch.equal(got.confidence, want.confidence)


def test_gradients_reach_only_what_counts():
    targets, (logits, offsets) = some_objects([4, 0, 7]), outputs(3)
    matches = match(VOC, targets)
    multibox_loss(logits, offsets, targets, VOC).total.backward()
    moved = (logits.grad != 0).any(-1)
    assert (moved & matches.positive).sum() == matches.positive.sum()
    assert torch.equal(moved.sum(1), 4 * matches.positive.sum(1))
    assert torch.equal((offsets.grad != 0).any(-1), matches.positive)


def test_gradients_agree_with_finite_differences():
    """With float64 outputs (boxes and priors stay float32)."""
    priors, targets = VOC[-190:], some_objects([2, 3])
    logits, offsets = outputs(2, len(priors), classes=5, dtype=torch.float64)
    targets = targets._replace(labels=targets.labels % 4 + 1)
    loss = multibox_loss(logits, offsets, targets, priors)
    grad = torch.autograd.grad(loss.total, [logits, offsets])
    generator = torch.Generator().manual_seed(1)
    for x, g in zip((logits, offsets), grad, strict=True):
        step = 1e-2 * torch.randn(x.shape, generator=generator)
        with torch.no_grad():
            a, b = (
                multibox_loss(
                    logits + s * step if x is logits else logits,
                    offsets + s * step if x is offsets else offsets,
                    targets,
                    priors,
                ).total
                for s in (1, -1)
            )
        assert (a - b).item() / 2 == pytest.approx((g * step).sum().item(), rel=2e-2)


# --- against torchvision -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_values_and_gradients_equal_torchvisions(seed):
    counts = torch.randint(0, 12, (4,), generator=torch.Generator().manual_seed(seed)).tolist()
    targets, (logits, offsets) = some_objects(counts, seed), outputs(4, seed=seed)
    matches = match(VOC, targets, method="argmax")
    ours = multibox_loss(logits, offsets, targets, VOC, matches=matches)
    mine = torch.autograd.grad(ours.total, [logits, offsets])
    confidence, localization = reference.loss(logits, offsets, targets, VOC, matches.ground_truth)
    theirs = torch.autograd.grad(confidence + localization, [logits, offsets])
    torch.testing.assert_close(ours.confidence, confidence, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.localization, localization, rtol=1e-5, atol=1e-6)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_torchvision_counts_positives_twice_where_negatives_run_out():
    """60 of 100 priors are on the object, so 3 x 60 negatives are wanted, but there are only 40."""
    generator = torch.Generator().manual_seed(0)
    near = torch.tensor([0.25, 0.25, 0.75, 0.75]) + 0.02 * torch.rand(60, 4, generator=generator)
    far = torch.tensor([0.0, 0, 0.1, 0.1]) + 0.02 * torch.rand(40, 4, generator=generator)
    priors = xyxy_to_cxcywh(torch.cat([near, far]))
    targets = make_targets([torch.tensor([[0.26, 0.26, 0.76, 0.76]])], [torch.tensor([3])], 21)
    logits, offsets = outputs(1, 100)
    matches = match(priors, targets, method="argmax")
    assert int(matches.positive.sum()) == 60
    ours = multibox_loss(logits, offsets, targets, priors, matches=matches)
    theirs, _ = reference.loss(logits, offsets, targets, priors, matches.ground_truth)
    each = torch.nn.functional.cross_entropy(
        logits[0], matches.labels(targets)[0], reduction="none"
    )
    torch.testing.assert_close(ours.confidence, each.sum() / 60)
    torch.testing.assert_close(theirs, (each.sum() + each[:60].sum()) / 60)


def test_no_difference_where_negatives_just_suffice():
    """60 negatives for 20 positives: the last case in which both rules agree."""
    generator = torch.Generator().manual_seed(0)
    near = torch.tensor([0.25, 0.25, 0.75, 0.75]) + 0.02 * torch.rand(20, 4, generator=generator)
    far = torch.tensor([0.0, 0, 0.1, 0.1]) + 0.02 * torch.rand(60, 4, generator=generator)
    priors = xyxy_to_cxcywh(torch.cat([near, far]))
    targets = make_targets([torch.tensor([[0.26, 0.26, 0.76, 0.76]])], [torch.tensor([3])], 21)
    logits, offsets = outputs(1, 80)
    matches = match(priors, targets, method="argmax")
    ours = multibox_loss(logits, offsets, targets, priors, matches=matches)
    theirs, _ = reference.loss(logits, offsets, targets, priors, matches.ground_truth)
    torch.testing.assert_close(ours.confidence, theirs)


# --- pictures without objects, extreme numbers ---------------------------------------------------


def test_a_batch_without_objects_costs_nothing_and_has_no_gradient():
    logits, offsets = outputs(2)
    got = multibox_loss(logits, offsets, no_objects(2), VOC)
    assert got.total.item() == got.confidence.item() == got.localization.item() == 0
    assert got.num_positives.item() == 0
    got.total.backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))
    assert torch.equal(offsets.grad, torch.zeros_like(offsets))


def test_a_picture_without_objects_beside_others_has_no_gradient():
    targets, (logits, offsets) = some_objects([5, 0]), outputs(2)
    got = multibox_loss(logits, offsets, targets, VOC)
    got.total.backward()
    alone = multibox_loss(logits[:1], offsets[:1], Targets(*(x[:1] for x in targets)), VOC)
    torch.testing.assert_close(got.total, alone.total)
    assert got.total > 0
    for grad in (logits.grad, offsets.grad):
        assert grad.isfinite().all()
        assert (grad[1] == 0).all()
        assert (grad[0] != 0).any()


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extreme_outputs_give_finite_values_and_gradients(size):
    targets, (logits, offsets) = some_objects([5, 5]), outputs(2)
    logits, offsets = ((x * size).detach().requires_grad_() for x in (logits, offsets))
    got = multibox_loss(logits, offsets, targets, VOC)
    got.total.backward()
    assert got.total.isfinite()
    assert logits.grad.isfinite().all()
    assert offsets.grad.isfinite().all()


def test_extreme_boxes_give_finite_values_and_gradients():
    """What `make_targets` lets through: down to a millionth of a pixel, next to the whole image."""
    rows = [[0, 0, 1e-9, 1e-9], [0.5, 0.5, 0.5 + 1e-7, 1], [0, 0, 1, 1], [0, 0.999, 1e-8, 1]]
    targets = make_targets([torch.tensor(rows)], [torch.tensor([1, 2, 3, 4])], 21)
    logits, offsets = outputs(1)
    got = multibox_loss(logits, offsets, targets, VOC)
    got.total.backward()
    assert got.total.isfinite()
    assert offsets.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outputs_give_a_single_precision_loss(dtype):
    """The network's output may be half precision; the loss is single precision on its values."""
    targets, (logits, offsets) = some_objects([6, 9]), outputs(2, dtype=dtype)
    got = multibox_loss(logits, offsets, targets, VOC)
    want = multibox_loss(logits.float(), offsets.float(), targets, VOC)
    assert got.total.dtype == torch.float32
    assert torch.equal(got.total, want.total)
    got.total.backward()
    assert logits.grad.dtype == offsets.grad.dtype == dtype
    assert logits.grad.isfinite().all()
    assert offsets.grad.isfinite().all()


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": torch.zeros(2, 8731, 21)}, r"logits must be \[B, P, C\].*P = 8732.*8731"),
        ({"logits": torch.zeros(3, 8732, 21)}, r"B = 2 images of targets.*\[3, 8732, 21\]"),
        ({"logits": torch.zeros(2, 8732)}, r"logits must be \[B, P, C\]"),
        ({"offsets": torch.zeros(2, 8732, 5)}, r"offsets must be \[2, 8732, 4\]"),
        ({"offsets": torch.zeros(2, 8732 * 4)}, r"offsets must be \[2, 8732, 4\]"),
        ({"priors_cxcywh": VOC[:-1]}, r"P = 8731"),
    ],
)
def test_shapes_that_do_not_match_are_refused(change, message):
    logits, offsets = outputs(2)
    good = {"logits": logits, "offsets": offsets, "targets": some_objects([1, 2])}
    with pytest.raises(ValueError, match=message):
        multibox_loss(**{**good, "priors_cxcywh": VOC, **change})


def test_a_label_without_a_class_is_named():
    targets = make_targets(
        [torch.tensor([[0.1, 0.1, 0.5, 0.5]])] * 2, [torch.tensor([2]), torch.tensor([7])], 8
    )
    logits, offsets = outputs(2, classes=7)
    with pytest.raises(ValueError, match=r"image 1, box 0: label 7, but .* 7 classes, 0 \.\. 6"):
        multibox_loss(logits, offsets, targets, VOC)


def test_priors_are_read_as_cxcywh():
    """If it were read as corners, this prior would be a point."""
    prior = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    assert cxcywh_to_xyxy(prior).tolist() == [[0, 0, 1, 1]]
    targets = make_targets([torch.tensor([[0.0, 0, 1, 1]])], [torch.tensor([1])], 2)
    got = multibox_loss(torch.zeros(1, 1, 2), torch.zeros(1, 1, 4), targets, prior)
    assert got.localization.item() == 0
    assert got.confidence.item() == pytest.approx(math.log(2))


def test_a_nan_score_reaches_the_loss():
    """Mining ranks it first, so that training sees it and stops."""
    logits, offsets = (x.detach() for x in outputs(2))
    targets = some_objects([2, 1])
    assert multibox_loss(logits, offsets, targets, VOC).total.isfinite()
    logits[0, 5000] = torch.nan
    assert multibox_loss(logits, offsets, targets, VOC).total.isnan()


def test_miners_are_told_infinity_where_a_loss_is_nan_or_infinite():
    logits, offsets = (x.detach() for x in outputs(1))
    logits[0, 10] = torch.nan
    logits[0, 20, 0] = -torch.inf  # impossible that it is background
    told = []

    def miner(background_loss, positive, ratio):
        told.append(background_loss)
        return torch.zeros_like(positive)

    multibox_loss(logits, offsets, some_objects([1]), VOC, mine=miner)
    assert told[0].isinf().nonzero().tolist() == [[0, 10], [0, 20]]
