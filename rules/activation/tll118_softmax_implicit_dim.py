"""TLL118."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import LOGPROBS, PROBS
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse, Problem, Rule

_RIGHT_OTHERWISE = {
    LOGPROBS: frozenset({"nll", "kl_div", "ctc"}),
    PROBS: frozenset({"bce", "mse", "l1", "smooth_l1", "huber"}),
}


class SoftmaxImplicitDim(Rule):
    """A softmax on its way to a loss does not say over which dimension.

    What it does
        Looks at the softmax or log_softmax that made the input of a loss, where that loss wants
        one. Where the softmax has to go anyway, only the rule that says so speaks.

    Why it is bad
        Without `dim` torch guesses: 0 for tensors with 0, 1 or 3 dimensions, 1 for others. It is deprecated,
        warns, and normalises over the batch or the time steps as soon as a dimension is added.

    Example
        Wrong::

            return F.log_softmax(x)

        Right::

            return F.log_softmax(x, dim=1)

    When it is wrong to fix
        Never seen.
    """

    code = "TLL118"
    name = "softmax-implicit-dim"
    severity = "warning"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.input
        if not isinstance(tensor, Tensor) or not tensor.dom.implicit:
            return
        if use.contract.key not in _RIGHT_OTHERWISE.get(tensor.dom.kind, ()):
            return
        how = tensor.dom.how or "softmax"
        yield Problem(
            f"{how} is called without dim: torch guesses one from the number of dimensions "
            "(0 for three of them), which is deprecated and silently wrong once the shape changes.",
            f"Say {how}(..., dim=1), or whichever dimension holds the classes.",
        )
