"""TLL301."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import CLASS_INDEX_OR_PROBS
from torchlosslint.contracts.versions import CLASS_PROBABILITIES, before, shown
from torchlosslint.flow.domain import ONEHOT
from torchlosslint.rule import LossUse, Problem, Rule

from .common import FLOATS, INDEXED, of_torch, pair, rank


class OneHotTarget(Rule):
    """A loss that takes class indices gets one-hot rows.

    What it does
        Follows the target of CrossEntropyLoss, NLLLoss and MultiMarginLoss back to F.one_hot, rows of
        torch.eye or the like.

    Why it is bad
        NLLLoss and MultiMarginLoss raise on any one-hot target, CrossEntropyLoss on an integer one.
        Floating one-hot rows are read by CrossEntropyLoss as class probabilities: the number is the
        same, but it costs more memory and time, and ignore_index does not work with it. Before
        torch 1.10 it raised (say which version you use: `torch = "1.9"` in the configuration).

    Example
        Wrong::

            loss = nn.CrossEntropyLoss()(scores, F.one_hot(y, 10).float())

        Right::

            loss = nn.CrossEntropyLoss()(scores, y)

    When it is wrong to fix
        Where rows are going to be mixed or smoothed; once they are, this rule is silent.
    """

    code = "TLL301"
    name = "one-hot-target"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if use.contract.target not in INDEXED or use.contract.class_dim != 1 or not of_torch(use):
            return
        if target is None or target.dom.kind != ONEHOT or (rank(target) or 2) < 2:
            return
        if scores is not None and rank(scores) is not None and rank(target) not in (None, rank(scores)):
            return
        how = target.dom.how or "one_hot"
        help_text = "Give the class indices as they were before, or target.argmax(dim=1)."
        if use.contract.target != CLASS_INDEX_OR_PROBS:
            yield Problem(
                f"{use.name} wants class indices, and gets the one-hot rows of {how}: it raises.",
                help_text,
                tensor=target,
            )
        elif target.dtype in FLOATS and before(use.torch, CLASS_PROBABILITIES):
            yield Problem(
                f"{use.name} gets floating one-hot rows from {how}: before torch "
                f"{shown(CLASS_PROBABILITIES)} it takes class indices alone, and raises.",
                help_text,
                tensor=target,
            )
        elif target.dtype in FLOATS:
            yield Problem(
                f"{use.name} gets floating one-hot rows from {how} and reads them as class probabilities: "
                "the same number as class indices give, slower, and ignore_index has no effect.",
                help_text,
                severity="warning",
                tensor=target,
            )
        elif target.dtype is not None:
            yield Problem(
                f"{use.name} gets integer one-hot rows from {how}: it takes class indices, or floating "
                "class probabilities, and raises on these.",
                help_text,
                tensor=target,
            )
