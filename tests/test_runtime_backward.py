# mypy: disable-error-code="no-untyped-call"
"""backward() and optimizer steps under the guard: what is cut from the graph is named, the rest is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import _global_optimizer_pre_hooks

from torchlosslint.runtime import LossMisuseError, findings, guarded

Run = Callable[[], Any]


@pytest.fixture(autouse=True)
def sound() -> Iterator[None]:
    torch.manual_seed(0)
    before = torch.Tensor.backward.__code__
    yield
    assert findings.broken() == []
    assert torch.Tensor.backward.__code__ is before
    assert not _global_optimizer_pre_hooks


def net(width: int = 3) -> nn.Linear:
    return nn.Linear(6, width)


def data() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(4, 6), torch.randint(0, 3, (4,))


def loss(model: nn.Module | None = None) -> torch.Tensor:
    x, y = data()
    return F.cross_entropy((model or net())(x), y)


def seen(run: Run, raises: bool = False) -> list[findings.Finding]:
    """What the guard finds, and nothing but torch's own exception."""
    with guarded(lambda finding: None) as session:
        if raises:
            with pytest.raises(RuntimeError, match="does not require grad"):
                run()
        else:
            run()
    found: list[findings.Finding] = session.findings
    return found


def by_hand(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.requires_grad_()


def of_constants() -> torch.Tensor:
    return F.mse_loss(net()(data()[0]).argmax(1).float(), torch.rand(4))


def without_grad() -> torch.Tensor:
    with torch.no_grad():
        return loss()


# What is called backward on; whether torch raises; what the message says; how certain that is.
CUT: dict[str, tuple[Callable[[], torch.Tensor], bool, str, str]] = {
    "inputs": (of_constants, True, "no input carries gradient: it raises", "proved"),
    "inputs, by hand": (lambda: by_hand(of_constants()), False, "set by hand", "proved"),
    "detach": (lambda: loss().detach(), True, "copy of the result", "proved"),
    "data": (lambda: by_hand(loss().data), False, "copy of the result", "proved"),
    "no_grad": (lambda: by_hand(without_grad()), False, "computed under no_grad", "proved"),
    "item": (lambda: torch.tensor(loss().item(), requires_grad=True), False, "made of the number", "likely"),
    "a list": (lambda: torch.tensor([loss(), loss()]).sum(), True, "made of the number", "likely"),
    "a mean": (lambda: torch.tensor([loss(), loss()]).mean(), True, "made of the number", "likely"),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.filterwarnings("ignore")
def test_backward_on_what_is_cut_from_the_graph(name: str) -> None:
    make, raises, text, certainty = CUT[name]
    (found,) = seen(lambda: make().backward(), raises)
    assert (found.code, found.certainty) == ("TLL119", certainty)
    assert text in found.message
    assert "cross_entropy" in found.message or "mse_loss" in found.message
    assert found.path == __file__


def test_raise_comes_before_torchs_exception() -> None:
    with guarded("raise"), pytest.raises(LossMisuseError, match="no input carries gradient"):
        of_constants().backward()


def with_term(weight: float, batches: int = 1) -> None:
    model = net()
    for _ in range(batches):
        x, y = data()
        scores = model(x)
        (F.cross_entropy(scores, y) + weight * F.mse_loss(scores.detach(), torch.zeros(4, 3))).backward()


@pytest.mark.parametrize("weight", [1, 0.1, 0.5])
def test_a_term_of_the_sum_without_gradient(weight: float) -> None:
    (found,) = seen(lambda: with_term(weight))
    assert (found.code, found.certainty, found.loss) == ("TLL119", "likely", "F.mse_loss")
    assert "In the sum" in found.message


def test_a_term_that_was_made_a_leaf_by_hand_is_proof() -> None:
    (found,) = seen(lambda: (0.3 * by_hand(of_constants()) + net()(data()[0]).mean()).backward())
    assert (found.code, found.certainty) == ("TLL119", "proved")


def reported_only() -> None:
    model = net()
    for _ in range(5):
        x, y = data()
        scores = model(x)
        F.l1_loss(scores.detach().softmax(1), F.one_hot(y, 3).float())
        (F.cross_entropy(scores, y) + 0.25).backward()


def discriminator() -> None:
    one, other = net(), nn.Linear(3, 1)
    for _ in range(3):
        made = one(data()[0])
        real, fake = torch.ones(4, 1), torch.zeros(4, 1)
        (
            F.binary_cross_entropy_with_logits(other(made.detach()), fake)
            + F.binary_cross_entropy_with_logits(other(torch.randn(4, 3)), real)
        ).backward()


def unreduced() -> None:
    x, y = data()
    F.cross_entropy(net()(x), y, reduction="none").backward(torch.ones(4))


def validation() -> None:
    model = net()
    for _ in range(4):
        loss(model).backward()
        with torch.no_grad():
            loss(model).item()


def inputs_that_require_grad() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    F.mse_loss(x, torch.zeros(4, 3)).backward()


def by_functorch() -> None:
    model = net()
    x, y = data()
    torch.func.grad(lambda w: F.cross_entropy(x @ w.t(), y))(model.weight.detach())
    torch.func.vmap(lambda row, label: F.cross_entropy(row, label))(x, y)


def in_parts() -> None:
    total = torch.zeros(())
    model = net()
    for _ in range(3):
        total = total + loss(model)
    (total / 3).backward()


def compiled() -> None:
    model = net()

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x), y) * 2

    torch.compile(step, backend="eager")(*data()).backward()


