"""Reductions: sum, mean, max, argmax, logsumexp, norms, and what they leave of distributions."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.domain import (
    BOUNDED,
    DATA,
    INDICES,
    LOGPROBS,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    RAW,
    SCORES,
    UNIT,
    UNKNOWN,
    Domain,
)
from torchlosslint.flow.ops.call import OpCall, const
from torchlosslint.flow.ops.contraction import COSINE
from torchlosslint.flow.ops.shapes import axis_after_drop, rank, same_axis, with_axis, without_axis
from torchlosslint.flow.ops.support import (
    INTS,
    cut_off,
    domain,
    dtype_of,
    flagged,
    floating,
    integers,
    made,
    nothing,
    numbered,
    operand,
    register,
    uid_of,
    unflagged,
    unknown,
)
from torchlosslint.flow.values import NONE, Shape, Tensor, Unknown, Value


def reduced_dims(call: OpCall, position: int = 1) -> tuple[bool, list[int] | None]:
    """The dimensions of a reduction: (whether any were named, them; None where they are not known)."""
    given = call.arg(position, "dim")
    given = call.kwargs.get("axis") if given is None else given
    if given is None or given == NONE:
        return False, None
    return True, integers(given)


def keeps_dim(call: OpCall, position: int = 2) -> bool | None:
    """Whether keepdim was given as true; None where that is unknown."""
    given = call.arg(position, "keepdim")
    given = call.kwargs.get("keepdims") if given is None else given
    if given is None:
        return False
    found = const(given)
    return bool(found) if isinstance(found, (bool, int)) else None


def reduced_shape(
    shape: Shape | None, named: bool, dims: list[int] | None, keep: bool | None
) -> Shape | None:
    """The shape after a reduction."""
    if not named:
        return () if not keep else None
    if dims is None or keep is None or shape is None:
        return None
    known = rank(shape)
    if known is not None:
        dims = sorted((d + known if d < 0 else d for d in dims), reverse=True)
        if any(not 0 <= d < known for d in dims):
            return None
    elif len(dims) > 1:
        return None
    for d in dims:
        shape = with_axis(shape, d, 1) if keep else without_axis(shape, d)
    return shape


def over_classes(x: Tensor, named: bool, dims: list[int] | None) -> bool | None:
    """Whether a reduction of distributions goes over the classes; None where that is unknown."""
    if not named:
        return True if rank(x.shape) == 1 else None
    if dims is None:
        return None
    answers = [same_axis(x.dom.dim, d, rank(x.shape)) for d in dims]
    return True if any(answers) else False if all(a is False for a in answers) else None


def axis_left(x: Tensor, dims: list[int] | None, keep: bool | None) -> int | None:
    """Where the class axis is after other dimensions were reduced."""
    if keep or dims is None:
        return x.dom.dim if keep else None
    dim, known = x.dom.dim, rank(x.shape)
    ordered = dims if known is None else sorted((d + known if d < 0 else d for d in dims), reverse=True)
    if known is None and len(ordered) > 1:
        return None
    for d in ordered:
        dim = axis_after_drop(dim, d, known)
        known = known - 1 if known is not None else None
    # Where the rank is not known, one more such step might go over the classes.
    return dim if known is not None or dim is None or dim > 0 else None


def mean_domain(x: Tensor, named: bool, dims: list[int] | None, keep: bool | None) -> Domain:
    """The domain of a mean."""
    dom = x.dom
    if dom.kind in (SCORES,):
        return RAW
    if dom.kind in (DATA, NUMBER):
        return dom
    if dom.kind == POSITIVE:
        return flagged(dom, "pooled")
    if dom.kind in (UNIT, BOUNDED) and "dropout" not in dom.flags:
        return flagged(dom.replace(flags=dom.flags - {"normalized"}), "mixture")
    if dom.kind == PROBS:
        over = over_classes(x, named, dims)
        if over is False:
            return flagged(dom.replace(dim=axis_left(x, dims, keep)), "scaled", "mixture")
        if "scaled" in dom.flags:
            return nothing("mean")
        return Domain(UNIT, dom.how, flags=frozenset({"mixture", "pooled"}))
    if dom.kind == ONEHOT:
        return Domain(UNIT, "one_hot", flags=frozenset({"mixture"}))
    return nothing("mean")


_COUNTED = frozenset({"positives", "negatives"})


def sum_domain(x: Tensor, named: bool, dims: list[int] | None, keep: bool | None) -> Domain:
    """The domain of a sum."""
    dom = x.dom
    if dom.kind in (SCORES, DATA):
        return RAW if dom.kind == SCORES else dom
    if "masked" in dom.flags and dom.kind == UNIT and named and over_classes(x, named, dims) is not False:
        return dom.replace(flags=(dom.flags - {"masked"}) | {"picked"})
    if dom.kind in (POSITIVE, UNIT):
        return Domain(POSITIVE, "sum", base=dom.base) if "mixture" not in dom.flags else nothing("sum")
    if dom.kind == PROBS:
        over = over_classes(x, named, dims)
        if over is False:
            return flagged(dom.replace(dim=axis_left(x, dims, keep)), "scaled", "mixture")
        if over and "scaled" not in dom.flags and dims is not None and len(dims) == 1:
            return Domain(NUMBER, "sum", low=1.0)
        return Domain(POSITIVE, "sum")
    if dom.kind == BOUNDED:
        return COSINE if "product" in dom.flags else RAW
    if dom.kind == ONEHOT:
        if named and several_hot(x, dims):
            return Domain(DATA, "multi_hot")
        return Domain(POSITIVE, "sum") if not named else nothing("sum")
    if dom.flags & _COUNTED:
        return Domain(UNKNOWN, "sum", flags=dom.flags & _COUNTED)
    return nothing("sum")


def several_hot(x: Tensor, dims: list[int] | None) -> bool:
    """Whether a sum (or maximum) over these dimensions puts the one-hot rows of a sample together."""
    known = rank(x.shape)
    if dims is None or len(dims) != 1 or x.dom.how != "one_hot":
        return False
    return dims[0] == -2 if known is None else known >= 3 and dims[0] in (-2, known - 2)


def total(call: OpCall, how: str) -> Value:
    """sum and mean."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return of_unknown(call, x, how)
    named, dims = reduced_dims(call)
    keep = keeps_dim(call)
    dom = (sum_domain if how == "sum" else mean_domain)(x, named, dims, keep)
    asked = dtype_of(call.kwargs.get("dtype"))
    dtype = asked or x.dtype
    if how == "sum" and x.dtype in INTS:
        dtype = asked or "int64"
    elif how == "mean" and asked is None:
        dtype = floating(x.dtype)
    shape = reduced_shape(x.shape, named, dims, keep)
    return reduced(call, x, dom, how, dims, keep, dtype, shape)


