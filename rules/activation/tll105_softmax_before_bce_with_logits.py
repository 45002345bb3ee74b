"""TLL105."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import PROBS, UNIT
from torchlosslint.rule import LossUse, Problem, Rule

from .common import WITH_SIGMOID, picked_from_softmax, scores


class SoftmaxBeforeBceWithLogits(Rule):
    """A loss that applies sigmoid itself gets softmax probabilities.

    What it does
        Follows the input of BCEWithLogitsLoss, F.binary_cross_entropy_with_logits and
        MultiLabelSoftMarginLoss back to a softmax.

    Why it is bad
        sigmoid of a probability lies in [0.5, 0.73], so no class can be denied; and softmax makes
        classes compete that this loss treats as independent.

    Example
        Wrong::

            loss = nn.BCEWithLogitsLoss()(scores.softmax(dim=1), one_hot)

        Right::

            loss = nn.CrossEntropyLoss()(scores, y)          # one class is right
            loss = nn.BCEWithLogitsLoss()(scores, multi_hot) # several may be right

    When it is wrong to fix
        Never seen.
    """

    code = "TLL105"
    name = "softmax-before-bce-with-logits"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, WITH_SIGMOID)
        if tensor is None:
            return
        dom = tensor.dom
        if dom.kind != PROBS and not (dom.kind == UNIT and picked_from_softmax(dom)):
            return
        yield Problem(
            f"{use.name} applies sigmoid itself, and gets probabilities from "
            f"{dom.how or 'softmax'}: "
            "the sigmoid maps them to [0.5, 0.73], so no class can be denied.",
            "Give the loss the raw scores; where exactly one class is right, use CrossEntropyLoss.",
        )
