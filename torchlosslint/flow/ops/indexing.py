"""Subscripts of tensors, and the functions that pick numbers out: gather, index_select, narrow, take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torchlosslint.flow.domain import (
    DATA,
    INDICES,
    LOGPROBS,
    POSITIVE,
    PROBS,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.ops.call import OpCall, const, integer, items
from torchlosslint.flow.ops.joining import axis_lost, dropped, picked
from torchlosslint.flow.ops.shapes import added_axis, axis_after_insert, from_left, rank, size_at, with_axis
from torchlosslint.flow.ops.support import (
    made,
    nothing,
    numbered,
    operand,
    part,
    register,
    reshaped,
    uid_of,
    unknown,
)
from torchlosslint.flow.origins import marked
from torchlosslint.flow.values import (
    COUNTER,
    NONE,
    Const,
    External,
    ListV,
    Shape,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)


class SliceV(Value):
    """A slice `start:stop:step` in a subscript; NONE for what is not written."""

    __slots__ = ("start", "step", "stop")

    def __init__(self, start: Value = NONE, stop: Value = NONE, step: Value = NONE) -> None:
        self.start = start
        self.stop = stop
        self.step = step

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SliceV) and (self.start, self.stop, self.step) == (
            other.start,
            other.stop,
            other.step,
        )

    def __hash__(self) -> int:
        return hash((self.start, self.stop, self.step))

    def __repr__(self) -> str:
        return f"{self.start!r}:{self.stop!r}:{self.step!r}"

    @property
    def whole(self) -> bool:
        """Whether this is `:`."""
        return self.start in (NONE, Const(0)) and self.stop == NONE and self.step in (NONE, Const(1))


class EllipsisV(Value):
    """`...` in a subscript."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EllipsisV)

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "..."


ELLIPSIS = EllipsisV()


def index(tensor: Tensor, idx: Value | Sequence[Value], call: OpCall) -> Value:
    """`tensor[idx]`; `idx` is one item or several: numbers, None, slices, `...`, tensors, unknowns."""
    if isinstance(idx, TupleV):
        found: list[Value] = list(idx.items)
    elif isinstance(idx, Value):
        found = [idx]
    else:
        found = list(idx)
    found = [sequence_item(v) for v in found]
    if any(isinstance(const(v), str) for v in found):
        return unknown("subscript")
    if tensor.dom.how == "eye":
        tensor = tensor.with_(dom=tensor.dom.replace(how="one_hot"))
    if tensor.shape is None and len(found) == 2 and "table" in tensor.dom.flags:
        # What a text file gave has one or two dimensions: two subscripts say which.
        tensor = tensor.with_(shape=(f"#{tensor.uid}", None))
    masks = [v for v in found if isinstance(v, (Tensor, Unknown))]
    if masks:
        return advanced(tensor, found, call)
    result = basic(tensor, found)
    # Rows in their order are rows of the same thing; a column is something of its own.
    return marked(result, tensor) if found and all(_rows(v, i) for i, v in enumerate(found)) else result


def _rows(item: Value, position: int) -> bool:
    """Whether an item of a subscript picks rows at most: one, or a slice of them."""
    if position and not isinstance(item, SliceV):
        return isinstance(item, EllipsisV) or item == NONE
    return item.whole if position and isinstance(item, SliceV) else True


def row(tensor: Tensor) -> Tensor:
    """What a loop over a tensor sees: one slice of its first dimension."""
    one = marked(dropped(tensor, 0), tensor)
    return one.with_(dom=tensor.dom) if tensor.dom.kind == INDICES else one


