"""TLL110."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import BOUNDED, POSITIVE, PROBS, SCORES, UNIT
from torchlosslint.rule import LossUse, Problem, Rule

from .common import NLL, scores


class NllWithoutLogSoftmax(Rule):
    """NLLLoss gets something else than log-probabilities.

    What it does
        Follows the input of NLLLoss / F.nll_loss back to raw scores, a softmax, a sigmoid or another
        activation without a log.

    Why it is bad
        The loss is minus the number at the true class. On raw scores it has no lower end, so training
        just blows the scores up; on probabilities it stays in [-1, 0] and its gradient does not grow
        where the model is wrong. A loss below zero is the tell-tale.

    Example
        Wrong::

            loss = F.nll_loss(self.head(x), y)
            loss = F.nll_loss(F.softmax(scores, dim=1), y)

        Right::

            loss = F.nll_loss(F.log_softmax(scores, dim=1), y)
            loss = F.cross_entropy(scores, y)                     # the same in one step

    When it is wrong to fix
        A policy gradient that means minus the raw number, and says so.
    """

    code = "TLL110"
    name = "nll-without-log-softmax"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, NLL)
        if tensor is None or "loss" in (tensor.dom.how, tensor.role):
            return
        kind = tensor.dom.kind
        if kind == SCORES:
            what, why = "raw scores", "the loss has no lower end, so training only inflates the scores"
        elif kind in (PROBS, UNIT):
            what = f"probabilities from {tensor.dom.how or 'softmax'} without their log"
            why = "the loss stays between -1 and 0 and hardly corrects confident mistakes"
        elif kind in (POSITIVE, BOUNDED):
            if tensor.dom.how.startswith("-"):
                return
            what, why = f"what {tensor.dom.how} gives", "the loss is not a likelihood and may fall below zero"
        else:
            return
        yield Problem(
            f"{use.name} wants log-probabilities, and gets {what}: {why}.",
            "Use CrossEntropyLoss on the raw scores, or log_softmax before NLLLoss.",
        )