RIGHT = [
    reported_only,
    discriminator,
    unreduced,
    validation,
    inputs_that_require_grad,
    by_functorch,
    in_parts,
]


@pytest.mark.parametrize("run", [*RIGHT, compiled], ids=lambda run: run.__name__)
def test_right_uses_of_backward_are_silent(run: Run) -> None:
    assert seen(run) == []


def train(optimizers: list[torch.optim.Optimizer], models: list[nn.Module], steps: int, late: bool) -> None:
    """Each step trains the next of the models, and steps all optimizers. late: clears gradients too late."""
    for i in range(steps):
        for each in optimizers:
            each.zero_grad()
        loss(models[i % len(models)]).backward()
        for each in optimizers:
            if late:
                each.zero_grad()
            each.step()


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize("late", [False, True])
def test_an_optimizer_whose_parameters_get_no_gradient(late: bool) -> None:
    model = net()
    steps = sgd(model if late else net())
    (found,) = seen(lambda: train([steps], [model], 3, late))
    assert (found.code, found.certainty, found.name) == ("TLL507", "proved", "detached-loss")
    assert "none of its 2 parameters has a gradient" in found.message


def test_an_optimizer_that_is_idle_among_others_is_told_late() -> None:
    model = net()
    assert seen(lambda: train([sgd(model), sgd(net())], [model], 20, False)) == []
    (found,) = seen(lambda: train([sgd(model), sgd(net())], [model], 40, False))
    assert (found.code, found.certainty) == ("TLL507", "likely")


def test_right_steps_are_silent_and_soon_left_alone() -> None:
    models: list[nn.Module] = [net(), net(), net()]
    frozen = net().requires_grad_(False)
    optimizers = [sgd(model) for model in models]

    def run() -> None:
        torch.optim.SGD(net().parameters(), lr=0.1).step()  # before any backward: quiets a scheduler
        train(optimizers, models, 30, False)
        train([sgd(frozen)], models, 3, False)
        shared = torch.optim.LBFGS(models[0].parameters(), max_iter=2)

        def again() -> float:
            shared.zero_grad()
            value = loss(models[0])
            value.backward()
            return float(value)

        shared.step(again)

    assert seen(run) == []
    with guarded(lambda finding: None):
        untouched = torch.Tensor.backward.__code__
        train(optimizers[:1], models[:1], 40, False)
        assert torch.Tensor.backward.__code__ is untouched
        assert not _global_optimizer_pre_hooks
