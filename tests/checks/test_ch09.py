"""What chapter 9's exercises accept as right is what the package computes."""

import torch
from ssd_book.checks import ch09_truth as truth

from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors


def test_the_whole_loss_agrees_with_the_package():
    priors = make_priors(get_preset("caffe300_voc"))[-190:]
    cases = truth.whole_cases()
    for seed, (case, alpha) in enumerate(zip(cases, (1.0, 2.0), strict=False)):
        scores, offsets, targets = truth.batch(seed)
        package = multibox_loss(scores, offsets, targets, priors, alpha=alpha)
        assert package.num_positives > 0
        torch.testing.assert_close(truth.loss(*case), package.total)
    assert truth.loss(*cases[-1]) == 0


def test_the_cases_tell_the_rules_of_n_apart():
    """The images of a case have different numbers of positives, and negatives that count."""
    for *_, labels, counted, _ in truth.whole_cases(empty=False):
        positives = (labels > 0).sum(dim=1)
        assert positives.min() > 0
        assert positives[0] != positives[1]
        assert counted.sum() > positives.sum()
        assert counted.sum() < labels.numel()


def test_the_minimum_with_one_wrong_annotation_agrees_with_paper():
    """Slopes at the minimum: the outlier's 1 against the sum of the four differences."""
    assert abs(truth.best_wish() - (truth.WISHES[:4].sum().item() + 1) / 4) < 0.01
    assert abs(truth.best_wish("l2") - truth.WISHES.mean().item()) < 0.01
    assert abs(truth.best_wish("l1") - truth.WISHES.median().item()) < 0.01
