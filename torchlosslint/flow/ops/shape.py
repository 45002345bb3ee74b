"""Shape-only operations: the same numbers; the axis that probabilities sum over is followed."""

from __future__ import annotations

from functools import partial
from typing import Any

from torchlosslint.flow.domain import LOGPROBS, PROBS, Domain
from torchlosslint.flow.ops.call import OpCall, integer
from torchlosslint.flow.ops.shapes import (
    added_axis,
    axis_after_drop,
    axis_after_insert,
    elements,
    from_left,
    product,
    rank,
    same_axis,
    size_args,
    size_at,
    size_from,
    without_axis,
)
from torchlosslint.flow.ops.support import (
    flagged,
    integers,
    operand,
    register,
    reshaped,
    setting,
    unknown,
)
from torchlosslint.flow.values import DOTS, Const, Ragged, Shape, Step, SymInt, Tensor, Unknown, Value


def moved_dim(tensor: Tensor, dim: int | None) -> Domain:
    """The domain of a tensor whose class axis is now at `dim`."""
    return tensor.dom.replace(dim=dim) if tensor.dom.dim != dim else tensor.dom


def keep(call: OpCall) -> Value:
    """contiguous, clone, identity: nothing changes."""
    x = operand(call)
    return x if isinstance(x, (Tensor, Unknown)) else unknown("identity", x)


def view(call: OpCall) -> Value:
    """view, reshape: keeps a class axis that stays the last one, or stays behind equal sizes."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("view", x)
    sizes = size_args(call.args[1:], call.kwargs.get("shape", call.kwargs.get("size")))
    if sizes is None:
        return reshaped(x, shape=None, dom=moved_dim(x, None))
    if len(sizes) == 1 and not isinstance(sizes[0], (Const, SymInt, Unknown)):
        return reshaped(x, shape=None, dom=moved_dim(x, None))
    new = [view_size(x, v) for v in sizes]
    old = x.shape
    total = elements(old)
    if -1 in new and total is not None and all(isinstance(n, int) for n in new):
        rest = 1
        for n in new:
            rest *= n if n != -1 else 1
        if rest and total % rest == 0:
            new = [total // rest if n == -1 else n for n in new]
    shape = tuple(None if n == -1 else n for n in new)
    if shape and (at := rank(old)) is not None and old is not None and at >= len(shape):
        # The last sizes stay, and what is in front of them becomes one.
        kept = len(shape) - 1
        if shape[1:] == old[at - kept :] and None not in shape[1:]:
            flat = product(old[: at - kept])
            if new[0] in (-1, None) or new[0] == flat:
                shape = (flat, *shape[1:])
    dim = viewed_axis(x, sizes, list(new)) if x.dom.kind in (PROBS, LOGPROBS) else x.dom.dim
    dom = moved_dim(x, dim)
    if len(shape) == 2 and scrambles(x, shape[1]):
        dom = flagged(dom, "scrambled")
        step = Step(
            x.trail, call.place, f"view(-1, {shape[1]}) cuts through the axis of the {shape[1]} classes", dom
        )
        return reshaped(x, shape=shape, dom=dom, trail=step)
    return reshaped(x, shape=shape, dom=dom)


def scrambles(x: Tensor, width: Any) -> bool:
    """Whether rows of width C cut across the channels of a convolution's (N, C, H, W)."""
    old = x.shape
    known = rank(old)
    if (
        old is None
        or known is None
        or known < 3
        or not isinstance(width, int)
        or width < 2
        or old[1] != width
    ):
        return False
    dom = x.dom.base if x.dom.kind in (PROBS, LOGPROBS) and x.dom.base is not None else x.dom
    made_by = dom.how.startswith("nn.Conv") or (x.dom.kind in (PROBS, LOGPROBS) and x.dom.dim == 1)
    return made_by and isinstance(old[-1], int) and old[-1] not in (1, width)


def view_size(x: Tensor, value: Value) -> Any:
    """A size given to view: a number, a symbol, or one of the tensor's own sizes where that is known."""
    if (
        isinstance(value, SymInt)
        and isinstance(value.base, tuple)
        and value.base[0] == "size"
        and not value.offset
    ):
        return size_at(x.shape, value.base[2]) if value.base[1] == x.uid else None
    return size_from(value)


def own_axis(x: Tensor, value: Value) -> int | None:
    """Which of the tensor's own sizes a value is."""
    if (
        isinstance(value, SymInt)
        and isinstance(value.base, tuple)
        and value.base[0] == "size"
        and not value.offset
    ):
        return value.base[2] if value.base[1] == x.uid else None
    return None


def viewed_axis(x: Tensor, sizes: list[Value], new: list[Any]) -> int | None:
    """Where the class axis is after a view to these sizes; None where it cannot be told."""
    dim, known = x.dom.dim, rank(x.shape)
    if dim is None or not new:
        return None
    last = dim == -1 or (known is not None and from_left(dim, known) == known - 1)
    size = size_at(x.shape, dim)
    if last:
        same = (
            own_axis(x, sizes[-1]) in (-1, None if known is None else known - 1)
            and own_axis(x, sizes[-1]) is not None
        )
        if same or (isinstance(size, int) and new[-1] == size):
            return -1
    at = from_left(dim, known)
    if at is None or at >= len(new) or x.shape is None or DOTS in x.shape[:1]:
        return None
    for i in range(at + 1):
        mine = x.shape[i]
        if own_axis(x, sizes[i]) == i or (mine is not None and mine == new[i] and mine != -1):
            continue
        return None
    return at


