"""Mining: how many negatives, which ones, and none twice; also the two alternatives."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssd_tutorial.mining import all_negatives, hard_negatives, random_negatives


@st.composite
def batches(draw):
    """Draw (losses [B, P], positive [B, P]) with losses that never tie."""
    images, priors = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    positive = draw(
        st.lists(
            st.lists(st.booleans(), min_size=priors, max_size=priors),
            min_size=images,
            max_size=images,
        )
    )
    seed = draw(st.integers(0, 2**31))
    ranks = torch.randperm(images * priors, generator=torch.Generator().manual_seed(seed))
    return ranks.view(images, priors) / 10, torch.tensor(positive)


def slow(losses, positive, ratio):
    """Mine one image at a time, in plain Python."""
    chosen = torch.zeros_like(positive)
    for image in range(len(losses)):
        negatives = [p for p in range(losses.shape[1]) if not positive[image, p]]
        negatives.sort(key=lambda p: -losses[image, p].item())
        for p in negatives[: int(ratio * int(positive[image].sum()))]:
            chosen[image, p] = True
    return chosen


@given(batches(), st.sampled_from([0, 0.5, 1, 3, 100]))
def test_hard_negatives_equal_a_loop(batch, ratio):
    assert torch.equal(hard_negatives(*batch, ratio), slow(*batch, ratio))


@given(batches())
def test_three_negatives_per_positive_or_all_there_are(batch):
    losses, positive = batch
    chosen = hard_negatives(losses, positive)
    assert chosen.dtype == torch.bool
    assert chosen.shape == positive.shape
    assert not (chosen & positive).any()
    negatives = (~positive).sum(1)
    assert torch.equal(chosen.sum(1), torch.minimum(3 * positive.sum(1), negatives))


@given(batches())
def test_the_hardest_are_taken(batch):
    losses, positive = batch
    chosen = hard_negatives(losses, positive)
    for image in range(len(losses)):
        taken, left = losses[image][chosen[image]], losses[image][~chosen[image] & ~positive[image]]
        assert not len(taken) or not len(left) or taken.min() > left.max()


@given(batches())
def test_images_of_a_batch_are_independent(batch):
    losses, positive = batch
    together = hard_negatives(losses, positive)
    for image in range(len(losses)):
        alone = hard_negatives(losses[image : image + 1], positive[image : image + 1])
        assert torch.equal(alone[0], together[image])


def test_an_image_without_positives_gets_no_negatives():
    losses = torch.rand(2, 10)
    positive = torch.zeros(2, 10, dtype=torch.bool)
    assert not hard_negatives(losses, positive).any()
    positive[1, 4] = True
    assert hard_negatives(losses, positive).sum(1).tolist() == [0, 3]


def test_an_image_of_positives_only_gets_no_negatives():
    assert not hard_negatives(torch.rand(1, 5), torch.ones(1, 5, dtype=torch.bool)).any()


def test_equal_losses_still_give_the_right_number():
    """At first every prior is equally uncertain; the right number is still chosen, each once."""
    positive = torch.zeros(1, 100, dtype=torch.bool)
    positive[0, :5] = True
    chosen = hard_negatives(torch.full((1, 100), 3.0), positive)
    assert int(chosen.sum()) == 15
    assert not (chosen & positive).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_type_is_accepted(dtype):
    positive = torch.tensor([[True, False, False, False, False, False]])
    losses = torch.tensor([[9.0, 1, 5, 2, 4, 3]], dtype=dtype)
    assert hard_negatives(losses, positive).tolist() == [[False, False, True, False, True, True]]
    assert torch.equal(losses, torch.tensor([[9.0, 1, 5, 2, 4, 3]], dtype=dtype))


# --- the alternatives -----------------------------------------------------------------------------


@given(batches(), st.sampled_from([0, 0.5, 1, 3, 100]))
def test_random_negatives_are_as_many_as_the_hardest(batch, ratio):
    losses, positive = batch
    chosen = random_negatives(losses, positive, ratio)
    assert chosen.dtype == torch.bool
    assert not (chosen & positive).any()
    assert torch.equal(chosen.sum(1), hard_negatives(losses, positive, ratio).sum(1))


def test_every_negative_has_the_same_chance_whatever_its_loss():
    """3 of 9, drawn 4000 times: a third each, within five standard deviations of 0.0075."""
    torch.manual_seed(0)
    positive = torch.zeros(4000, 10, dtype=torch.bool)
    positive[:, 4] = True
    losses = torch.arange(10.0).expand(4000, 10)
    share = random_negatives(losses, positive).float().mean(0)
    assert share[4] == 0
    assert (share[~positive[0]] - 1 / 3).abs().max() < 5 * 0.0075


def test_random_negatives_differ_per_draw_and_repeat_with_the_seed():
    losses, positive = torch.rand(1, 1000), torch.zeros(1, 1000, dtype=torch.bool)
    positive[0, :50] = True
    torch.manual_seed(1)
    first, second = (random_negatives(losses, positive) for _ in range(2))
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(random_negatives(losses, positive), first)


@given(batches(), st.sampled_from([0, 3]))
def test_all_negatives_are_all_that_are_not_positive(batch, ratio):
    losses, positive = batch
    chosen = all_negatives(losses, positive, ratio)
    assert chosen.dtype == torch.bool
    assert torch.equal(chosen, positive.logical_not())


def test_nan_is_refused_by_name_where_it_would_rank_first():
    losses, positive = torch.rand(2, 50), torch.zeros(2, 50, dtype=torch.bool)
    positive[:, 0] = True
    losses[1, 3:7] = torch.nan
    with pytest.raises(ValueError, match="image 1: 4 of 50 priors have a background loss that is"):
        hard_negatives(losses, positive)
    losses[0, 1:3] = losses[0, 5] = torch.nan
    with pytest.raises(ValueError, match="^image 0: 3 of 50 priors .* that is NaN$"):
        hard_negatives(losses, positive)
    losses[0] = 1
    positive[1] = False  # an image without positives ranks nothing
    assert hard_negatives(losses, positive).sum(1).tolist() == [3, 0]


@pytest.mark.parametrize("ratio", [-1, float("nan"), float("inf")])
def test_a_ratio_that_cannot_be(ratio):
    with pytest.raises(ValueError, match=f"ratio must be a number of negatives.*not {ratio}"):
        hard_negatives(torch.rand(1, 5), torch.ones(1, 5, dtype=torch.bool), ratio)


@pytest.mark.parametrize("shapes", [((2, 5), (2, 6)), ((5,), (5,))])
def test_losses_and_positives_of_other_shapes(shapes):
    losses, positive = torch.rand(shapes[0]), torch.ones(shapes[1], dtype=torch.bool)
    said = rf"must both be [B, P], not {list(shapes[0])} and {list(shapes[1])}"
    with pytest.raises(ValueError, match=re.escape(said)):
        hard_negatives(losses, positive)


def test_one_prior_that_is_nan_names_its_own_image_among_others():
    losses, positive = torch.rand(3, 50), torch.zeros(3, 50, dtype=torch.bool)
    positive[:, 0] = True
    losses[1, 3] = losses[2, 4] = torch.nan
    with pytest.raises(ValueError, match="^image 1: 1 of 50 priors"):
        hard_negatives(losses, positive)


def test_the_mask_is_on_the_device_of_the_losses():
    losses, positive = torch.rand(1, 9), torch.zeros(1, 9, dtype=torch.bool)
    positive[0, 0] = True
    with torch.device("meta"):  # what would be made there could not be compared with these
        assert hard_negatives(losses, positive).sum().item() == 3
