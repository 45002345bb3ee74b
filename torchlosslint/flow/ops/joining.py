"""Tensors put together and taken apart: cat, stack, split, chunk, unbind, where, masked_fill, scatter."""

from __future__ import annotations

from functools import partial
from typing import Any

from torchlosslint.flow.domain import (
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    MOST_MARK,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    RAW,
    SCORES,
    UNIT,
    UNKNOWN,
    Domain,
    marks,
)
from torchlosslint.flow.ops.call import OpCall, integer, items, number
from torchlosslint.flow.ops.domains import interval, span
from torchlosslint.flow.ops.shapes import (
    added_axis,
    axis_after_drop,
    axis_after_insert,
    broadcast,
    from_left,
    rank,
    same_axis,
    size_at,
    with_axis,
    without_axis,
)
from torchlosslint.flow.ops.support import (
    domain,
    flagged,
    loose,
    made,
    members,
    nothing,
    operand,
    part,
    register,
    unknown,
)
from torchlosslint.flow.origins import together
from torchlosslint.flow.values import Shape, StarV, Tensor, TupleV, Unknown, Value

MOST_PARTS = 64


def joined(doms: list[Domain]) -> Domain:
    """The domain of numbers of which some are from each of these."""
    first = doms[0]
    if all(d == first for d in doms):
        return first
    kinds = {d.kind for d in doms}
    how = first.how if all(d.how == first.how for d in doms) else ""
    shared = frozenset.intersection(*(d.flags for d in doms))
    if len(kinds) == 1 and first.kind in (SCORES, POSITIVE, UNIT, LOGUNIT, DATA, INDICES, ONEHOT):
        base = first.base if all(d.base == first.base for d in doms) else None
        return Domain(first.kind, how, base=base, flags=shared)
    if kinds <= {PROBS, LOGPROBS} and len(kinds) == 1 and all(d.dim == first.dim for d in doms):
        loose = frozenset({"scaled"} if any("scaled" in d.flags for d in doms) else ())
        return Domain(first.kind, how, dim=first.dim, flags=shared | loose)
    if kinds <= {UNIT, PROBS} and not any("scaled" in d.flags for d in doms):
        return Domain(UNIT, how, flags=shared | {"picked"})
    if kinds <= {"bounded", UNIT, NUMBER} and NUMBER not in kinds:
        ends = [span(d) for d in doms]
        if all(e is not None for e in ends):
            return interval(
                min(e[0] for e in ends if e), max(e[1] for e in ends if e), Domain("bounded", how)
            )
    if SCORES in kinds and kinds <= {SCORES, POSITIVE, "bounded", NUMBER}:
        return RAW
    return nothing("cat")


def axis_lost(dom: Domain, dim: int | None, known: int | None) -> Domain:
    """Distributions of which some numbers are gone, or more are added, along `dim`."""
    if dom.kind == ONEHOT and same_axis(-1, dim, known) is not False:
        return Domain(DATA)  # some columns of one-hot rows
    if dom.kind not in (PROBS, LOGPROBS) or same_axis(dom.dim, dim, known) is False:
        return dom
    if same_axis(dom.dim, dim, known) is None:
        return dom.replace(dim=None)
    return picked(dom)


def picked(dom: Domain) -> Domain:
    """Single numbers picked out of distributions."""
    if dom.kind == PROBS:
        kind = UNIT if "scaled" not in dom.flags else POSITIVE if "mixture" not in dom.flags else UNKNOWN
        return flagged(dom.replace(kind=kind, dim=None), "picked")
    if dom.kind == LOGPROBS:
        return flagged(dom.replace(kind=LOGUNIT, dim=None), "picked")
    return dom


def parts_of(call: OpCall) -> list[Value] | None:
    """The tensors given as one sequence."""
    return items(operand(call, 0, "tensors", "arrays"))


def joined_dtype(tensors: list[Value]) -> str | None:
    """The dtype that several tensors have in common."""
    dtypes = {t.dtype if isinstance(t, Tensor) else None for t in tensors}
    return dtypes.pop() if len(dtypes) == 1 else None