def flatten(call: OpCall, start: int = 0) -> Value:
    """torch.flatten(start_dim=0) and nn.Flatten(start_dim=1)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("flatten", x)
    first, last = setting(call, 1, "start_dim"), setting(call, 2, "end_dim")
    low = start if first is None else integer(first)
    high = -1 if last is None else integer(last)
    known = rank(x.shape)
    if low is None or high is None or known is None or x.shape is None:
        shape: Shape | None = (None, None) if (low, high) == (1, -1) and known is None else None
        shape = (None,) if (low, high) == (0, -1) else shape
        return reshaped(x, shape=shape, dom=moved_dim(x, 0 if x.dom.dim == 0 and low and low > 0 else None))
    a, b = from_left(low, known), from_left(high, known)
    if known == 0:
        return reshaped(x, shape=(1,))
    if a is None or b is None or a > b:
        return unknown("flatten")
    total = product(x.shape[a : b + 1])
    dim = from_left(x.dom.dim, known) if x.dom.dim is not None else None
    if dim is not None and a != b:
        dim = dim if dim < a else dim - (b - a) if dim > b else None
    return reshaped(x, shape=(*x.shape[:a], total, *x.shape[b + 1 :]), dom=moved_dim(x, dim))


def unflatten(call: OpCall) -> Value:
    """unflatten(dim, sizes)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("unflatten", x)
    at, sizes = (
        integer(setting(call, 1, "dim")),
        setting(call, 2, "sizes") or setting(call, 2, "unflattened_size"),
    )
    new = size_args([sizes]) if sizes is not None else None
    known = rank(x.shape)
    if at is None or new is None or known is None or x.shape is None or (at := from_left(at, known)) is None:
        return reshaped(x, shape=None, dom=moved_dim(x, None))
    count = [size_from(v) for v in new]
    shape = (*x.shape[:at], *(None if n == -1 else n for n in count), *x.shape[at + 1 :])
    dim = from_left(x.dom.dim, known) if x.dom.dim is not None else None
    if dim is not None:
        dim = dim if dim < at else dim + len(new) - 1 if dim > at else None
    return reshaped(x, shape=shape, dom=moved_dim(x, dim))


def squeeze(call: OpCall) -> Value:
    """squeeze(dim): drops dimensions of size one."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("squeeze", x)
    given = call.arg(1, "dim") or call.kwargs.get("axis")
    known = rank(x.shape)
    if given is None:
        if known is None or x.shape is None or any(not isinstance(s, (int, str)) for s in x.shape):
            return reshaped(x, shape=None, dom=moved_dim(x, None))
        dims = [i for i, s in enumerate(x.shape) if s == 1]
    else:
        found = integers(given)
        if found is None:
            return reshaped(x, shape=None, dom=moved_dim(x, None))
        dims = [d for d in found if not isinstance(size_at(x.shape, d), int) or size_at(x.shape, d) == 1]
    result = x
    if len(dims) > 1:
        ordered = [from_left(d, known) for d in dims]
        if any(d is None for d in ordered):
            return reshaped(x, shape=None, dom=moved_dim(x, None))
        dims = sorted((d for d in ordered if d is not None), reverse=True)
    for d in dims:
        here = rank(result.shape)
        if size_at(result.shape, d) != 1:
            result = squeezed_perhaps(result)
            continue
        own = same_axis(result.dom.dim, d, here)
        dim = axis_after_drop(result.dom.dim, d, here) if own is False else None
        result = reshaped(result, shape=without_axis(result.shape, d), dom=moved_dim(result, dim))
    result = reshaped(result)
    if given is None and x.shape and type(x.shape[0]) is Ragged:
        return result.with_(dom=flagged(result.dom, "ragged"))
    return result


def squeezed_perhaps(x: Tensor) -> Tensor:
    """A squeeze of a dimension whose size is not known."""
    return reshaped(x, shape=None, dom=moved_dim(x, None))


def unsqueeze(call: OpCall) -> Value:
    """unsqueeze(dim): one more dimension of size one."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("unsqueeze", x)
    at = integer(call.arg(1, "dim") or call.kwargs.get("axis"))
    dim = axis_after_insert(x.dom.dim, at, rank(x.shape))
    return reshaped(x, shape=added_axis(x.shape, at), dom=moved_dim(x, dim))


