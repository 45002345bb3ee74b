"""TLL108."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import ONEHOT, PROBS
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import BCE, classes, scores


class SoftmaxIntoBce(Rule):
    """BCELoss gets the probabilities of a softmax over several classes.

    What it does
        Follows the input of BCELoss / F.binary_cross_entropy back to a softmax over a class dimension.

    Why it is bad
        Binary cross-entropy treats every class as a yes-or-no question of its own, softmax makes them
        compete: each wrong class is punished twice, the gradients are badly scaled, and log(0) is
        one underflow away. For two classes with one-hot targets it is twice cross-entropy: right,
        only less stable.

    Example
        Wrong::

            loss = nn.BCELoss()(scores.softmax(dim=1), F.one_hot(y, 10).float())

        Right::

            loss = nn.CrossEntropyLoss()(scores, y)

    When it is wrong to fix
        Two classes with matching one-hot targets, where the numbers are to stay as they were.
    """

    code = "TLL108"
    name = "softmax-into-bce"
    severity = "warning"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, BCE)
        if tensor is None or tensor.dom.kind != PROBS:
            return
        count = classes(tensor)
        target = use.target
        if isinstance(target, Tensor) and target.dom.kind == ONEHOT:
            count = classes(target.with_(dom=tensor.dom)) if count is None else count
            if count in (None, 2):
                return  # of two classes it is right
        many = count is not None and count > 2
        over = f" over {count} classes" if count is not None else ""
        yield Problem(
            f"{use.name} asks yes or no for each class on its own, and gets "
            f"{tensor.dom.how or 'softmax'} "
            f"probabilities{over}, which compete: wrong classes are punished twice and log(0) is near.",
            "Where exactly one class is right, use CrossEntropyLoss on the raw scores; else "
            "BCEWithLogitsLoss.",
            severity="error" if many else None,
        )