def cat(call: OpCall, default: int | None = 0) -> Value:
    """cat(tensors, dim=0), hstack, vstack: keeps what all have in common."""
    tensors = parts_of(call)
    if tensors is None:
        return sequence_of(call)
    if not tensors or not any(isinstance(t, Tensor) for t in tensors):
        return together(unknown("cat", *tensors), tensors)
    given = call.arg(1, "dim") or call.kwargs.get("axis")
    dim = default if given is None else integer(given)
    doms = [domain(t) for t in tensors]
    shapes = [t.shape if isinstance(t, Tensor) else None for t in tensors]
    known = next((r for s in shapes if (r := rank(s)) is not None), None)
    dom = joined(doms)
    if len(tensors) > 1:
        dom = axis_lost(dom, dim, known)
        if dom.kind == LOGUNIT and dom.dim is None and joined(doms).kind == LOGPROBS:
            dom = Domain(LOGUNIT, dom.how, flags=dom.flags)
    return made(
        call,
        tensors[0],
        dom,
        others=tensors[1:],
        shape=cat_shape(shapes, dim, known),
        dtype=joined_dtype(tensors),
    )


def cat_shape(shapes: list[Shape | None], dim: int | None, known: int | None) -> Shape | None:
    """The shape of a cat."""
    if dim is None or known is None or (at := from_left(dim, known)) is None:
        return None
    if any(rank(s) not in (None, known) for s in shapes):
        return None
    out: list[Any] = []
    for i in range(known):
        sizes = [s[i] if s is not None and rank(s) == known else None for s in shapes]
        if i == at:
            out.append(sum(sizes) if all(isinstance(n, int) for n in sizes) else None)
        else:
            out.append(next((n for n in sizes if n is not None), None))
    return tuple(out)


def sequence_of(call: OpCall) -> Value:
    """cat or stack of a sequence of unknown length: what its elements are like, where that is known."""
    sequence = operand(call, 0, "tensors", "arrays")
    held = members(sequence)
    tensors = [v for v in held or [] if isinstance(v, Tensor)]
    if held is None or not tensors or len(tensors) < len(held):
        return unknown("cat", sequence, *(held or []))
    dom = joined([t.dom for t in tensors])
    if dom.kind in (PROBS, LOGPROBS):
        given = call.arg(1, "dim")
        at = 0 if given is None else integer(given)
        dom = dom if at == 0 and dom.dim is not None and dom.dim < 0 else dom.replace(dim=None)
    return made(call, tensors[0], dom, others=tensors[1:], shape=None, dtype=joined_dtype([*tensors]))


def stack(call: OpCall) -> Value:
    """stack(tensors, dim=0)."""
    tensors = parts_of(call)
    if tensors is None:
        return sequence_of(call)
    if not tensors or not any(isinstance(t, Tensor) for t in tensors):
        return unknown("stack", *tensors)
    given = call.arg(1, "dim") or call.kwargs.get("axis")
    at = 0 if given is None else integer(given)
    dom = joined([domain(t) for t in tensors])
    shapes = [t.shape if isinstance(t, Tensor) else None for t in tensors]
    one = next((s for s in shapes if rank(s) is not None), None)
    if dom.kind in (PROBS, LOGPROBS):
        dom = dom.replace(dim=axis_after_insert(dom.dim, at, rank(one)))
    shape = added_axis(one, at, len(tensors))
    return made(call, tensors[0], dom, others=tensors[1:], shape=shape, dtype=joined_dtype(tensors))


