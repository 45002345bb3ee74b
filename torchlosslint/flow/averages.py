"""Losses that are added up over batches, as numbers, and divided by a count.

A root ("mean", place) says that a number is the mean of a loss over a batch, ("summed", place) its sum;
("total", (place, loader)) that it was added up at a place over the batches of a loader. These roots
last where the gradient is cut, since they speak of the number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.datasets import LOADERS
from torchlosslint.flow.ops.support import LASTING
from torchlosslint.flow.values import (
    Choice,
    Const,
    ExtObj,
    Obj,
    Place,
    SymInt,
    Tensor,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame


def identity(iterable: Value) -> object:
    """What tells one loader from another; None for what has no identity, or has batches of one sample."""
    while isinstance(iterable, ExtObj) and iterable.qual not in LOADERS and iterable.args:
        iterable = iterable.args[0]  # enumerate, tqdm
    if isinstance(iterable, Unknown):
        return iterable.key
    if isinstance(iterable, ExtObj) and iterable.qual in LOADERS:
        size = iterable.args[1] if len(iterable.args) > 1 else iterable.kwargs.get("batch_size", Const(1))
        data = iterable.args[0] if iterable.args else iterable.kwargs.get("dataset")
        own = data.serial if isinstance(data, Obj) else data.key if isinstance(data, Unknown) else None
        return None if size in (Const(1), Const(None)) else ("loader", iterable.serial, own)
    return None


def totalled(m: Machine, added: Value, total: Value, place: Place) -> Value:
    """`total`, to which a loss of a batch was added in a loop over a loader."""
    loader = m.loops[-1][1] if m.loops else None
    if loader is None or not isinstance(total, (Tensor, Choice)):
        return total
    if not isinstance(added, Tensor) or not any(kind in ("mean", "summed") for kind, _ in added.roots):
        return total
    root = ("total", (place, loader))
    if isinstance(total, Tensor):
        return total.with_(roots=total.roots | {root})
    return Choice(
        tuple((g, v.with_(roots=v.roots | {root}) if isinstance(v, Tensor) else v) for g, v in total.alts)
    )


def scaled(result: Value, by: Value) -> Value:
    """The product or quotient of a loss and something else: no mean over the batch any more."""
    if (
        isinstance(result, Tensor)
        and result.roots
        and not (isinstance(by, Const) and type(by.value) is float)
    ):
        kept = frozenset(r for r in result.roots if r[0] not in LASTING)
        if len(kept) != len(result.roots):
            return result.with_(roots=kept)
    return result


def divided(m: Machine, left: Value, right: Value, place: Place, frame: Frame) -> None:
    """`left / right`: a total of means over the number of samples, or of sums over that of batches."""
    if not isinstance(left, Tensor) or not isinstance(right, SymInt) or not isinstance(right.base, tuple):
        return
    if place in m.multiplied:
        return  # by the size of a batch, which makes it right
    kinds = {kind for kind, _ in left.roots}
    for kind, what in left.roots:
        if kind != "total" or right.base[0] != "len":
            continue
        loader = what[1]
        counted = right.base[1]
        if isinstance(loader, tuple) and loader[0] == "loader":
            samples, batches = counted == loader[2] and loader[2] is not None, counted == loader[1]
        else:
            samples, batches = counted == ("attr", loader, "dataset"), counted == loader
        if (samples and "mean" in kinds and "summed" not in kinds) or (
            batches and "summed" in kinds and "mean" not in kinds
        ):
            m.sink.event(m, "average", left, place, frame, samples=Const(bool(samples)))
            return
