"""TLL103."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import UNIT
from torchlosslint.rule import LossUse, Problem, Rule

from .common import CROSS_ENTROPY, scores


class SigmoidBeforeCrossEntropy(Rule):
    """Cross-entropy gets scores squeezed into [0, 1].

    What it does
        Follows the input of CrossEntropyLoss / F.cross_entropy back to a sigmoid or another
        elementwise map into [0, 1].

    Why it is bad
        The loss applies softmax itself. Of numbers in [0, 1] the most confident softmax over 10
        classes is 0.23, so the loss cannot fall below 1.46 and the model can never be sure.

    Example
        Wrong::

            loss = F.cross_entropy(torch.sigmoid(scores), y)

        Right::

            loss = F.cross_entropy(scores, y)                            # one class is right
            loss = F.binary_cross_entropy_with_logits(scores, y.float()) # several may be right

    When it is wrong to fix
        Hardly ever; a bound on the scores is better made with a temperature.
    """

    code = "TLL103"
    name = "sigmoid-before-cross-entropy"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, CROSS_ENTROPY)
        if tensor is None or tensor.dom.kind != UNIT:
            return
        how = tensor.dom.how or "sigmoid"
        yield Problem(
            f"{use.name} applies softmax itself, and gets scores squeezed into [0, 1] by {how}: "
            "it cannot fall below log(1 + (C-1)/e), for instance 1.46 with 10 classes, "
            "and no prediction can be confident.",
            "Give the loss the raw scores; where several classes may be right at once, use "
            "BCEWithLogitsLoss.",
        )