def split(call: OpCall, count: bool = False) -> Value:
    """split(size, dim), chunk(n, dim): a tuple where its length is known."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown("split", x)
    given, where = call.arg(1, "chunks" if count else "split_size_or_sections"), call.arg(2, "dim")
    if given is None:
        given = call.kwargs.get("split_size")
    dim = 0 if where is None else integer(where)
    known = rank(x.shape)
    dom = axis_lost(x.dom, dim, known)
    size = size_at(x.shape, dim)
    sizes: list[Any] | None = None
    listed = items(given)
    n = integer(given)
    if listed is not None:
        sizes = [integer(v) for v in listed]
    elif n is not None and n > 0:
        if count:
            if isinstance(size, int):
                each = -(-size // n)
                sizes = parts_along(size, each) if each else None
            elif n <= MOST_PARTS:
                sizes = [None] * n
        elif isinstance(size, int):
            sizes = parts_along(size, n)
    if sizes is None or len(sizes) > MOST_PARTS:
        return TupleV((StarV((part(x, dom=dom, shape=with_axis(x.shape, dim, None)),)),))
    return TupleV(tuple(part(x, dom=dom, shape=with_axis(x.shape, dim, s)) for s in sizes))


def parts_along(size: int, each: int) -> list[Any] | None:
    """The sizes of the parts of a dimension that is cut every `each`."""
    return [min(each, size - i) for i in range(0, size, each)] if size <= each * MOST_PARTS else None


def unbind(call: OpCall) -> Value:
    """unbind(dim): a tuple where the size is known."""
    x, where = operand(call), call.arg(1, "dim")
    if not isinstance(x, Tensor):
        return unknown("unbind", x)
    dim = 0 if where is None else integer(where)
    size = size_at(x.shape, dim)
    if not isinstance(size, int) or size > MOST_PARTS:
        return TupleV((StarV((dropped(x, dim),)),))
    return TupleV(tuple(dropped(x, dim) for _ in range(size)))


def dropped(x: Tensor, dim: int | None) -> Tensor:
    """One slice of a tensor along a dimension, which goes."""
    known, dom = rank(x.shape), x.dom
    if dom.kind in (PROBS, LOGPROBS):
        own = same_axis(dom.dim, dim, known)
        if own:
            dom = picked(dom)
        else:  # where the rank is not known, one more such step might drop the classes
            after = axis_after_drop(dom.dim, dim, known) if own is False else None
            dom = dom.replace(dim=after if known is not None or after is None or after > 0 else None)
    return part(x, dom=dom, shape=without_axis(x.shape, dim))


def where(call: OpCall) -> Value:
    """where(condition, a, b): what both have in common."""
    if len(call.args) + len(call.kwargs) < 3:
        return unknown("where")
    condition, a, b = (
        operand(call, 0, "condition"),
        operand(call, 1, "input", "x"),
        operand(call, 2, "other", "y"),
    )
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        ends = [n for v in (a, b) if (n := number(v)) is not None]
        if len(ends) == 2 and 0 <= min(ends) < 1 < max(ends) <= MOST_MARK:
            # Numpy or torch: what the numbers are is all that counts.
            return Tensor(marks(max(ends), min(ends)), grad=False)
        return unknown("where", a, b)
    tensor = a if isinstance(a, Tensor) else b
    shape = None
    if isinstance(condition, Tensor):
        sides = [v.shape if isinstance(v, Tensor) else () if number(v) is not None else None for v in (a, b)]
        shape = broadcast(condition.shape, broadcast(sides[0], sides[1]))
    dom = filled(domain(a), b) if isinstance(a, Tensor) and not isinstance(b, Tensor) else None
    if dom is None:
        dom = filled(domain(b), a) if not isinstance(a, Tensor) else chosen(domain(a), domain(b))
    dtype = joined_dtype([v for v in (a, b) if isinstance(v, Tensor)])
    return made(call, tensor, dom, others=(b if tensor is a else a,), shape=shape, dtype=dtype)


def where_method(call: OpCall) -> Value:
    """x.where(condition, other)."""
    args = [operand(call, 1, "condition"), operand(call, 0), operand(call, 2, "other", "y")]
    return where(OpCall(args, {}, call.place, None, call.training, call.no_grad, call.emit))


def chosen(a: Domain, b: Domain) -> Domain:
    """Some numbers of a, the others of b."""
    for one, other in ((a, b), (b, a)):
        if one.kind == NUMBER and one.low is not None:
            return filled_by(other, one.low)
    if a.kind == b.kind == PROBS and a != b:
        return Domain(UNIT, a.how if a.how == b.how else "", flags=frozenset({"picked"}))
    if a.kind == b.kind == UNIT and a.how == b.how:
        return Domain(UNIT, a.how, base=a.base, flags=(a.flags | b.flags) - {"complement"})
    if a.kind in (PROBS, LOGPROBS) and a == b:
        return picked(a)
    return joined([a, b])


def filled(dom: Domain, value: Value) -> Domain:
    """A domain of which some numbers are replaced by a value."""
    fill = number(value)
    if fill is None and isinstance(value, Tensor) and value.dom.kind == NUMBER:
        fill = value.dom.low
    return filled_by(dom, fill)


def filled_by(dom: Domain, fill: float | None) -> Domain:
    """A domain of which some numbers are replaced by this one."""
    if dom.kind in (SCORES, DATA):
        return dom if dom.kind == DATA else RAW
    if fill is None:
        return nothing("masked_fill")
    if dom.kind == PROBS and 0 <= fill <= 1:
        return flagged(dom, "scaled")
    if dom.kind == UNIT and 0 <= fill <= 1:
        return dom.replace(low=None, high=None)
    if dom.kind == POSITIVE and fill >= 0:
        return dom
    if dom.kind in (LOGUNIT,) and fill <= 0:
        return dom
    if dom.kind == INDICES and fill.is_integer():
        return Domain(INDICES) if dom.how == "labels" else loose(dom)
    if dom.kind == NUMBER and dom.low == fill:
        return dom
    if dom.kind == NUMBER and dom.low in (0.0, 1.0) and fill in (0.0, 1.0):
        return Domain(UNIT, "mask")
    if dom.kind in ("bounded", POSITIVE):
        return RAW
    return nothing("masked_fill")


def masked_fill(call: OpCall) -> Value:
    """masked_fill(mask, value), index_fill(dim, index, value)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown("masked_fill", x)
    value = call.arg(2, "value")
    shape = x.shape
    return made(call, x, filled(x.dom, value or Unknown("missing")), others=(), dtype=x.dtype, shape=shape)