def permute(call: OpCall) -> Value:
    """permute(dims), whose number of dimensions gives the rank."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("permute", x)
    args = size_args(call.args[1:], call.kwargs.get("dims", call.kwargs.get("axes")))
    order = [integer(a) for a in args] if args is not None else []
    known = len(order)
    if not order or any(o is None for o in order) or rank(x.shape) not in (None, known):
        return reshaped(x, shape=None, dom=moved_dim(x, None))
    places = [from_left(o, known) for o in order if o is not None]
    dim = x.dom.dim
    at = from_left(dim, known) if dim is not None else None
    new = places.index(at) if at in places else None
    if x.shape is not None and rank(x.shape) == known and None not in places:
        shape: Shape = tuple(x.shape[p] for p in places if p is not None)
    else:
        shape = tuple(None for _ in order)
    return reshaped(x, shape=shape, dom=moved_dim(x, new))


def transpose(call: OpCall) -> Value:
    """transpose(dim0, dim1), swapaxes."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("transpose", x)
    a, b = integer(call.arg(1, "dim0")), integer(call.arg(2, "dim1"))
    return swapped(x, a, b)


def swapped(x: Tensor, a: int | None, b: int | None) -> Tensor:
    """A tensor with two axes exchanged."""
    if a is None or b is None:
        return reshaped(x, shape=None, dom=moved_dim(x, None))
    known, dim = rank(x.shape), x.dom.dim
    at_a, at_b = same_axis(dim, a, known), same_axis(dim, b, known)
    if known is None and dim is not None and (a < 0) != (b < 0):
        at_a, at_b = (True, False) if dim == a else (False, True) if dim == b else (at_a, at_b)
    new = b if at_a else a if at_b else dim if at_a is False and at_b is False else None
    shape: Shape | None = None
    if x.shape is not None and known is not None:
        i, j = from_left(a, known), from_left(b, known)
        if i is not None and j is not None:
            sizes = list(x.shape)
            sizes[i], sizes[j] = sizes[j], sizes[i]
            shape = tuple(sizes)
    elif x.shape is not None and a < 0 and b < 0 and max(-a, -b) < len(x.shape):
        sizes = list(x.shape)
        sizes[a], sizes[b] = sizes[b], sizes[a]
        shape = tuple(sizes)
    return reshaped(x, shape=shape, dom=moved_dim(x, new))


def transposed(x: Tensor) -> Tensor:
    """x.T, x.t(): all axes reversed."""
    known, dim = rank(x.shape), x.dom.dim
    if known is None:
        return reshaped(x, shape=None, dom=moved_dim(x, None if dim is None else -1 - dim))
    at = from_left(dim, known) if dim is not None else None
    new = known - 1 - at if at is not None else None
    return reshaped(x, shape=tuple(reversed(x.shape or ())), dom=moved_dim(x, new))


def t(call: OpCall) -> Value:
    """x.t()."""
    x = operand(call)
    return transposed(x) if isinstance(x, Tensor) else x if isinstance(x, Unknown) else unknown("t", x)


def matrix_t(call: OpCall) -> Value:
    """x.mT."""
    x = operand(call)
    return swapped(x, -2, -1) if isinstance(x, Tensor) else x if isinstance(x, Unknown) else unknown("mT", x)


def movedim(call: OpCall) -> Value:
    """movedim(source, destination) of one dimension."""
    x = operand(call)
    source, target = integer(call.arg(1, "source")), integer(call.arg(2, "destination"))
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("movedim", x)
    known = rank(x.shape)
    a = from_left(source, known) if source is not None else None
    b = from_left(target, known) if target is not None else None
    if known is None or a is None or b is None or x.shape is None:
        return reshaped(x, shape=None, dom=moved_dim(x, None))
    order = [i for i in range(known) if i != a]
    order.insert(b, a)
    at = from_left(x.dom.dim, known) if x.dom.dim is not None else None
    shape = tuple(x.shape[i] for i in order)
    return reshaped(x, shape=shape, dom=moved_dim(x, order.index(at) if at in order else None))


def like_view(call: OpCall) -> Value:
    """view_as, reshape_as."""
    x, other = operand(call), operand(call, 1, "other")
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("view_as", x)
    shape = other.shape if isinstance(other, Tensor) else None
    same = shape is not None and shape == x.shape and all(s is not None and s is not DOTS for s in shape)
    return reshaped(x, shape=shape, dom=x.dom if same else moved_dim(x, None))


def enter() -> None:
    """Enter all of this module."""
    register(
        keep,
        "clone numpy.copy numpy.ascontiguousarray",
        "contiguous clone retain_grad share_memory_ pin_memory copy real",
        "Identity",
    )
    register(view, "reshape numpy.reshape", "view reshape")
    register(like_view, "", "view_as reshape_as")
    register(flatten, "flatten ravel numpy.ravel", "flatten ravel")
    register(partial(flatten, start=1), "", "", "Flatten")
    register(unflatten, "unflatten", "unflatten", "Unflatten")
    register(squeeze, "squeeze numpy.squeeze", "squeeze squeeze_")
    register(unsqueeze, "unsqueeze numpy.expand_dims", "unsqueeze unsqueeze_")
    register(permute, "permute numpy.transpose", "permute")
    names = "transpose swapaxes swapdims"
    register(transpose, names + " numpy.swapaxes", names + " transpose_")
    register(movedim, "movedim moveaxis numpy.moveaxis", "movedim moveaxis")
    register(t, "t adjoint", "t t_ T H")
    register(matrix_t, methods="mT")


enter()
