"""The later ideas of chapter 19: each small version does what the chapter says that it does."""

from itertools import permutations

import pytest
import torch
from ssd_book import after_ssd
from ssd_book.receptive import field_box, views
from torch.nn import functional as F

from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.priors import make_priors

PRESET = SLIM300.priors


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SSD(SLIM300, 3).eval()


def test_maps_and_predictions_are_those_of_the_network(network):
    images = torch.rand(2, 3, 300, 300)
    with torch.inference_mode():
        *maps, logits, offsets = after_ssd.maps_and_predictions(network, images)
        assert all(map(torch.equal, maps, network.feature_maps(images)))
        assert torch.equal(logits, network(images)[0])
        assert torch.equal(offsets, network(images)[1])


@pytest.mark.parametrize(("row", "column"), [(18, 18), (5, 30), (37, 0)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_cell_of_the_sum_depends_on_no_pixel_outside_its_field(network, count, row, column):
    images = torch.rand(1, 3, 300, 300, requires_grad=True)
    merged = after_ssd.enlarged(network.feature_maps(images)[:count])
    (slope,) = torch.autograd.grad(merged[0, :, row, column].sum(), images)
    seen = slope.abs().sum(dim=(0, 1)).nonzero()
    field = after_ssd.top_down_field(views(network)[:count], row, column)
    low, high = seen.amin(dim=0).flip(0).tolist(), seen.amax(dim=0).flip(0).tolist()
    for least, most, start, end in zip(low, high, field[:2], field[2:], strict=True):
        assert max(start, 0) - 0.5 <= least
        assert most + 1 <= min(end, 300) + 0.5
    if (row, column, count) == (18, 18, 1):
        assert field == field_box(views(network)[0], row, column)


def test_names_are_read_from_what_a_cell_knows_and_never_guessed_from_its_own_scene():
    boxes = [torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.6, 0.5, 0.9, 0.9]])] * 8
    labels = [torch.tensor([1 + i % 2, 2 - i % 2]) for i in range(8)]
    owner = [after_ssd._painted(b, n, 38) for b, n in zip(boxes, labels, strict=True)]
    told = F.one_hot(torch.stack(owner), 3).permute(0, 3, 1, 2).float()
    assert torch.cat(after_ssd.read_names(told, boxes, labels, 3)).all()
    place = torch.arange(8).view(8, 1, 1, 1).expand(8, 1, 38, 38).float()  # only the scene's number
    assert not torch.cat(after_ssd.read_names(place, boxes, labels, 3)).all()


def test_there_is_one_point_per_cell_at_its_centre():
    points = after_ssd.make_points(PRESET)
    assert points.map.bincount().tolist() == [fm.cells**2 for fm in PRESET.maps]
    priors = make_priors(PRESET)[: 38 * 38 * 4 : 4, :2]
    assert torch.allclose(points.at[points.map == 0], priors)


def test_points_take_boxes_of_their_maps_size_and_the_smaller_of_two():
    points = after_ssd.make_points(PRESET)
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.4, 0.4], [0.6, 0.6, 0.64, 0.64]])
    anywhere = after_ssd.candidates(points, boxes)
    both = anywhere[:, 0] & anywhere[:, 1]
    everything = [-1.0, *[2.0] * 6]  # the first map takes all, the others nothing
    taken = after_ssd.assign_points(points, boxes, everything)
    assert (taken[both & (points.map == 0)] == 1).all()
    assert (taken[points.map > 0] == -1).all()
    far = after_ssd.distances(points.at, boxes).amax(dim=2)
    halves = [0.0, 0.15, *[9.0] * 5]
    fits = after_ssd.candidates(points, boxes, halves)
    assert (far[fits & (points.map == 0)[:, None]] <= 0.15).all()
    assert (far[fits & (points.map == 1)[:, None]] > 0.15).all()
    assert (fits & ~anywhere).sum() == 0


