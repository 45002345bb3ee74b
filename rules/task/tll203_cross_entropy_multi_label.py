"""TLL203."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.versions import CLASS_PROBABILITIES, before
from torchlosslint.flow.domain import DATA, SCORES, UNIT
from torchlosslint.flow.values import DOTS, Place, Tensor, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import size_of_classes

_FLOATS = ("float", "float16", "bfloat16", "float32", "float64")


class CrossEntropyMultiLabel(Rule):
    """Cross-entropy with labels of which several may be true at once.

    What it does
        Looks for multi-hot targets of CrossEntropyLoss / F.cross_entropy: summed one-hot rows, rows with
        several ones, MultiLabelBinarizer, and float targets of scores that the program decodes class by
        class (sigmoid, then a threshold).

    Why it is bad
        The softmax makes the classes compete for one unit of probability. With k true labels the best
        that the model can do is 1/k for each, below the threshold of 0.5 as soon as there are two, and
        a sample without any label has no say at all.

    Example
        Wrong::

            loss = F.cross_entropy(scores, multi_hot)               # (N, C), several ones a row

        Right::

            loss = F.binary_cross_entropy_with_logits(scores, multi_hot)

    When it is wrong to fix
        The rows are a distribution on purpose and are only compared by rank.
    """

    code = "TLL203"
    name = "cross-entropy-multi-label"
    severity = "error"
    watches = frozenset({"threshold"})

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        uses = [u for u in history.losses if u.contract.key == "cross_entropy"]
        heads = _one_by_one(history) if uses else frozenset()
        for use in uses:
            scores, target = use.input, use.target
            harm = "no class of two or more can reach a probability above 0.5"
            if before(use.torch, CLASS_PROBABILITIES):
                harm = "it takes one index a sample, and raises"
            if (
                isinstance(scores, Tensor)
                and isinstance(target, Tensor)
                and _multi_hot(scores, target, heads)
            ):
                yield (
                    use,
                    Problem(
                        f"{use.name} lets the classes compete for one label a sample, and its target has "
                        f"several: {harm}.",
                        "Several labels at once want BCEWithLogitsLoss on the same raw scores.",
                    ),
                )


def _one_by_one(history: History) -> frozenset[Place]:
    """The layers whose scores are decoded class by class: where they are made."""
    found = set()
    for event in history.of("threshold"):
        value: Value = event.value
        if isinstance(value, Tensor) and value.dom.kind == UNIT and value.origin is not None:
            before = value.origin.prev
            while before is not None and before.dom is None:
                before = before.prev
            if before is not None and before.dom is not None and before.dom.kind == SCORES:
                found.add(before.place)
    return frozenset(found)


def _multi_hot(scores: Tensor, target: Tensor, heads: frozenset[Place]) -> bool:
    rows = target.shape is None or DOTS in target.shape or len(target.shape) > 1
    if target.dom.kind != DATA or not rows or target.dtype not in (*_FLOATS, None):
        return False
    if target.dom.how == "multi_hot":
        return True
    several = size_of_classes(scores)
    known = several is not None and several > 2 and target.dtype is not None
    return known and scores.origin is not None and scores.origin.place in heads
