"""TLL302."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import CLASS_INDEX, CLASS_INDEX_OR_PROBS, RAISE, RAISE_BACKWARD
from torchlosslint.contracts.versions import (
    CLASS_PROBABILITIES,
    FULL_KEEPS_TYPE,
    UINT8_INDICES,
    before,
    shown,
)
from torchlosslint.flow.domain import NUMBER, ONEHOT
from torchlosslint.flow.values import DOTS, Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import ELEMENTWISE, FLOATS, INDEXED, INTEGERS, of_torch, pair, plural, rank


class TargetDtype(Rule):
    """The target has a dtype that the loss does not take.

    What it does
        Follows the dtype of the target: class indices have to be int64 (uint8 is taken without further
        dimensions); BCE, BCE-with-logits, Huber and KL divergence want floats, BCE and Huber no float64
        beside float32 scores; and no loss takes numpy arrays.

    Why it is bad
        The call raises, or its backward() does, often only on the branch or the data that nobody tried.
        `torch.full((n,), 1)` is int64 since torch 1.7 where it was float32 before.

    Example
        Wrong::

            real = torch.full((n,), 1)                     # int64
            loss = nn.BCELoss()(prediction, real)
            loss = nn.CrossEntropyLoss()(scores, labels.float())

        Right::

            real = torch.full((n,), 1.0)
            loss = nn.BCELoss()(prediction, real)
            loss = nn.CrossEntropyLoss()(scores, labels)   # int64

    When it is wrong to fix
        Never seen. Integer targets into MSELoss, L1Loss and SmoothL1Loss are promoted, and fine.
    """

    code = "TLL302"
    name = "target-dtype"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if target is None or not of_torch(use):
            return
        if "numpy" in target.dom.flags and (scores is None or "numpy" not in scores.dom.flags):
            yield Problem(
                f"{use.name} takes tensors, and its target is a numpy array: it raises.",
                "Say torch.from_numpy(target), and move it where the scores are.",
                tensor=target,
            )
        elif use.contract.target in INDEXED and use.contract.class_dim == 1:
            yield from _indices(use, scores, target)
        elif use.contract.target in ELEMENTWISE:
            yield from _floats(use, scores, target)


def _indices(use: LossUse, scores: Tensor | None, target: Tensor) -> Iterable[Problem]:
    dtype, mine, other = target.dtype, rank(target), rank(scores) if scores is not None else None
    if dtype == "uint8" and before(use.torch, UINT8_INDICES):
        yield _as_long(use, target, f"uint8 class indices, which it takes since torch {shown(UINT8_INDICES)}")
        return
    if dtype is None or target.dom.kind == ONEHOT or dtype in use.contract.index_dtypes:
        if dtype == "uint8" and other is not None and other > 2 and mine == other - 1:
            if dtype not in use.contract.spatial_index_dtypes:
                yield _as_long(use, target, "uint8 class indices beside further dimensions")
        return
    if dtype in FLOATS:
        # Floats of the scores' own shape are class probabilities, which cross-entropy takes.
        probabilities = use.contract.target == CLASS_INDEX_OR_PROBS
        rows = not (mine is not None and mine + 1 == other) and not _one_a_row(scores, target)
        if probabilities and rows:
            # Of several labels in a row TLL203 has more to say.
            if before(use.torch, CLASS_PROBABILITIES) and target.dom.how != "multi_hot":
                yield _too_old(use, target)
            return
        if use.contract.target != CLASS_INDEX and not probabilities:
            return
    kind = "floating" if dtype == "float" else dtype
    yield _as_long(use, target, f"{kind} class indices")


def _one_a_row(scores: Tensor | None, target: Tensor) -> bool:
    """Whether a vector of floats is no class probabilities of one sample, beside scores of any rank."""
    a, b = scores.shape if scores is not None else None, target.shape
    if not a or not b or len(b) != 1 or a[0] is not DOTS or not isinstance(a[-1], int):
        return False
    return plural(b[0]) and b[0] != a[-1]


def _too_old(use: LossUse, target: Tensor) -> Problem:
    return Problem(
        f"{use.name} takes class probabilities since torch {shown(CLASS_PROBABILITIES)}, and gets a floating "
        "target: it raises.",
        "Give class indices, or write -(target * log_softmax(scores, 1)).sum(1).mean().",
        tensor=target,
    )


def _as_long(use: LossUse, target: Tensor, what: str) -> Problem:
    return Problem(
        f"{use.name} wants int64 class indices, and gets {what}: it raises.",
        "Cast the target with .long(), or make it an int64 tensor where it is made.",
        tensor=target,
    )


def _floats(use: LossUse, scores: Tensor | None, target: Tensor) -> Iterable[Problem]:
    contract, dtype = use.contract, target.dtype
    what = contract.double_target if dtype == "float64" else ""
    if dtype == "bool":
        what = contract.bool_target
    elif dtype in INTEGERS:
        what = contract.integer_target
    elif dtype == "float64" and (scores is None or scores.dtype != "float32"):
        return
    if what == RAISE:
        then = "it raises"
    elif what == RAISE_BACKWARD and not use.no_grad and scores is not None and scores.grad:
        then = "backward() raises"
    else:
        return
    if scores is not None and scores.dtype is not None and scores.dtype not in FLOATS:
        return
    if target.dom.kind == NUMBER and before(use.torch, FULL_KEEPS_TYPE):
        return  # perhaps of torch.full, which gave floats
    wanted = "float32" if dtype == "float64" else "floating"
    yield Problem(
        f"{use.name} wants a {wanted} target, and gets {dtype}: {then}.",
        "Make the target floating where it is made (1.0 for 1, dtype=torch.float32), or say target.float().",
        tensor=target,
    )