def sequence_item(value: Value) -> Value:
    """A list of numbers as an index is a tensor of them; np.newaxis is None; counters are whole numbers."""
    if isinstance(value, External) and value.qual == "numpy.newaxis":
        return NONE
    if isinstance(value, Unknown) and value.reason == COUNTER:
        return SymInt(("counter", value.key))
    if isinstance(value, (ListV, TupleV)):
        numbers = items(value)
        size = len(numbers) if numbers is not None else None
        return Tensor(Domain(INDICES), dtype="int64", shape=(size,))
    if isinstance(value, (Const, SymInt, SliceV, EllipsisV, Tensor, Unknown)):
        return value
    return Unknown("a subscript")  # a range, a sampler, a data set: many numbers


def consumed(item: Value) -> int | None:
    """How many dimensions of the tensor an item uses up; None where that is not known."""
    if isinstance(item, EllipsisV) or item == NONE or isinstance(const(item), bool):
        return 0
    if isinstance(item, Tensor):
        if item.dtype in ("bool", "uint8"):
            return rank(item.shape)
        return 1 if item.dtype is not None or item.dom.kind == INDICES else None
    if isinstance(item, Unknown):
        return None
    return 1


def basic(tensor: Tensor, found: list[Value]) -> Tensor:
    """Numbers, slices, None and `...`: worked through from the left, or from the right behind `...`."""
    known = rank(tensor.shape)
    dots = next((i for i, v in enumerate(found) if isinstance(v, EllipsisV)), None)
    result = tensor
    if dots is None:
        position = 0
        for item in found:
            result, position = applied(result, item, position)
        return trivial(tensor, result, found)
    behind = found[dots + 1 :]
    if known is not None:
        used = sum(1 for v in found if v != NONE and not isinstance(v, EllipsisV))
        position = 0
        for item in found:
            if isinstance(item, EllipsisV):
                position += max(known - used, 0)
            else:
                result, position = applied(result, item, position)
        return trivial(tensor, result, found)
    position = -1
    for item in reversed(behind):
        result, position = applied_right(result, item, position)
    position = 0
    for item in found[:dots]:
        result, position = applied(result, item, position)
    return trivial(tensor, result, found)


def trivial(tensor: Tensor, result: Tensor, found: list[Value]) -> Tensor:
    """The identity of a subscript: kept where only dimensions were added."""
    if all(v == NONE or isinstance(v, EllipsisV) or (isinstance(v, SliceV) and v.whole) for v in found):
        return reshaped(result, uid=tensor.uid, of=tensor.of)
    return result.with_(uid=numbered("[]", tensor.uid, *found), of=None)


def applied(x: Tensor, item: Value, position: int) -> tuple[Tensor, int]:
    """One item at the dimension `position`; the next one's position."""
    if item == NONE:
        return added(x, position), position + 1
    if isinstance(item, SliceV):
        return sliced(x, item, position), position + 1
    return dropped(x, position), position


def applied_right(x: Tensor, item: Value, position: int) -> tuple[Tensor, int]:
    """One item behind `...`, counted from the right."""
    if item == NONE:
        return added(x, position), position - 1
    if isinstance(item, SliceV):
        return sliced(x, item, position), position - 1
    return dropped(x, position), position


def added(x: Tensor, position: int) -> Tensor:
    """A new dimension of size one."""
    dim = axis_after_insert(x.dom.dim, position, rank(x.shape))
    dom = x.dom.replace(dim=dim) if x.dom.dim is not None else x.dom
    return reshaped(x, shape=added_axis(x.shape, position), dom=dom)


def sliced(x: Tensor, item: SliceV, position: int) -> Tensor:
    """A slice of a dimension: a part of the classes is no distribution any more."""
    if item.whole:
        return x
    dom = axis_lost(x.dom, position, rank(x.shape))
    return part(x, dom=dom, shape=with_axis(x.shape, position, sliced_size(size_at(x.shape, position), item)))


def sliced_size(size: Any, item: SliceV) -> Any:
    """How many numbers a slice keeps."""
    ends = [integer(item.start), integer(item.stop), integer(item.step)]
    if isinstance(size, str) and size[0] == "#" and "*" not in size:
        return shortened(size, item)
    vague = any(
        e is None and v != NONE for e, v in zip(ends, (item.start, item.stop, item.step), strict=True)
    )
    if not isinstance(size, int) or vague or ends[2] == 0:
        return None
    return len(range(*slice(*ends).indices(size)))


