"""TLL113."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import BOUNDED, LOGPROBS, LOGUNIT, POSITIVE, PROBS, SCORES, UNIT
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import named, setting


class PoissonNllInput(Rule):
    """PoissonNLLLoss gets a rate where it wants its log, or the reverse.

    What it does
        Follows the input of PoissonNLLLoss / F.poisson_nll_loss. With log_input=True, the default, it
        is the log of the rate and may be any number; with log_input=False it is the rate itself.

    Why it is bad
        With log_input=True the loss takes exp() of its input. After a relu, a softplus or an exp the
        rate can then never be below 1, however rare the events are. With log_input=False it takes
        the log: of a raw score below zero that is NaN.

    Example
        Wrong::

            loss = nn.PoissonNLLLoss()(F.softplus(self.head(x)), counts)
            loss = nn.PoissonNLLLoss(log_input=False)(self.head(x), counts)

        Right::

            loss = nn.PoissonNLLLoss()(self.head(x), counts)
            loss = nn.PoissonNLLLoss(log_input=False)(F.softplus(self.head(x)), counts)

    When it is wrong to fix
        A rate of less than 1 cannot occur in your data, and the activation is meant.
    """

    code = "TLL113"
    name = "poisson-nll-input"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.input
        if use.contract.key != "poisson_nll" or not isinstance(tensor, Tensor) or tensor.role == "loss":
            return
        dom, log_input = tensor.dom, setting(use, "log_input")
        if log_input is True:
            what = named(dom) if dom.kind == POSITIVE or (dom.low is not None and dom.low >= 0) else ""
            if dom.kind in (PROBS, UNIT) and dom.how:
                what = f"numbers in [0, 1] from {dom.how}"
            if what:
                yield Problem(
                    f"{use.name} takes exp() of its input (log_input=True), and gets {what}: the rate can "
                    "never be below 1.",
                    "Give it the raw scores, or say log_input=False.",
                )
        elif log_input is False:
            below = dom.kind == BOUNDED and dom.low is not None and dom.low < 0
            if dom.kind == SCORES:
                what = "raw scores"
            elif dom.kind in (LOGPROBS, LOGUNIT):
                what = f"numbers below zero from {dom.how or 'a log'}"
            else:
                what = named(dom) if below else ""
            if what:
                yield Problem(
                    f"{use.name} takes the log of its input (log_input=False), and gets {what}: the log of "
                    "a negative number is NaN.",
                    "Make the rate positive (softplus, exp), or leave log_input=True.",
                )
