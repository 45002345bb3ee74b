"""TLL202."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import DOTS, Shape, Tensor, Value
from torchlosslint.rule import LossUse, Problem, Rule


class CrossEntropySingleLogit(Rule):
    """Cross-entropy over a single class: the loss is zero whatever the score is.

    What it does
        Looks at the dimension of the classes of what reaches CrossEntropyLoss / F.cross_entropy, after
        all reshaping, where its size is known.

    Why it is bad
        The softmax over one score is 1 and its log is 0: the loss is zero from the first step, there is
        no gradient, and nothing is learnt. A label of 1 raises.

    Example
        Wrong::

            head = nn.Linear(128, 1)
            loss = nn.CrossEntropyLoss()(head(x), y)

        Right::

            loss = nn.BCEWithLogitsLoss()(head(x).squeeze(1), y.float())
            loss = nn.CrossEntropyLoss()(head(x).view(-1, choices), y)      # one score for each choice

    When it is wrong to fix
        Never; a run that is configured for one class only needs no loss.
    """

    code = "TLL202"
    name = "cross-entropy-single-logit"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.input
        if use.contract.key != "cross_entropy" or not isinstance(tensor, Tensor) or not tensor.shape:
            return
        shape = tensor.shape
        if DOTS in shape or len(shape) < 2 or shape[1] != 1 or not _fits(shape, use.target):
            return
        yield Problem(
            f"{use.name} gets one score for each sample: the softmax over a single class is always 1, so "
            "the loss is always 0 and nothing is learnt.",
            "For two classes use BCEWithLogitsLoss with float labels, or give the head one output a class.",
        )


def _fits(scores: Shape, target: Value) -> bool:
    """Whether the loss takes this target beside these scores, as far as is known: where it raises, nothing
    comes out that could be 0."""
    if not isinstance(target, Tensor) or target.shape is None or DOTS in target.shape[:1]:
        return True
    shape = target.shape
    if len(shape) == len(scores):
        return target.dtype is None or "int" not in target.dtype  # class probabilities
    pairs = zip((scores[0], *scores[2:]), shape, strict=False)
    return len(shape) == len(scores) - 1 and all(
        a == b for a, b in pairs if isinstance(a, int) and isinstance(b, int)
    )