def shortened(size: str, item: SliceV) -> str | None:
    """The rows of one table, "#7", without their first or last ones: "#7-1"."""
    first, last = integer(item.start), integer(item.stop)
    if item.step != NONE or (first is None and item.start != NONE) or (last is None and item.stop != NONE):
        return None
    if (first or 0) < 0 or (last or -1) >= 0:
        return None
    name, _, gone = size.partition("-")
    lost = int(gone or 0) + (first or 0) - (last or 0)
    return f"{name}-{lost}" if lost else name


def advanced(tensor: Tensor, found: list[Value], call: OpCall) -> Value:
    """Masks and tensors of indices among the items."""
    known, dom = rank(tensor.shape), tensor.dom
    uid = numbered("[]", tensor.uid, *(uid_of(v) if isinstance(v, Tensor) else v for v in found))
    distribution = dom.kind in (PROBS, LOGPROBS)
    if any(isinstance(v, EllipsisV) for v in found):
        return part(tensor, shape=None, dom=touched(dom, [None]) if distribution else dom, uid=uid)
    if len(found) == 1 and isinstance(found[0], Tensor):
        return single(tensor, found[0], uid)
    used = [consumed(v) for v in found]
    if not distribution or any(u is None for u in used):
        dom = touched(dom, [None]) if distribution else dom
        return part(tensor, shape=picked_shape(tensor.shape, found), dom=dom, uid=uid)
    position = 0
    lost: list[int] = []
    for item, n in zip(found, used, strict=True):
        if not (isinstance(item, SliceV) and item.whole):
            lost.extend(range(position, position + (n or 0)))
        position += n or 0
    dim = from_left(dom.dim, known) if dom.dim is not None else None
    if dim is None:
        return part(tensor, shape=None, dom=touched(dom, [None]), uid=uid)
    if dim in lost:
        return part(tensor, shape=None, dom=picked(dom), uid=uid)
    after = dim if all(i > dim for i in lost) else -1 if known is not None and dim == known - 1 else None
    return part(tensor, shape=None, dom=dom.replace(dim=after), uid=uid)


def picked_shape(shape: Shape | None, found: list[Value]) -> Shape | None:
    """The shape of `x[:, index]` (one tensor of indices among slices) and of `x[index1, index2]`."""
    if shape is None or rank(shape) is None or len(found) > len(shape):
        return None
    chosen = [v for v in found if isinstance(v, Tensor)]
    if any(v.dtype in ("bool", "uint8", None) or rank(v.shape) != 1 for v in chosen):
        return None
    others = [v for v in found if not isinstance(v, Tensor)]
    if not others:
        sizes = {v.shape[0] if v.shape else None for v in chosen}
        return (sizes.pop() if len(sizes) == 1 else None, *shape[len(found) :])
    if len(chosen) != 1 or not all(isinstance(v, SliceV) for v in others):
        return None
    new = list(shape)
    for i, item in enumerate(found):
        if isinstance(item, Tensor):
            new[i] = item.shape[0] if item.shape else None
        elif isinstance(item, SliceV) and not item.whole:
            new[i] = sliced_size(shape[i], item)
    return tuple(new)


def touched(dom: Domain, axes: list[int | None]) -> Domain:
    """Distributions indexed in a way that cannot be followed."""
    return dom.replace(dim=None) if axes else dom


