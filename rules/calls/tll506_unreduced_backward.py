"""TLL506."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import NONE, Tensor
from torchlosslint.rule import Event, Problem, Rule

from .common import loss_step


class UnreducedBackward(Rule):
    """backward() or item() on a loss that nobody reduced to one number.

    What it does
        Follows a loss with `reduction="none"` (or `reduce=False`) to `.backward()` without a gradient,
        or to `.item()`.

    Why it is bad
        There is one loss for each sample then, and backward raises: grad can be implicitly created only
        for scalar outputs. With a batch of one it passes unseen.

    Example
        Wrong::

            loss = F.cross_entropy(scores, y, reduction="none")
            loss.backward()

        Right::

            loss = (weights * F.cross_entropy(scores, y, reduction="none")).mean()
            loss.backward()

    When it is wrong to fix
        `loss.backward(gradient=...)` is meant, and is not reported.
    """

    code = "TLL506"
    name = "unreduced-backward"
    severity = "error"

    def check_event(self, event: Event) -> Iterable[Problem]:
        value = event.value
        if event.kind not in ("backward", "item") or not isinstance(value, Tensor):
            return
        if value.role != "loss" or "unreduced" not in value.dom.flags:
            return
        if event.data.get("gradient", NONE) != NONE:
            return
        yield Problem(
            f"{event.kind}() wants one number, and the loss has reduction='none', one for each element: "
            "torch raises as soon as there is more than one.",
            "Reduce it first: loss.mean().",
            cause=loss_step(value),
        )
