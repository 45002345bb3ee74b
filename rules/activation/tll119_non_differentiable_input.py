"""TLL119."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule


class NonDifferentiableInput(Rule):
    """backward() on a loss that no gradient leads through.

    What it does
        Looks at losses on which, or on a sum of which, backward() is called, and of which every argument
        was cut from the graph: by argmax, round, a comparison, item(), numpy, .data, detach(), no_grad,
        or a new tensor that was made of it. So is a loss that was made a leaf by requires_grad.

    Why it is bad
        Nothing is learnt from it. Alone, backward() raises; in a sum with other terms, or after
        `loss.requires_grad = True`, it is silent: the term is reported, and trains nothing.

    Example
        Wrong::

            loss = F.mse_loss(scores.argmax(dim=1).float(), y)
            loss.requires_grad = True
            loss.backward()

        Right::

            loss = F.cross_entropy(scores, y)
            loss.backward()

    When it is wrong to fix
        The term is only there to be reported; then leave it out of the sum.
    """

    code = "TLL119"
    name = "non-differentiable-input"
    severity = "error"
    watches = frozenset({"backward"})

    def check_event(self, event: Event) -> Iterable[Problem]:
        value = event.value
        if event.kind != "backward" or not isinstance(value, Tensor) or value.role not in ("loss", "model"):
            return
        if not value.cut or event.no_grad or any(kind == "dead" for kind, _ in value.roots):
            return
        ways = {r for r in value.roots if r[0] in ("leaf", "module", "loss", "unknown")}
        if ways == {("leaf", value.uid)}:
            what = f"{value.cut} cut the loss from the graph, and requires_grad only makes it a leaf"
            harm = "backward() ends where it starts, and no parameter gets a gradient"
        elif value.grad is False and value.cut in _FLAT:
            what, harm = f"The gradient of {value.cut} is zero everywhere", "backward() trains nothing"
        elif value.grad is False:
            what = f"{value.cut} cut the loss from the graph"
            harm = "backward() raises, for there is nothing that requires a gradient"
        else:
            return
        yield Problem(f"{what}: {harm}.", _HELP, tensor=value)

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        dead = {place for e in history.of("backward") for kind, place in e.roots if kind == "dead"}
        for use in history.losses:
            scores = use.input
            if use.place in dead and isinstance(scores, Tensor) and scores.grad is False and not use.no_grad:
                yield use, _dead(use, scores)


def _dead(use: LossUse, scores: Tensor) -> Problem:
    if scores.cut in _FLAT:
        what = f"the gradient of {scores.cut}, which its input comes through, is zero everywhere"
        harm = "this loss trains nothing"
    else:
        what = f"{scores.cut or 'something'} cut its input from the graph"
        harm = "in the sum that is back-propagated this term trains nothing; alone, backward() raises"
    return Problem(f"No gradient leads through {use.name}: {what}; {harm}.", _HELP)


# What torch gives a gradient of zero.
_FLAT = frozenset(f"{name}()" for name in ("round", "floor", "ceil", "trunc", "fix", "sign", "sgn"))
_HELP = "Compute the loss from what the network gave, before it is rounded, indexed, detached or copied."
