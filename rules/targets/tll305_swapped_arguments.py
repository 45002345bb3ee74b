"""TLL305."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import swapped


class SwappedArguments(Rule):
    """The labels are given as predictions, and the predictions as labels.

    What it does
        Follows both arguments: labels or constants, without a gradient, in the place of the predictions,
        and what the model gave in the place of the target.

    Why it is bad
        The loss of cross-entropy, NLL, BCE, KL divergence and the like is not symmetric: torch takes the
        labels for scores. It raises where dtypes or shapes differ, and else trains on a wrong number,
        often without any gradient.

    Example
        Wrong::

            loss = F.binary_cross_entropy(y, self(x))

        Right::

            loss = F.binary_cross_entropy(self(x), y)

    When it is wrong to fix
        Never seen. MSE, L1, SmoothL1, Huber and cosine losses are symmetric, and not looked at.
    """

    code = "TLL305"
    name = "swapped-arguments"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        if not swapped(use) or not isinstance(use.target, Tensor):
            return
        # A model's own earlier output may be a target; but not of labels as predictions.
        yield Problem(
            f"{use.name} gets data or labels as predictions, and the model's output as the target: "
            "the loss is not symmetric, so this is another number, with a wrong gradient or none.",
            f"Swap the two: {use.name}(prediction, target).",
            tensor=use.target,
        )
