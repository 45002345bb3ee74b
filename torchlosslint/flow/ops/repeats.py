"""Copies of the same numbers along dimensions: expand, repeat, tile."""

from __future__ import annotations

from torchlosslint.flow.domain import LOGPROBS, PROBS
from torchlosslint.flow.ops.call import OpCall, integer
from torchlosslint.flow.ops.shape import moved_dim
from torchlosslint.flow.ops.shapes import broadcast, from_left, merged, rank, size_args, size_from
from torchlosslint.flow.ops.support import numbered, operand, part, register, reshaped, uid_of, unknown
from torchlosslint.flow.values import Tensor, Unknown, Value


def expand(call: OpCall) -> Value:
    """expand(sizes), broadcast_to: repeats along dimensions of size one."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("expand", x)
    sizes = size_args(call.args[1:], call.kwargs.get("size"))
    known, dim = rank(x.shape), x.dom.dim
    if sizes is None or known is None or x.shape is None:
        return reshaped(x, shape=None, dom=moved_dim(x, dim if dim is not None and dim < 0 else None))
    asked = tuple(size_from(v) for v in sizes)
    own = (None,) * (len(asked) - known) + x.shape
    shape = tuple(
        o if n == -1 else n if n is not None else merged(o, None) for n, o in zip(asked, own, strict=False)
    )
    at = from_left(dim, known) if dim is not None else None
    return reshaped(x, shape=shape, dom=moved_dim(x, at + len(asked) - known if at is not None else None))


def expand_as(call: OpCall) -> Value:
    """expand_as(other)."""
    x, other = operand(call), operand(call, 1, "other")
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("expand_as", x)
    shape = broadcast(x.shape, other.shape) if isinstance(other, Tensor) else None
    dim = x.dom.dim
    known, after = rank(x.shape), rank(shape)
    if dim is not None and dim >= 0:
        dim = dim - known if known is not None else None
        dim = dim + after if dim is not None and after is not None else dim
    return reshaped(x, shape=shape, dom=moved_dim(x, dim))


def repeat(call: OpCall) -> Value:
    """repeat(sizes), tile: copies along dimensions; along the class axis the sum is lost."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("repeat", x)
    args = size_args(call.args[1:], call.kwargs.get("repeats", call.kwargs.get("dims")))
    counts = [integer(a) for a in args] if args is not None else None
    known = rank(x.shape)
    if counts is None or known is None or x.shape is None or len(counts) < known:
        return part(x, shape=None, dom=moved_dim(x, None))
    own = (1,) * (len(counts) - known) + x.shape
    shape = tuple(
        s * c if isinstance(s, int) and isinstance(c, int) else s if c == 1 else None
        for s, c in zip(own, counts, strict=True)
    )
    at = from_left(x.dom.dim, known) if x.dom.dim is not None else None
    at = at + len(counts) - known if at is not None else None
    dom = moved_dim(x, at)
    if dom.kind in (PROBS, LOGPROBS) and (at is None or counts[at] != 1):
        dom = dom.replace(flags=dom.flags | {"scaled"})
    return part(x, shape=shape, dom=dom, uid=numbered("repeat", uid_of(x), *counts))


def enter() -> None:
    """Enter all of this module."""
    register(expand, "broadcast_to", "expand broadcast_to")
    register(expand_as, "", "expand_as")
    register(repeat, "tile numpy.tile", "repeat tile")


enter()
