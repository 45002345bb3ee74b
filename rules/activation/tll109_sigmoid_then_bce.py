"""TLL109."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import UNIT
from torchlosslint.rule import LossUse, Problem, Rule

from .common import BCE, picked_from_softmax, scores

_SIGMOIDS = ("sigmoid", "hardsigmoid", "1/(1+exp")


class SigmoidThenBce(Rule):
    """A sigmoid followed by BCELoss: correct, but fragile.

    What it does
        Follows the input of BCELoss / F.binary_cross_entropy back to a sigmoid.

    Why it is bad
        The number is right. But in float32 sigmoid rounds to exactly 1 for scores above about 17 (and
        to 0 below about -89), where BCELoss clamps the log at -100 and the gradient is gone; under
        autocast BCELoss raises. BCEWithLogitsLoss computes both steps in one stable formula.

    Example
        Wrong::

            loss = nn.BCELoss()(torch.sigmoid(scores), y)

        Right::

            loss = nn.BCEWithLogitsLoss()(scores, y)

    When it is wrong to fix
        The model must return probabilities by contract, and scores stay small.
    """

    code = "TLL109"
    name = "sigmoid-then-bce"
    severity = "warning"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, BCE)
        if tensor is None or tensor.dom.kind != UNIT or picked_from_softmax(tensor.dom):
            return
        if use.autocast is not None and not use.autocast.startswith(("cpu", "mps")):
            return  # TLL505: there it raises
        if (tensor.dom.low or 0.0) > 0.01 or (tensor.dom.high or 1.0) < 0.99:
            return  # squeezed on purpose: there is no form with logits
        if "mixture" in tensor.dom.flags:  # a product or an average: there is no form with logits
            return
        if not tensor.dom.how.lower().startswith(_SIGMOIDS):
            return
        yield Problem(
            f"sigmoid and then {use.name} gives the right number but is fragile: the gradient "
            "is lost "
            "where sigmoid rounds to 0 or 1, and the loss raises under autocast.",
            "Drop the sigmoid and use BCEWithLogitsLoss; apply sigmoid only to report.",
        )
