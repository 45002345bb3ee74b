"""TLL303."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from torchlosslint.contracts.base import CLASS_INDEX_OR_PROBS, RAISE
from torchlosslint.contracts.versions import BCE_SAME_SHAPE, before
from torchlosslint.flow.domain import ONEHOT
from torchlosslint.flow.values import Shape, Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import (
    BY_SAMPLE,
    ELEMENTWISE,
    FLOATS,
    INDEXED,
    INTEGERS,
    crossed,
    differ,
    of_torch,
    pair,
    rank,
    written,
)


class TargetShape(Rule):
    """The target has a dimension too many or too few, or another size than the scores.

    What it does
        Compares the shapes of scores and target where both are known. Class indices have the scores'
        shape without the class dimension: (N,) beside (N, C), (N, H, W) beside (N, C, H, W). A warning:
        `squeeze()` without a dimension beside a loss that refuses another shape, where the loader may give
        a last batch of one sample, whose batch dimension goes too.

    Why it is bad
        The call raises.

    Example
        Wrong::

            loss = F.cross_entropy(scores, labels.unsqueeze(1))    # (N, C) and (N, 1)
            loss = F.cross_entropy(scores, mask.unsqueeze(1))      # (N, C, H, W) and (N, 1, H, W)

        Right::

            loss = F.cross_entropy(scores, labels)                 # (N, C) and (N,)
            loss = F.cross_entropy(scores, mask)                   # (N, C, H, W) and (N, H, W)

    When it is wrong to fix
        Never seen.
    """

    code = "TLL303"
    name = "target-shape"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if (
            scores is None
            or target is None
            or not of_torch(use)
            or scores.shape is None
            or target.shape is None
        ):
            return
        if use.contract.target in INDEXED and use.contract.class_dim == 1:
            yield from _classes(use, scores, target)
        elif use.contract.target in ELEMENTWISE and use.contract.key not in BY_SAMPLE:
            yield from _elements(use, scores, target)
            yield from _last_of_one(use, scores, target)


def _classes(use: LossUse, scores: Tensor, target: Tensor) -> Iterable[Problem]:
    mine, other = rank(target), rank(scores)
    if mine is None or other is None or other < 2 or target.dom.kind == ONEHOT:
        return
    a, b = scores.shape or (), target.shape or ()
    if mine == other and use.contract.target == CLASS_INDEX_OR_PROBS and target.dtype not in INTEGERS:
        # Perhaps class probabilities; one column of anything is none beside several classes.
        if not (b[1] == 1 and differ(a[1], 1)):
            return
    elif mine == other - 1:
        if target.dtype in FLOATS or not any(differ(x, y) for x, y in zip((a[0], *a[2:]), b, strict=True)):
            return
    elif use.contract.key == "multi_margin" and a[0] == 1:
        return
    wanted = written((a[0], *a[2:]))
    yield Problem(
        f"{use.name} gets scores of shape {written(a)} and a target of shape {written(b)}, and wants class "
        f"indices of shape {wanted}: it raises.",
        "Give the target the scores' shape without the class dimension, here with "
        + (".squeeze(1)." if mine == other and b[1] == 1 else ".view(1)." if mine == 0 else "a reshape."),
        tensor=target,
    )


def _elements(use: LossUse, scores: Tensor, target: Tensor) -> Iterable[Problem]:
    mine, other = rank(target), rank(scores)
    if mine is None or other is None or crossed(scores, target) or crossed(target, scores):
        return
    a, b = scores.shape or (), target.shape or ()
    aligned = list(zip(reversed(a), reversed(b), strict=False))
    clash = any(differ(x, y) and 1 not in (x, y) for x, y in aligned)
    unequal = mine != other or any(differ(x, y) for x, y in aligned)
    if not clash and not (
        unequal and use.contract.raises_on_size == RAISE and use.contract.on_broadcast == RAISE
    ):
        return
    if use.contract.key == "bce" and before(use.torch, BCE_SAME_SHAPE) and _maybe_as_many(a, b):
        return
    yield Problem(
        f"{use.name} compares element by element, and gets shapes {written(a)} and {written(b)}: it raises.",
        "Bring both to the same shape.",
        tensor=target,
    )


def _last_of_one(use: LossUse, scores: Tensor, target: Tensor) -> Iterable[Problem]:
    """A bare squeeze() of one side takes the batch dimension too where a batch has one sample."""
    if use.contract.raises_on_size != RAISE or use.contract.on_broadcast != RAISE:
        return
    squeezed = ["ragged" in t.dom.flags for t in (scores, target)]
    if sum(squeezed) != 1:
        return
    which = "scores" if squeezed[0] else "target"
    yield Problem(
        f"squeeze() without a dimension takes the batch dimension of the {which} too where a batch has a "
        f"single sample, as the last one may: {use.name} raises there.",
        "Name the dimension: squeeze(1) or squeeze(-1). Or leave out the last batch (drop_last=True).",
        severity="warning",
        tensor=scores if squeezed[0] else target,
    )


def _maybe_as_many(a: Shape, b: Shape) -> bool:
    """Whether two shapes may have as many elements."""
    known = all(isinstance(size, int) for size in (*a, *b))
    return not known or prod(a) == prod(b)
