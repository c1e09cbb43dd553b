"""Matching: Caffe's greedy rule, the ports' argmax, and the result for every ground truth."""

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ssd_tutorial import matching
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from ssd_tutorial.matching import match
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import Targets, make_targets
from tests.parity import reference

VOC = make_priors(get_preset("caffe300_voc"))


def one_image(*rows, labels=None):
    """Return targets of a single image."""
    labels = torch.tensor(labels or [1] * len(rows), dtype=torch.int64)
    return make_targets([torch.tensor(rows).float().view(-1, 4)], [labels], num_classes=21)


def prior_rows(*rows):
    """Return priors given by their corners."""
    return xyxy_to_cxcywh(torch.tensor(rows).float())


def match_bbox(table, threshold, smallest=0.0):
    """Match one image as Caffe's MatchBBox: `table[prior][ground truth]` is their IoU.

    Phase one repeats: look through all free priors and all ground truths without a prior, take the
    pair with the largest overlap (the first of equals), until none overlaps by more than
    `smallest`, which is 1e-6 there. Phase two gives each free prior the ground truth that it
    overlaps most, if that is at least `threshold`.
    """
    owner = [-1] * len(table)
    waiting = list(range(len(table[0])))
    while waiting:
        best, pair = smallest, None
        for prior, row in enumerate(table):
            if owner[prior] == -1:
                for truth in waiting:
                    if row[truth] > best:
                        best, pair = row[truth], (prior, truth)
        if pair is None:
            break
        owner[pair[0]] = pair[1]
        waiting.remove(pair[1])
    for prior, row in enumerate(table):
        if owner[prior] == -1:
            best = threshold
            for truth, overlap in enumerate(row):
                if overlap > best or (overlap == best and owner[prior] == -1):
                    best, owner[prior] = overlap, truth
    return owner


def check_against_match_bbox(priors, targets, threshold=0.5):
    got = match(priors, targets, threshold)
    for image, real in enumerate(targets.real):
        boxes = targets.boxes[image][real]
        if len(boxes) == 0:
            assert (got.ground_truth[image] == -1).all()
            continue
        table = iou(boxes, cxcywh_to_xyxy(priors)).mT.tolist()
        want = match_bbox(table, threshold)
        assert got.ground_truth[image].tolist() == want


# --- Caffe's rule --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_matching_equals_caffes_loop(seed):
    """Random priors and ground truths; in odd seeds more ground truths than priors."""
    generator = torch.Generator().manual_seed(seed)
    num_priors = int(torch.randint(1, 40, (), generator=generator))
    most = 2 * num_priors if seed % 2 else 8
    counts = torch.randint(0, most + 1, (6,), generator=generator).tolist()
    targets = reference.draw_targets(counts, 21, generator)
    priors = reference.draw_targets([num_priors], 2, generator, smallest=0.1)
    check_against_match_bbox(xyxy_to_cxcywh(priors.boxes[0]), targets)


grid_box = st.tuples(*[st.integers(0, 3)] * 2, *[st.integers(1, 4)] * 2).map(
    lambda t: [t[0] / 4, t[1] / 4, min(1, (t[0] + t[2]) / 4), min(1, (t[1] + t[3]) / 4)]
)


@given(
    st.lists(grid_box, min_size=1, max_size=10),
    st.lists(st.lists(grid_box, max_size=10), min_size=1, max_size=3),
    st.sampled_from([0.25, 0.5, 1.0]),
)
def test_matching_equals_caffes_loop_with_ties(priors, images, threshold):
    """Boxes on a coarse grid: equal boxes and equal IoUs everywhere, and IoUs at the threshold."""
    boxes = [torch.tensor(rows).view(-1, 4) for rows in images]
    targets = make_targets(boxes, [torch.ones(len(b)).long() for b in boxes], num_classes=2)
    check_against_match_bbox(prior_rows(*priors), targets, threshold)


