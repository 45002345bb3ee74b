"""The largest and smallest numbers, and numbers in order: max, min, topk, sort, median."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.domain import (
    BOUNDED,
    CHOSEN,
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.ops.arithmetic import extreme
from torchlosslint.flow.ops.call import OpCall, integer
from torchlosslint.flow.ops.joining import picked
from torchlosslint.flow.ops.reductions import keeps_dim, reduced_dims, reduced_shape
from torchlosslint.flow.ops.shapes import rank, same_axis, with_axis
from torchlosslint.flow.ops.support import (
    cut_off,
    flagged,
    made,
    nothing,
    numbered,
    operand,
    register,
    unflagged,
    unknown,
)
from torchlosslint.flow.values import Shape, Tensor, TupleV, Unknown, Value

KEEPING = frozenset({SCORES, UNIT, LOGUNIT, POSITIVE, BOUNDED, DATA, INDICES, NUMBER})


def values_domain(x: Tensor) -> Domain:
    """The domain of the largest (smallest, median) numbers."""
    dom = unflagged(picked(x.dom), "unreduced")
    if dom.kind == POSITIVE:
        return flagged(dom, "pooled")
    if dom.kind == ONEHOT:
        return nothing("max")
    return dom.replace(flags=dom.flags - {"normalized"}) if dom.kind in KEEPING else nothing("max")


def extremes(call: OpCall, how: str) -> Value:
    """max, min, median, mode, kthvalue, cummax: with a dim a pair of values and indices."""
    x = operand(call)
    position = 2 if how == "kthvalue" else 1
    given = call.arg(position, "dim")
    other = call.kwargs.get("other")
    if isinstance(given, Tensor) or other is not None:
        return extreme(call)
    if not isinstance(x, Tensor):
        if isinstance(x, Unknown) and given is not None:
            return pair(
                unknown(how, x), Tensor(Domain(INDICES, how), dtype="int64", grad=False, cut=f"{how}()")
            )
        return unknown(how, x)
    named, dims = reduced_dims(call, position)
    numpy = "numpy" in x.dom.flags
    if how in ("kthvalue", "mode") and not named:
        named, dims = True, [-1]
    keep = keeps_dim(call, position + 1)
    shape = x.shape if how.startswith("cum") else reduced_shape(x.shape, named, dims, keep)
    dom = values_domain(x)
    if how.startswith("cum") and "unreduced" in x.dom.flags:
        dom = flagged(dom, "unreduced")
    values = made(call, x, dom, shape=shape)
    dim = dims[0] if dims is not None and len(dims) == 1 else None
    if how in ("max", "min"):
        values = values.with_(uid=numbered(how, x.uid, dim, keep))
    if not named or numpy:
        return values
    return pair(values, picks(call, x, how, shape))


def picks(call: OpCall, x: Tensor, how: str, shape: Shape | None) -> Tensor:
    """The indices that come with values."""
    if call.emit is not None and how in CHOSEN:
        call.emit("chosen", x, call.place)
    after = made(call, x, Domain(INDICES, how), dtype="int64", shape=shape)
    return cut_off(call, after, f"{how}()", f"the indices of {how} have no gradient")


def pair(values: Value, indices: Value) -> TupleV:
    """values and indices, as a namedtuple."""
    return TupleV((values, indices), ("values", "indices"))


def topk(call: OpCall) -> Value:
    """topk(k, dim=-1)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return pair(
            unknown("topk", x), Tensor(Domain(INDICES, "topk"), dtype="int64", grad=False, cut="topk()")
        )
    given = call.arg(2, "dim")
    dim = -1 if given is None else integer(given)
    shape = with_axis(x.shape, dim, integer(call.arg(1, "k")))
    dom = values_domain(x)
    if "unreduced" in x.dom.flags and integer(call.arg(1, "k")) != 1:
        dom = flagged(dom, "unreduced")
    return pair(made(call, x, dom, shape=shape), picks(call, x, "topk", shape))


def sort(call: OpCall) -> Value:
    """sort(dim=-1): only along the classes do distributions stay what they are."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return pair(
            unknown("sort", x), Tensor(Domain(INDICES, "sort"), dtype="int64", grad=False, cut="sort()")
        )
    given = call.arg(1, "dim")
    dim = -1 if given is None else integer(given)
    whole = x.dom.kind in (PROBS, LOGPROBS) and same_axis(x.dom.dim, dim, rank(x.shape)) is True
    dom = x.dom if whole or x.dom.kind == ONEHOT else picked(x.dom)
    return pair(made(call, x, dom), picks(call, x, "sort", x.shape))


def numpy_sort(call: OpCall) -> Value:
    """numpy.sort: no indices."""
    x = operand(call)
    return made(call, x, picked(x.dom)) if isinstance(x, Tensor) else unknown("sort", x)


def plain_extreme(call: OpCall, how: str) -> Value:
    """amax, amin, quantile: values only."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    position = 2 if how == "quantile" else 1
    named, dims = reduced_dims(call, position)
    shape = reduced_shape(x.shape, named, dims, keeps_dim(call, position + 1)) if how != "quantile" else None
    return made(call, x, values_domain(x), shape=shape, dtype=x.dtype)


def enter() -> None:
    """Enter all of this module."""
    for name in ("max", "min", "median", "mode", "kthvalue", "cummax", "cummin"):
        register(partial(extremes, how=name), name, name)
    for name in ("max", "min", "median", "amax", "amin"):
        register(partial(plain_extreme, how=name), f"numpy.{name}")
    for name in ("amax", "amin", "quantile"):
        register(partial(plain_extreme, how=name), name, name)
    register(topk, "topk", "topk")
    register(sort, "sort msort", "sort")
    register(numpy_sort, "numpy.sort")


enter()
