"""The figures that the rules' docstrings and messages give, held against torch."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F


def test_floor_of_a_double_softmax() -> None:
    """TLL101: log(1 + (C - 1) / e), 1.46 for 10 classes, at perfect probabilities."""
    perfect = F.one_hot(torch.tensor([3]), 10).float()
    floor = F.cross_entropy(perfect, torch.tensor([3])).item()
    assert floor == pytest.approx(math.log(1 + 9 / math.e))
    assert round(floor, 2) == 1.46


def test_most_confident_softmax_of_unit_scores() -> None:
    """TLL103: 0.23 over 10 classes. TLL106: 0.45 where a bound of 1 holds on both sides."""
    one_hot = F.one_hot(torch.tensor(3), 10).float()
    assert round(one_hot.softmax(0).max().item(), 2) == 0.23
    assert round((2 * one_hot - 1).softmax(0).max().item(), 2) == 0.45


def test_range_of_a_double_sigmoid() -> None:
    """TLL104: [0.5, 0.73], a loss of at least 0.69 on negatives and 0.31 on positives."""
    ends = torch.tensor([0.0, 1.0])
    assert [round(v, 2) for v in torch.sigmoid(ends).tolist()] == [0.5, 0.73]
    assert round(F.binary_cross_entropy_with_logits(ends[0], ends[0]).item(), 2) == 0.69
    assert round(F.binary_cross_entropy_with_logits(ends[1], ends[1]).item(), 2) == 0.31


def test_where_sigmoid_rounds() -> None:
    """TLL109: to 1 above about 17, to 0 below about -89; the gradient through BCELoss is gone there."""
    assert torch.sigmoid(torch.tensor(16.0)) < 1
    assert torch.sigmoid(torch.tensor(18.0)) == 1
    assert torch.sigmoid(torch.tensor(-86.0)) > 0
    assert torch.sigmoid(torch.tensor(-90.0)) == 0
    score = torch.tensor([18.0], requires_grad=True)
    fragile = F.binary_cross_entropy(torch.sigmoid(score), torch.zeros(1))
    assert torch.autograd.grad(fragile, score)[0].item() == 0
    stable = F.binary_cross_entropy_with_logits(score, torch.zeros(1))
    assert torch.autograd.grad(stable, score)[0].item() == pytest.approx(1)


@pytest.mark.parametrize(("dtype", "apart"), [(torch.float32, 104), (torch.float16, 17)])
def test_where_the_log_of_a_softmax_is_infinite(dtype: torch.dtype, apart: int) -> None:
    """TLL116: scores about 104 apart in float32, 17 in float16."""
    far = torch.tensor([0.0, apart + 1.0], dtype=dtype)
    near = torch.tensor([0.0, apart - 3.0], dtype=dtype)
    assert torch.isinf(torch.log(far.softmax(0))[0])
    assert torch.isfinite(torch.log(near.softmax(0))[0])
    assert torch.isfinite(far.log_softmax(0)[0])


def test_nll_on_other_things_goes_below_zero() -> None:
    """TLL110: between -1 and 0 on probabilities, without a lower end on raw scores."""
    target = torch.tensor([0])
    assert -1 <= F.nll_loss(torch.tensor([[0.9, 0.1]]), target).item() <= 0
    assert F.nll_loss(torch.tensor([[500.0, 0.0]]), target).item() == -500


def test_log_softmax_twice_changes_nothing() -> None:
    """TLL102 is harmless."""
    scores = torch.tensor([[2.0, -1.0, 0.5]])
    once = F.cross_entropy(scores, torch.tensor([1]))
    assert F.cross_entropy(scores.log_softmax(1), torch.tensor([1])).item() == pytest.approx(once.item())


def test_a_logit_of_a_half() -> None:
    """TLL601: a logit of 0.5 is a probability of 0.62; sigmoid of log-probabilities stays below 0.5."""
    assert round(torch.sigmoid(torch.tensor(0.5)).item(), 2) == 0.62
    assert torch.sigmoid(torch.tensor([[40.0, 0.0]]).log_softmax(1)).max() <= 0.5


def test_distances_through_a_softmax_saturate() -> None:
    """TLL201: confident and wrong, the gradient of MSE through a softmax is next to none."""
    score = torch.tensor([[20.0, 0.0]], requires_grad=True)
    target = torch.tensor([[0.0, 1.0]])
    distance = torch.autograd.grad(F.mse_loss(score.softmax(1), target), score)[0]
    entropy = torch.autograd.grad(F.cross_entropy(score, target), score)[0]
    assert distance.abs().max() < 1e-6
    assert entropy.abs().max() > 0.9


def test_one_class_is_always_right() -> None:
    """TLL202: the loss over a single class is zero, and so is its gradient."""
    score = torch.tensor([[-3.0], [5.0]], requires_grad=True)
    loss = F.cross_entropy(score, torch.tensor([0, 0]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert score.grad is not None
    assert not score.grad.any()


def test_several_labels_share_one_probability() -> None:
    """TLL203: the best that cross-entropy can do with k labels of weight one is 1/k for each."""
    score = torch.zeros(1, 4, requires_grad=True)
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    optimizer = torch.optim.SGD([score], lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(score, target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert score.softmax(1)[0, :2].max().item() < 0.501


def test_kl_div_on_other_things() -> None:
    """TLL111: not smallest, and below zero, on equal probabilities; NaN on a plain target below zero."""
    p = torch.tensor([[0.7, 0.2, 0.1]])
    equal = F.kl_div(p, p, reduction="sum").item()
    assert F.kl_div(torch.tensor([[1.0, 0.0, 0.0]]), p, reduction="sum").item() < equal < 0
    for target in (p.log(), torch.tensor([[1.0, -2.0, 0.5]])):
        assert F.kl_div(p.log(), target, reduction="sum").isnan()
    assert F.kl_div(p.log(), p.log(), reduction="sum", log_target=True).item() == pytest.approx(0)


def test_ctc_on_raw_scores() -> None:
    """TLL112: a loss of -12 where all scores are 3, and a gradient of the wrong sign."""
    targets, lengths = torch.tensor([[1, 2, 3]]), (torch.tensor([10]), torch.tensor([3]))
    flat = F.ctc_loss(torch.full((10, 1, 5), 3.0), targets, *lengths).item()
    assert round(flat) == -12
    torch.manual_seed(0)
    scores = torch.randn(10, 1, 5, dtype=torch.double, requires_grad=True)
    loss = F.ctc_loss(scores, targets, *lengths, reduction="sum")
    told = torch.autograd.grad(loss, scores)[0]
    step = torch.zeros_like(scores)
    signs = set()
    for time in range(10):
        step.zero_()
        step[time, 0, 0] = 1e-6
        real = (F.ctc_loss(scores + step, targets, *lengths, reduction="sum") - loss).item()
        signs.add(real * told[time, 0, 0].item() < 0)
    assert True in signs


def test_poisson_rates() -> None:
    """TLL113: no rate below 1 after an activation without negative numbers; NaN for a raw rate."""
    assert F.softplus(torch.tensor(-50.0)).exp().item() == pytest.approx(1)
    assert F.poisson_nll_loss(torch.tensor([-1.0]), torch.ones(1), log_input=False).isnan()


def test_gaussian_variance_below_zero() -> None:
    """TLL114: torch raises ValueError, and counts what is near zero as eps, 1e-6."""
    zero = torch.zeros(1)
    with pytest.raises(ValueError, match="negative"):
        F.gaussian_nll_loss(zero, zero, torch.tensor([-1e-3]))
    near = F.gaussian_nll_loss(torch.ones(1), zero, torch.zeros(1)).item()
    assert near == pytest.approx(0.5 * (math.log(1e-6) + 1e6))
