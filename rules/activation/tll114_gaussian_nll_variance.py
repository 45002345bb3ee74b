"""TLL114."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import BOUNDED, LOGPROBS, LOGUNIT, NUMBER, SCORES
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import named


class GaussianNllVariance(Rule):
    """GaussianNLLLoss gets a variance that may be negative.

    What it does
        Follows the argument `var` of GaussianNLLLoss / F.gaussian_nll_loss back to the raw output of a
        layer, or to another value that can be below zero: a log-variance, a tanh.

    Why it is bad
        torch raises ValueError at the first negative entry, perhaps in the first step, perhaps after
        hours. Entries near zero are divided by, as eps = 1e-6, and blow up loss and gradient before that.

    Example
        Wrong::

            mean, var = self.head(x).chunk(2, dim=1)
            loss = F.gaussian_nll_loss(mean, y, var)

        Right::

            mean, raw = self.head(x).chunk(2, dim=1)
            loss = F.gaussian_nll_loss(mean, y, F.softplus(raw))     # or raw.exp() for a log-variance

    When it is wrong to fix
        Never.
    """

    code = "TLL114"
    name = "gaussian-nll-variance"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        if use.contract.key != "gaussian_nll":
            return
        variance = use.given.get("var")
        if not isinstance(variance, Tensor) or variance.role == "loss":
            return
        dom = variance.dom
        what = ""
        if dom.kind == SCORES:
            what = "the raw output of a layer"
        elif dom.kind in (LOGPROBS, LOGUNIT):
            what = "the log of something"
        elif dom.kind == BOUNDED and dom.low is not None and dom.low < 0:
            what = named(dom)
        elif dom.kind == NUMBER and dom.low is not None and dom.low < 0:
            what = f"the number {dom.low:g}"
        if what:
            yield Problem(
                f"{use.name} wants a variance, and gets {what}, which may be negative: torch raises "
                "ValueError at the first entry below zero.",
                "Make it positive: softplus of the output, or exp where it is a log-variance.",
                tensor=variance,
            )