def index_fill(call: OpCall) -> Value:
    """index_fill(dim, index, value)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown("index_fill", x)
    return made(call, x, filled(x.dom, call.arg(3, "value") or Unknown("missing")))


def scatter(call: OpCall) -> Value:
    """scatter(dim, index, src): ones scattered over zeros are one-hot rows."""
    x, source = operand(call), operand(call, 3, "src", "value")
    if not isinstance(x, Tensor):
        return unknown("scatter", x)
    fill = number(source)
    if isinstance(source, Tensor) and source.dom.kind == NUMBER:
        fill = source.dom.low
    if x.dom.kind == NUMBER and x.dom.low == 0 and fill is not None:
        dom = (
            Domain(ONEHOT, "scatter")
            if fill == 1
            else Domain(UNIT, "scatter")
            if 0 <= fill <= 1
            else nothing("scatter")
        )
        if fill != 1 and dom.kind == UNIT:
            dom = Domain(UNIT, "one_hot", flags=frozenset({"smoothed"}))
        return made(call, x, dom, "ones scattered over zeros make one-hot rows" if fill == 1 else "")
    if (
        x.dom.kind == NUMBER
        and x.dom.low is not None
        and fill is not None
        and 0 <= x.dom.low <= 1
        and 0 <= fill <= 1
    ):
        return made(call, x, Domain(UNIT, "one_hot", flags=frozenset({"smoothed"})))
    return made(call, x, nothing("scatter"), others=(source,), dtype=x.dtype, shape=x.shape)


def enter() -> None:
    """Enter all of this module."""
    register(cat, "cat concat concatenate numpy.concatenate")
    register(
        partial(cat, default=None),
        "hstack vstack dstack column_stack row_stack numpy.hstack numpy.vstack block_diag",
    )
    register(stack, "stack numpy.stack")
    register(split, "split", "split split_with_sizes")
    register(partial(split, count=True), "chunk tensor_split", "chunk tensor_split")
    register(unbind, "unbind", "unbind")
    register(where, "where numpy.where")
    register(where_method, "", "where")
    register(masked_fill, "masked_fill", "masked_fill masked_fill_")
    register(index_fill, "index_fill", "index_fill index_fill_")
    register(scatter, "scatter", "scatter scatter_")


enter()