@pytest.mark.parametrize("seed", range(3))
def test_matching_equals_caffes_loop_on_real_priors(seed):
    """Small objects crowded into a corner, where they compete for the first priors."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(12, 2, generator=generator) * 0.03
    boxes = torch.cat([low, low + 0.02 + 0.05 * torch.rand(12, 2, generator=generator)], 1)
    boxes[6:9] = boxes[3]
    targets = make_targets([boxes], [torch.ones(12).long()], num_classes=2)
    check_against_match_bbox(VOC, targets)


def test_the_best_pair_of_all_goes_first():
    """The left ground truth overlaps prior 0 most, but the right one overlaps it more."""
    priors = prior_rows([0, 0, 0.4, 0.4], [0, 0, 0.2, 0.8])
    fits, near = [0, 0, 0.4, 0.41], [0, 0, 0.4, 0.6]
    table = iou(torch.tensor([near, fits]), cxcywh_to_xyxy(priors))[:, 0]
    assert table[1] > table[0] > 0.5
    got = match(priors, one_image(near, fits))
    assert got.ground_truth.tolist() == [[1, 0]]
    assert match(priors, one_image(fits, near)).ground_truth.tolist() == [[0, 1]]


def test_a_prior_at_the_threshold_is_positive_and_below_it_negative():
    priors = prior_rows([0, 0, 0.5, 0.5], [0, 0, 0.5, 1.0], [0, 0, 0.5, 1 - 1 / 128])
    half = one_image([0, 0, 0.5, 0.5])
    assert match(priors, half).iou[0, 1] == 0.5
    assert match(priors, half).ground_truth.tolist() == [[0, 0, 0]]
    assert match(priors, half, threshold=0.51).ground_truth.tolist() == [[0, -1, -1]]
    low = prior_rows([0, 0, 0.5, 0.5], [0, 0, 0.5, 1.0 + 1 / 128])
    assert match(low, half).ground_truth.tolist() == [[0, -1]]


def test_there_is_no_band_between_positive_and_negative():
    got = match(VOC, reference.draw_targets([6, 6], 21, torch.Generator().manual_seed(0)))
    first_step = [set(), set()]
    for image in range(2):
        for truth in range(6):
            mine = (got.ground_truth[image] == truth).nonzero().flatten()
            first_step[image].add(int(mine[got.iou[image, mine].argmax()]))
    for image in range(2):
        rest = torch.ones(len(VOC), dtype=torch.bool)
        rest[list(first_step[image])] = False
        assert torch.equal(got.positive[image][rest], (got.iou[image] >= 0.5)[rest])


def test_a_ground_truth_below_the_threshold_still_gets_its_best_prior():
    thin = one_image([0.1, 0.5, 0.9, 0.505])
    got = match(VOC, thin)
    best, prior = iou(thin.boxes[0], cxcywh_to_xyxy(VOC))[0].max(0)
    assert best < 0.5
    assert got.positive.nonzero().tolist() == [[0, int(prior)]]
    assert got.iou[0, prior] == best


def test_reported_iou_is_with_the_ground_truth_that_was_given():
    crowd = torch.tensor([[0.5, 0.5, 0.53, 0.53]]).repeat(8, 1)
    crowd[:, 2:] += torch.linspace(0, 0.01, 8)[:, None]
    spread = reference.draw_targets([9], 21, torch.Generator().manual_seed(1)).boxes[0]
    labels = [torch.ones(n).long() for n in (8, 0, 9)]
    targets = make_targets([crowd, spread[:0], spread], labels, num_classes=2)
    got = match(VOC, targets)
    overlap = iou(targets.boxes, cxcywh_to_xyxy(VOC))
    owned = overlap.gather(1, got.ground_truth.clamp(min=0)[:, None]).squeeze(1)
    given_another = got.positive & (owned < overlap.amax(1))
    assert given_another[0].any()  # in the crowd some priors go to one that is not their nearest
    assert torch.equal(got.iou, torch.where(got.positive, owned, overlap.amax(1)))


# --- every ground truth keeps a prior ------------------------------------------------------------

coordinate = st.floats(0, 1, width=32)
tiny = st.floats(0, 2**-10, width=32)


@st.composite
def objects(draw):
    """Draw a box inside the image: anywhere, at a border, in a corner, or minute."""
    low, high = [], []
    for _ in "xy":
        a = draw(st.one_of(coordinate, st.sampled_from([0.0, 1.0, 0.5]), tiny))
        b = draw(st.one_of(coordinate, st.just(a).map(lambda v: v + 2**-23), tiny))
        low.append(min(a, b))
        high.append(min(max(a, b), 1.0))
    return [*low, *high]


@settings(max_examples=150)
@given(st.sampled_from(list(PRESETS)), st.lists(objects(), min_size=1, max_size=8))
@example("caffe300_voc", [[0, 0, 2.0**-62, 2.0**-62]])
@example("caffe300_coco", [[0, 0, 2.0**-126, 1]])
@example("caffe512_coco", [[1 - 2.0**-24, 1 - 2.0**-24, 1, 1]])
@example("torchvision300_coco", [[0, 0, 0.001, 0.001]] * 8)
def test_every_ground_truth_inside_the_picture_keeps_a_prior(name, rows):
    """Whatever `make_targets` lets through: down to an area of 1e-38."""
    try:
        targets = one_image(*rows)
    except ValueError:
        assume(False)
    matched = match(make_priors(get_preset(name)), targets).ground_truth[0].unique().tolist()
    assert [i for i in matched if i >= 0] == list(range(len(rows)))


def test_equal_ground_truths_get_a_prior_each_while_one_touches_them():
    """78 priors of caffe300_voc reach a corner, so 78 objects fit there, and the 79th does not."""
    corner = [0.0, 0, 1e-3, 1e-3]
    reach = int((iou(torch.tensor([corner]), cxcywh_to_xyxy(VOC)) > 0).sum())
    assert reach == 78
    for count in (reach, reach + 20):
        kept = match(VOC, one_image(*[corner] * count)).ground_truth.unique().tolist()
        assert len([i for i in kept if i >= 0]) == reach


def test_caffes_own_limit_loses_a_minute_object_that_ours_keeps():
    minute = one_image([0.5, 0.5, 0.5 + 2e-5, 0.5 + 2e-5])  # a hundredth of a pixel
    table = iou(minute.boxes[0], cxcywh_to_xyxy(VOC)).mT.tolist()
    assert set(match_bbox(table, 0.5, smallest=1e-6)) == {-1}
    assert int(match(VOC, minute).positive.sum()) == 1


# --- argmax, as in the ports ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_argmax_equals_torchvisions_matcher(seed):
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 30, (8,), generator=generator).tolist()
    targets = reference.draw_targets(counts, 21, generator)
    assert torch.equal(
        match(VOC, targets, method="argmax").ground_truth, reference.match(VOC, targets)
    )


def test_argmax_equals_torchvisions_matcher_in_a_crowd():
    """Equal and nearly equal ground truths with the same best prior: the last one gets it."""
    generator = torch.Generator().manual_seed(5)
    targets = reference.draw_targets([40, 40], 21, generator, smallest=0.2)
    targets.boxes[:, 1::2] = targets.boxes[:, ::2]
    ours = match(VOC, targets, method="argmax").ground_truth
    assert torch.equal(ours, reference.match(VOC, targets))
    assert len(ours[0].unique()) - 1 < 40  # some are lost
    assert len(match(VOC, targets).ground_truth[0].unique()) - 1 == 40  # ours keeps all


def test_a_ground_truth_that_vanishes_in_torchvision_and_stays_in_ours():
    """Two small objects at one spot share their best prior, and no other prior reaches 0.5."""
    near, nearer = [0.501, 0.5, 0.531, 0.53], [0.50, 0.50, 0.53, 0.53]
    targets = one_image(near, nearer, labels=[7, 9])
    theirs, ours = reference.match(VOC, targets), match(VOC, targets)
    assert theirs.unique().tolist() == [-1, 1]
    assert ours.ground_truth.unique().tolist() == [-1, 0, 1]
    assert sorted(ours.labels(targets)[ours.positive].tolist()) == [7, 9]
    assert torch.equal(match(VOC, targets, method="argmax").ground_truth, theirs)


def test_both_rules_agree_where_no_best_prior_is_shared():
    targets = reference.draw_targets([4] * 8, 21, torch.Generator().manual_seed(3))
    best = iou(targets.boxes, cxcywh_to_xyxy(VOC)).argmax(2)
    alone = [len(set(row)) == 4 for row in best.tolist()]
    assert sum(alone) >= 6
    ours, ports = (match(VOC, targets, method=r).ground_truth for r in ("bipartite", "argmax"))
    assert torch.equal(ours[alone], ports[alone])


# --- batches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["bipartite", "argmax"])
def test_images_and_padding_do_not_affect_each_other(rule):
    generator = torch.Generator().manual_seed(2)
    targets = reference.draw_targets([3, 0, 12, 1, 12], 21, generator)
    together = match(VOC, targets, method=rule)
    for image, one in enumerate(reference.as_dicts(targets)):
        alone = match(VOC, make_targets([one["boxes"]], [one["labels"]], 21), method=rule)
        assert torch.equal(alone.ground_truth[0], together.ground_truth[image])
        assert torch.equal(alone.iou[0], together.iou[image])
        assert together.ground_truth[image].max() < max(len(one["labels"]), 1)
    assert not together.positive[1].any()


@given(st.permutations(range(7)))
def test_the_order_of_ground_truths_does_not_matter(order):
    targets = reference.draw_targets([7], 21, torch.Generator().manual_seed(11), smallest=0.1)
    shuffled = make_targets([targets.boxes[0][order]], [targets.labels[0][order]], 21)
    got, want = match(VOC, shuffled).ground_truth[0], match(VOC, targets).ground_truth[0]
    back = torch.tensor([*order, -1])  # -1 stays -1
    assert torch.equal(back[got], want)


def test_labels_are_those_of_the_ground_truths():
    targets = reference.draw_targets([4, 0, 2], 21, torch.Generator().manual_seed(4))
    got = match(VOC, targets)
    labels = got.labels(targets)
    assert labels.shape == (3, len(VOC))
    assert torch.equal(labels > 0, got.positive)
    for image in range(3):
        for truth in range(int(targets.real[image].sum())):
            mine = labels[image][got.ground_truth[image] == truth]
            assert mine.unique().tolist() == [int(targets.labels[image, truth])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "hungarian"}, "method must be 'bipartite' or 'argmax', not 'hungarian'"),
        ({"threshold": 0}, r"in \(0, 1\], not 0"),
        ({"threshold": 50}, r"in \(0, 1\], not 50"),
        ({"threshold": 1.5}, r"in \(0, 1\], not 1.5"),
        ({"priors_cxcywh": VOC[:, :3]}, r"priors must be \[P, 4\], not \[8732, 3\]"),
        ({"priors_cxcywh": VOC[None]}, r"priors must be \[P, 4\], not \[1, 8732, 4\]"),
        ({"priors_cxcywh": VOC[:0]}, r"priors must be \[P, 4\], not \[0, 4\]"),
        ({"targets": Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0))}, r"\[B, G\].*not \[1, 0\]"),
        ({"targets": Targets(torch.zeros(0, 1, 4), torch.zeros(0, 1))}, r"\[B, G\].*not \[0, 1\]"),
        (
            {"targets": Targets(torch.full((1, 1, 4), torch.nan), torch.ones(1, 1))},
            r"targets\[0, 0\]",
        ),
        (
            {"targets": Targets(torch.tensor([[[0, 0, 1, torch.inf]] * 2]), torch.ones(1, 2))},
            r"targets\[0, 0\]: .* is not finite",
        ),
        ({"priors_cxcywh": VOC / torch.eye(8732, 4)}, r"priors\[0\]: .* is not finite"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        match(**{"priors_cxcywh": VOC, "targets": one_image([0, 0, 1, 1]), **arguments})


@pytest.mark.parametrize("method", ["bipartite", "argmax"])
def test_blocks_leave_no_trace(method, monkeypatch):
    """Objects are compared with the priors in blocks, and so are the priors that reach 0.05."""
    counts = [0, 45, 1, 70, 3]
    targets = reference.draw_targets(counts, 21, torch.Generator().manual_seed(7))
    want = match(VOC, targets, 0.05, method)
    assert want.positive.sum() > 3 * 64 * 32
    for block in (1, 8, 1000):
        monkeypatch.setattr(matching, "_BLOCK", block)
        got = match(VOC, targets, 0.05, method)
        assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


@given(st.integers(0, 2**31))
def test_bipartite_takes_the_largest_of_what_is_left(seed):
    """The queue of wishes against rounds on a table, with ties."""
    random = torch.Generator().manual_seed(seed)
    table = (torch.rand(6, 9, generator=random) * 5).round() / 5
    rounds, left = {}, table.clone()
    while left.max() > 0:
        value = left.max()
        owner = int((left == value).any(dim=1).nonzero()[0])
        prior = int(left[owner].argmax())
        rounds[0, prior] = owner
        left[owner], left[:, prior] = 0, 0
    best = zip(*(x.tolist() for x in table.max(dim=1)), strict=True)
    wishes = [(-value, owner, 0, prior) for owner, (value, prior) in enumerate(best) if value]
    assert matching._bipartite(wishes, lambda owners: table[owners]) == rounds


def test_those_who_wish_for_the_prior_of_a_better_wish_look_again_together():
    table = torch.tensor([[0.5, 0.0, 0.4], [0.8, 0.3, 0.7], [0.6, 0.2, 0.0], [0.0, 0.0, 0.4]])
    calls = []

    def look_again(owners):
        calls.append(owners)
        return table[owners]

    wishes = [(-0.5, 0, 0, 0), (-0.8, 1, 0, 0), (-0.6, 2, 0, 0), (-0.4, 3, 0, 2)]
    # 0 takes its second choice before 3 can, as it comes first among equals, and 3 has no other
    assert matching._bipartite(wishes, look_again) == {(0, 0): 1, (0, 2): 0, (0, 1): 2}
    assert calls == [[2, 0], [3]]


def test_targets_and_priors_of_different_precision_are_matched():
    targets = one_image([0.11, 0.16, 0.52, 0.63])
    want = match(VOC, targets)
    for priors, boxes in ((VOC, targets.boxes.double()), (VOC.double(), targets.boxes)):
        got = match(priors, Targets(boxes, targets.labels))
        assert torch.equal(got.positive, want.positive)
        torch.testing.assert_close(got.iou, want.iou.double(), atol=1e-5, rtol=0)


def test_matches_are_on_the_device_of_the_priors():
    targets = reference.draw_targets([3, 0, 5], 21, torch.Generator().manual_seed(0))
    want = match(VOC, targets)
    with torch.device("meta"):  # an index that would be made there reads anything
        got = match(VOC, targets)
    assert torch.equal(got.ground_truth, want.ground_truth)
    assert torch.equal(got.iou, want.iou)
