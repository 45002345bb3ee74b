"""TLL305."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import NO_TARGET
from torchlosslint.flow.domain import INDICES, NUMBER, ONEHOT, SCORES
from torchlosslint.flow.values import Tensor, Unknown, Value
from torchlosslint.rule import LossUse, Problem, Rule

from .common import of_torch


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
        contract = use.contract
        if (
            contract.symmetric
            or contract.symmetric_inputs
            or contract.target == NO_TARGET
            or not of_torch(use)
        ):
            return
        if len(contract.inputs) > 1 or not isinstance(use.target, Tensor):
            return
        if use.target.role != "model" or not _given(use.input):
            return
        if contract.key == "kl_div" and isinstance(use.input, Tensor) and use.input.dom.kind == NUMBER:
            if not (use.input.dom.low or 0) > 0:
                return  # the logarithm of a uniform distribution: the divergence the other way round is meant
        # A model's own earlier output may be a target; but not of labels as predictions.
        yield Problem(
            f"{use.name} gets data or labels as predictions, and the model's output as the target: "
            "the loss is not symmetric, so this is another number, with a wrong gradient or none.",
            f"Swap the two: {use.name}(prediction, target).",
            tensor=use.target,
        )


def _given(value: Value) -> bool:
    """Labels, data or constants: nothing that a model made."""
    if isinstance(value, Unknown):
        return value.reason == "comes out of a data loader"
    if not isinstance(value, Tensor) or value.grad is not False or value.cut:
        return False
    return value.role == "data" or (
        value.role == "" and value.dom.kind in (INDICES, NUMBER, ONEHOT) and value.dom.kind != SCORES
    )