def of_unknown(call: OpCall, x: Value, how: str) -> Value:
    """A reduction of something unknown, which may still serve `x - x.logsumexp()`."""
    if not isinstance(x, Unknown) or how not in ("logsumexp", "norm"):
        return unknown(how, x)
    named, dims = reduced_dims(call, 2 if how == "norm" else 1)
    dim = dims[0] if dims is not None and len(dims) == 1 else None
    if named and dim is None:
        return unknown(how, x)
    flags = frozenset(
        {"squeezed"} if named and not keeps_dim(call, 3 if how == "norm" else 2) and dim != 0 else ()
    )
    dom = nothing(how).replace(flags=flags) if how == "logsumexp" else Domain(POSITIVE, how, flags=flags)
    return made(call, x, dom, dtype="float", of=(uid_of(x), dim), shape=None)


def reduced(
    call: OpCall,
    x: Tensor,
    dom: Domain,
    how: str,
    dims: list[int] | None,
    keep: bool | None,
    dtype: str | None,
    shape: Shape | None,
) -> Tensor:
    """The result of a reduction, which remembers what it reduced."""
    dim = dims[0] if dims is not None and len(dims) == 1 else None
    of = (x.uid, dim) if dims is None or len(dims) == 1 else None
    named = shape != () or dims is not None
    if dims is None and named:
        of = None
    dom = unflagged(dom, "squeezed", "unreduced")
    if keep is not True and dim is not None and dim != 0:
        dom = flagged(dom, "squeezed")
    return made(call, x, dom, dtype=dtype, shape=shape, of=of, uid=numbered(how, x.uid, dim, keep))


def log_sum_exp(call: OpCall) -> Value:
    """logsumexp(dim, keepdim)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return of_unknown(call, x, "logsumexp")
    named, dims = reduced_dims(call)
    keep = keeps_dim(call)
    kind = x.dom.kind
    dom = RAW.replace(how="logsumexp") if kind in (SCORES, BOUNDED, POSITIVE) else nothing("logsumexp")
    if kind == LOGPROBS and over_classes(x, named, dims) and "scaled" not in x.dom.flags:
        dom = nothing("logsumexp")
    shape = reduced_shape(x.shape, named, dims, keep)
    return reduced(call, x, dom, "logsumexp", dims, keep, floating(x.dtype), shape)


def norm(call: OpCall, position: int = 2) -> Value:
    """norm(p, dim, keepdim), linalg.norm, vector_norm."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return of_unknown(call, x, "norm")
    named, dims = reduced_dims(call, position)
    keep = keeps_dim(call, position + 1)
    power = call.arg(1, "p")
    power = call.kwargs.get("ord") if power is None else power
    result = reduced(
        call,
        x,
        Domain(POSITIVE, "norm"),
        "norm",
        dims,
        keep,
        floating(x.dtype),
        reduced_shape(x.shape, named, dims, keep),
    )
    return result if power is None or const(power) in (2, 2.0, "fro", None) else result.with_(of=None)