def single(tensor: Tensor, item: Tensor, uid: int) -> Tensor:
    """One mask or one tensor of indices."""
    known, dom, mine = rank(tensor.shape), tensor.dom, rank(item.shape)
    mask = item.dtype in ("bool", "uint8")
    if not mask and item.dtype is None and item.dom.kind != INDICES:
        return part(tensor, shape=None, dom=touched(dom, [None]), uid=uid)
    size = None if mask else (item.shape if mine is not None else None)
    shape: Shape | None = None
    if tensor.shape is not None and known is not None:
        if mask and mine is not None:
            shape = (None, *tensor.shape[mine:])
        elif not mask and size is not None:
            shape = (*size, *tensor.shape[1:])
    if dom.kind not in (PROBS, LOGPROBS):
        return part(tensor, shape=shape, uid=uid)
    dim = dom.dim
    used, gives = (mine, 1) if mask else (1, mine)
    if dim is None or used is None:
        return part(tensor, shape=shape, dom=dom.replace(dim=None), uid=uid)
    at = from_left(dim, known)
    if at is None:
        keeps = dim == -1 and used == 1
        return part(tensor, shape=shape, dom=dom if keeps else dom.replace(dim=None), uid=uid)
    if at < used:
        return part(tensor, shape=shape, dom=picked(dom), uid=uid)
    return part(
        tensor, shape=shape, dom=dom.replace(dim=at - used + gives if gives is not None else None), uid=uid
    )


def select(call: OpCall) -> Value:
    """select(dim, index)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("select", x)
    return dropped(x, integer(call.arg(1, "dim")))


def subset(call: OpCall) -> Value:
    """narrow, index_select: some of the entries along a dimension."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("index_select", x)
    dim = integer(call.arg(1, "dim"))
    length = integer(call.arg(3, "length"))
    chosen = call.arg(2, "index")
    if length is None and isinstance(chosen, Tensor) and rank(chosen.shape) == 1 and chosen.shape:
        length = chosen.shape[0] if isinstance(chosen.shape[0], int) else None
    dom = axis_lost(x.dom, dim, rank(x.shape))
    return part(x, dom=dom, shape=with_axis(x.shape, dim, length))


def gather(call: OpCall) -> Value:
    """gather(dim, index), take_along_dim: single numbers of each distribution."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("gather", x)
    dim, chosen = integer(call.arg(1, "dim")), call.arg(2, "index")
    dom = x.dom
    if dom.kind in (PROBS, LOGPROBS):
        dom = picked(dom)
    shape = chosen.shape if isinstance(chosen, Tensor) else None
    if shape is None and rank(x.shape) is not None and x.shape is not None:
        shape = tuple(None for _ in x.shape)
    uid = numbered("gather", x.uid, dim, uid_of(chosen))
    return made(call, x, dom, shape=shape, dtype=x.dtype, uid=uid)


def flat_picks(call: OpCall) -> Value:
    """masked_select, take: single numbers."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("masked_select", x)
    return part(x, dom=picked(x.dom), shape=(None,))


def reordered(call: OpCall, name: str) -> Value:
    """roll, flip: the same numbers at other places."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown(name, x)
    return part(x)


def diagonal(call: OpCall) -> Value:
    """diagonal, diag, tril, triu: some numbers, or zeros in their place."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("diagonal", x)
    if x.dom.kind in (SCORES, DATA, POSITIVE):
        return part(x, shape=None)
    dom = picked(x.dom)
    if dom.kind != UNIT or dom.flags & {"scaled", "dropout"}:
        return part(x, dom=nothing("diagonal"), shape=None)
    return part(x, dom=Domain(UNIT, dom.how, flags=dom.flags & {"picked", "complement"}), shape=None)


def enter() -> None:
    """Enter all of this module."""
    register(select, "select", "select")
    register(subset, "narrow index_select", "narrow index_select")
    register(gather, "gather take_along_dim numpy.take_along_axis", "gather take_along_dim")
    register(flat_picks, "masked_select take", "masked_select take")
    for name in ("roll", "flip", "fliplr", "flipud"):
        register(partial(reordered, name=name), f"{name} numpy.{name}", name)
    register(diagonal, "diagonal diag tril triu numpy.diag", "diagonal diag tril triu")


enter()
