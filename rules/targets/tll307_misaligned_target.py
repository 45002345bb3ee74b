"""TLL307."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torchlosslint.flow.values import Flat, Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import ELEMENTWISE, INDEXED, of_torch, pair, rank


class MisalignedTarget(Rule):
    """Scores and target were flattened in different orders: shapes agree, pairs do not.

    What it does
        Compares the axes that were flattened into the first dimension of scores and target, and looks
        for a view that cuts through the class axis of (N, C, H, W) where a permute was needed.

    Why it is bad
        The score of one pixel or word is compared with the label of another. Nothing raises, since the
        sizes are the same; the network learns how frequent the labels are, and little else.

    Example
        Wrong::

            loss = F.cross_entropy(scores.view(-1, C), mask.view(-1))              # (N, C, H, W), (N, H, W)
            loss = F.cross_entropy(out.view(-1, C), words.view(-1))                # (T, N, C), (N, T)

        Right::

            loss = F.cross_entropy(scores, mask)
            loss = F.cross_entropy(out.view(-1, C), words.t().reshape(-1))

    When it is wrong to fix
        Never seen.
    """

    code = "TLL307"
    name = "misaligned-target"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if scores is None or not of_torch(use) or rank(scores) is None or not scores.shape:
            return
        by_class = use.contract.target in INDEXED and use.contract.class_dim == 1
        if by_class and len(scores.shape) == 2 and _scrambled(scores):
            yield Problem(
                f"{use.name} gets rows of {scores.shape[1]} numbers that a view cut out of (N, C, ...): they "
                "are neighbouring pixels of one class, not the classes of one pixel.",
                "Move the classes last before the view: permute(0, 2, 3, 1).reshape(-1, C); or give the loss "
                "(N, C, H, W) and (N, H, W) as they are.",
            )
        elif target is not None and target.shape and rank(target) is not None:
            if not by_class and (
                use.contract.target not in ELEMENTWISE or len(scores.shape) != len(target.shape)
            ):
                return
            mine, other = _parts(scores.shape[0]), _parts(target.shape[0])
            if mine != other and sorted(map(str, mine)) == sorted(map(str, other)):
                yield Problem(
                    f"{use.name} gets scores flattened from axes {_words(mine)} and a target flattened from "
                    f"{_words(other)}: the sizes agree, and scores meet the labels of others.",
                    "Transpose one of them before it is flattened, for instance target.t().reshape(-1).",
                )


def _scrambled(scores: Tensor) -> bool:
    dom = scores.dom
    return "scrambled" in dom.flags or (dom.base is not None and "scrambled" in dom.base.flags)


def _parts(size: Any) -> tuple[Any, ...]:
    """The sizes that were flattened into this one, where there are several and all are different."""
    parts: tuple[Any, ...] = ()
    if isinstance(size, Flat):
        parts = size.parts
    elif isinstance(size, str) and "*" in size:
        parts = tuple(size.split("*"))
    parts = tuple(p for p in parts if p not in (1, "1"))
    return parts if len(set(map(str, parts))) == len(parts) else ()


def _words(parts: tuple[Any, ...]) -> str:
    return f"({', '.join('rows' if str(p)[0] == '#' else str(p) for p in parts)})"
