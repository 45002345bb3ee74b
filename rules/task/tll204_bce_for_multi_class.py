"""TLL204."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import DATA
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import DECODING, decoded, one_hot, size_of_classes

BINARY = frozenset({"bce", "bce_with_logits", "multilabel_soft_margin"})


class BceForMultiClass(Rule):
    """Binary cross-entropy over one-hot rows of exclusive classes that are decoded by argmax.

    What it does
        Looks at BCELoss, BCEWithLogitsLoss and MultiLabelSoftMarginLoss whose target is one-hot and whose
        scores the program decodes by argmax: one class out of several.

    Why it is bad
        It works, but each class is learnt as a question of its own: with many classes nearly all of the
        loss is about the negatives, and the probabilities need not sum to one. Cross-entropy asks the
        question that argmax answers.

    Example
        Wrong::

            loss = F.binary_cross_entropy_with_logits(scores, F.one_hot(y, 10).float())
            prediction = scores.argmax(dim=1)

        Right::

            loss = F.cross_entropy(scores, y)

    When it is wrong to fix
        Classes may be absent or overlap in the end (detection heads), or the recipe was tuned this way.
    """

    code = "TLL204"
    name = "bce-for-multi-class"
    severity = "note"
    default = False
    watches = DECODING

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        uses = [u for u in history.losses if u.contract.key in BINARY]
        heads = decoded(history) if uses else {}
        for use in uses:
            scores, target = use.input, use.target
            if not isinstance(scores, Tensor) or not isinstance(target, Tensor) or scores.origin is None:
                continue
            known = scores.origin.place in heads and size_of_classes(scores) not in (1, 2)
            rows = target.dom.kind == DATA and known and heads[scores.origin.place]
            if known and (one_hot(target.dom) or (rows and target.role != "model")):
                yield (
                    use,
                    Problem(
                        f"{use.name} treats every class as a question of its own, but the labels are one-hot "
                        "and the prediction is the argmax: nearly all of the loss is about negatives.",
                        "Classes that exclude one another want CrossEntropyLoss on raw scores and indices.",
                    ),
                )
