"""TLL107."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import BOUNDED, LOGPROBS, LOGUNIT, POSITIVE, SCORES
from torchlosslint.rule import LossUse, Problem, Rule

from .common import BCE, scores


class LogitsIntoBce(Rule):
    """BCELoss gets numbers that are not confined to [0, 1].

    What it does
        Follows the input of BCELoss / F.binary_cross_entropy back to a layer or function whose
        output leaves [0, 1]: a linear layer, a convolution, relu, tanh, log_softmax.

    Why it is bad
        On the CPU the call raises as soon as a number leaves [0, 1]; on an accelerator it is a
        device-side assert at some later line.

    Example
        Wrong::

            loss = nn.BCELoss()(self.head(x), y)

        Right::

            loss = nn.BCEWithLogitsLoss()(self.head(x), y)

    When it is wrong to fix
        The scores are confined to [0, 1] by what they are made of, in a way that cannot be seen.
    """

    code = "TLL107"
    name = "logits-into-bce"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, BCE)
        if tensor is None or "loss" in (tensor.dom.how, tensor.role):
            return
        dom = tensor.dom
        outside = dom.kind in (SCORES, POSITIVE, LOGPROBS, LOGUNIT)
        if dom.kind == BOUNDED:
            outside = (dom.low is not None and dom.low < 0) or (dom.high is not None and dom.high > 1)
        if not outside:
            return
        what = f"what {dom.how} gives" if dom.how and dom.kind != SCORES else "raw scores"
        yield Problem(
            f"{use.name} wants probabilities in [0, 1], and gets {what}: it raises on the CPU "
            "and asserts on an accelerator as soon as a number leaves [0, 1].",
            "Use BCEWithLogitsLoss on the raw scores, which applies a stable sigmoid itself.",
        )
