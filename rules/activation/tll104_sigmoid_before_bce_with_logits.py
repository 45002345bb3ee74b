"""TLL104."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import UNIT
from torchlosslint.rule import LossUse, Problem, Rule

from .common import WITH_SIGMOID, picked_from_softmax, scores


class SigmoidBeforeBceWithLogits(Rule):
    """A loss that applies sigmoid itself gets probabilities: sigmoid is applied twice.

    What it does
        Follows the input of BCEWithLogitsLoss, F.binary_cross_entropy_with_logits and
        MultiLabelSoftMarginLoss back to a sigmoid.

    Why it is bad
        sigmoid of a number in [0, 1] lies in [0.5, 0.73]: the model can never say "no", the loss
        cannot fall below 0.69 on negatives and 0.31 on positives, and gradients are a fraction of
        what they should be.

    Example
        Wrong::

            loss = nn.BCEWithLogitsLoss()(torch.sigmoid(scores), y)

        Right::

            loss = nn.BCEWithLogitsLoss()(scores, y)
            probabilities = torch.sigmoid(scores)      # for reports and predictions only

    When it is wrong to fix
        Never seen.
    """

    code = "TLL104"
    name = "sigmoid-before-bce-with-logits"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, WITH_SIGMOID)
        if tensor is None or tensor.dom.kind != UNIT or picked_from_softmax(tensor.dom):
            return
        how = tensor.dom.how or "sigmoid"
        yield Problem(
            f"{use.name} applies sigmoid itself, and gets numbers that {how} already put into "
            "[0, 1]: "
            "the second sigmoid maps them to [0.5, 0.73], so the model cannot learn to say no.",
            "Give the loss the raw scores and apply sigmoid only to report, or use BCELoss.",
        )