def spread(call: OpCall, how: str) -> Value:
    """std and var: non-negative."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    named, dims = reduced_dims(call)
    shape = reduced_shape(x.shape, named, dims, keeps_dim(call, 9))
    if len(call.args) > 2:
        shape = None
    return made(call, x, Domain(POSITIVE, how), shape=shape, dtype=floating(x.dtype))


def vague(call: OpCall, how: str) -> Value:
    """prod, nanmean and others of which nothing is said of the numbers."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    named, dims = reduced_dims(call)
    dom = x.dom if how in ("nanmean", "nanmedian") and x.dom.kind in (SCORES, DATA) else nothing(how)
    if how == "prod" and x.dom.kind in (PROBS, UNIT) and not x.dom.flags & {"scaled", "dropout"}:
        dom = Domain(UNIT, x.dom.how, flags=frozenset({"mixture"}))
    dtype = "int64" if how in ("prod",) and x.dtype in INTS else x.dtype
    return made(call, x, dom, shape=reduced_shape(x.shape, named, dims, keeps_dim(call)), dtype=dtype)


def arg_extreme(call: OpCall, how: str) -> Value:
    """argmax, argmin, argsort: class indices; no gradient."""
    x = operand(call)
    if how == "argmax" and isinstance(x, Tensor) and call.emit is not None:
        call.emit("argmax", x, call.place)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(how, x)
    named, dims = reduced_dims(call)
    old = x.shape if isinstance(x, Tensor) else None
    shape = reduced_shape(old, named, dims, keeps_dim(call)) if how != "argsort" else old
    after = made(call, x, Domain(INDICES, how, base=domain(x).replace(base=None)), dtype="int64", shape=shape)
    return cut_off(call, after, f"{how}()", f"{how} has no gradient")


def multinomial(call: OpCall) -> Value:
    """multinomial: indices drawn at random."""
    x = operand(call)
    after = made(call, x, Domain(INDICES, "multinomial"), dtype="int64", shape=None)
    return cut_off(call, after, "multinomial()", "multinomial has no gradient")


def truth(call: OpCall, how: str) -> Value:
    """any, all, count_nonzero, unique, bincount, nonzero: no gradient."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    dtype = "bool" if how in ("any", "all") else None if how == "bincount" else "int64"
    dom = Domain(DATA, how) if how == "bincount" else nothing(how)
    after = made(call, x, dom, dtype=dtype, shape=None)
    return cut_off(call, after, f"{how}()", f"{how} has no gradient")


def running(call: OpCall, how: str) -> Value:
    """cumsum, cumprod, logcumsumexp."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    kind = x.dom.kind
    dom = nothing(how)
    if kind in (SCORES, DATA) and how != "cumprod":
        dom = RAW if kind == SCORES else x.dom
    elif kind == POSITIVE and how == "cumsum":
        dom = Domain(POSITIVE, how)
    elif kind == UNIT and how == "cumprod" and "dropout" not in x.dom.flags:
        dom = Domain(UNIT, x.dom.how, flags=frozenset({"mixture"}))
    return made(call, x, dom, dtype="int64" if x.dtype in INTS else x.dtype)


def enter() -> None:
    """Enter all of this module."""
    for name in ("sum", "mean"):
        register(
            partial(total, how=name), f"{name} nan{name} numpy.{name} numpy.nan{name}", f"{name} nan{name}"
        )
    register(partial(total, how="mean"), "numpy.average")
    register(log_sum_exp, "logsumexp torch.special.logsumexp", "logsumexp")
    register(norm, "norm torch.linalg.norm torch.linalg.vector_norm numpy.linalg.norm", "norm")
    for name in ("std", "var"):
        register(partial(spread, how=name), f"{name} numpy.{name}", name)
    for name in ("prod", "nanmedian"):
        register(partial(vague, how=name), f"{name} numpy.{name}", name)
    for name in ("argmax", "argmin", "argsort"):
        register(partial(arg_extreme, how=name), f"{name} numpy.{name}", name)
    register(multinomial, "multinomial", "multinomial")
    for name in ("any", "all", "count_nonzero", "bincount", "nonzero"):
        register(partial(truth, how=name), f"{name} numpy.{name}", name)
    for name in ("cumsum", "cumprod", "logcumsumexp"):
        register(partial(running, how=name), f"{name} numpy.{name}", name)


enter()