def test_centreness_is_1_in_the_middle_and_falls_to_0_at_every_edge():
    box = torch.tensor([[0.2, 0.1, 0.6, 0.9]])
    at = torch.tensor([[0.4, 0.5], [0.2, 0.5], [0.4, 0.9], [0.3, 0.3]])
    expected = torch.tensor([1, 0, 0, (1 / 3 * 1 / 3) ** 0.5])
    assert torch.allclose(after_ssd.centreness(at, box), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (3, 6), (4, 5), (5, 5)])
def test_no_way_is_cheaper_than_that_of_match_set(shape):
    rows, columns = shape
    for seed in range(10):
        cost = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5
        found = after_ssd.match_set(cost)
        assert len(set(found)) == rows
        total = cost[range(rows), found].sum()
        ways = permutations(range(columns), rows)
        assert total <= min(cost[range(rows), way].sum() for way in ways) + 1e-6


def test_the_cost_of_a_set_prefers_the_right_class_and_the_nearer_box():
    truths, labels = torch.tensor([[0.2, 0.2, 0.5, 0.5]]), torch.tensor([1])
    boxes = torch.tensor([[0.2, 0.2, 0.5, 0.5], [0.2, 0.2, 0.5, 0.5], [0.7, 0.7, 0.9, 0.9]])
    scores = torch.tensor([[0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    right, other_class, far = after_ssd.set_cost(scores, boxes, truths, labels)[0].tolist()
    assert right == pytest.approx(-0.8 - 2)  # no distance, and a generalized IoU of 1
    assert other_class == pytest.approx(right + 0.6)
    assert far > other_class


def test_clusters_of_shapes_settle_and_fit_better_the_more_there_are():
    shapes = torch.rand(200, 2, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.05
    fits = []
    for k in (1, 3, 9):
        clusters = after_ssd.cluster_shapes(shapes, k)
        assert torch.equal(clusters, after_ssd.cluster_shapes(shapes, k))
        overlap = after_ssd.shape_iou(shapes, clusters)
        means = [shapes[overlap.argmax(dim=1) == i].mean(dim=0) for i in range(k)]
        assert torch.allclose(torch.stack(means), clusters, atol=0.02)
        fits.append(overlap.amax(dim=1).mean())
    assert fits == sorted(fits)


def test_an_object_asks_for_as_many_predictions_as_overlap_it_and_shares_none():
    truths = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.3, 0.3, 0.7, 0.7]])
    labels, near = torch.tensor([1, 1]), torch.ones(2, 24, dtype=torch.bool)
    boxes = truths.repeat_interleave(12, dim=0)
    boxes[12:15] = torch.tensor([0.9, 0.9, 1.0, 1.0])
    scores = torch.tensor([[0.2, 0.8]]).expand(24, 2)
    found = after_ssd.match_dynamically(scores, boxes, near, truths, labels)
    overlap = 0.04 / 0.28  # of the two objects
    assert found.wanted.tolist() == [10, int(9 + overlap)]
    taken = found.ground_truth
    assert (taken == 0).sum() == 10
    assert (taken == 1).sum() == 9
    assert (taken[:12] != 1).all()
    assert (taken[15:] == 1).all()
    alone = after_ssd.match_dynamically(scores, torch.full_like(boxes, 0.95), near, truths, labels)
    assert alone.wanted.tolist() == [1, 1]


def test_near_means_inside_the_box_and_within_two_and_a_half_cells_of_its_middle():
    truths = torch.tensor([[0.3, 0.3, 0.7, 0.6]])
    (near,) = after_ssd.near_middle(PRESET, truths)
    priors = make_priors(PRESET)
    first = near[: 38 * 38 * 4]
    centres = priors[: 38 * 38 * 4][first, :2] * 300
    assert ((centres - torch.tensor([150.0, 135])).abs() < 20).all()
    assert first.sum() == 5 * 5 * 4
