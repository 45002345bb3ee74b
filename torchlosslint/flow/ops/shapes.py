"""Arithmetic on shapes and on the axis that probabilities sum over."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torchlosslint.flow.domain import Domain
from torchlosslint.flow.ops.call import const, integer, items
from torchlosslint.flow.values import DOTS, Const, Flat, Shape, SymInt, Tensor, TupleV, Value


def rank(shape: Shape | None) -> int | None:
    """The number of dimensions, where it is known."""
    if shape is None or (shape and shape[0] is DOTS):
        return None
    return len(shape)


def from_left(axis: int, known: int | None) -> int | None:
    """An axis counted from the left; None where that cannot be told or the axis does not exist."""
    if known is None:
        return axis if axis >= 0 else None
    axis = axis + known if axis < 0 else axis
    return axis if 0 <= axis < known else None


def size_at(shape: Shape | None, axis: int | None) -> Any:
    """The size along an axis; None where it is unknown."""
    if shape is None or axis is None:
        return None
    if shape and shape[0] is DOTS:
        return shape[axis] if axis < 0 and -axis < len(shape) else None
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def same_axis(a: int | None, b: int | None, known: int | None) -> bool | None:
    """Whether two axes of one tensor are the same; None where it cannot be told."""
    if a is None or b is None:
        return None
    if known is not None:
        a, b = (a + known if a < 0 else a), (b + known if b < 0 else b)
        return a == b
    if (a < 0) == (b < 0):
        return a == b
    low, high = min(a, b), max(a, b)
    if low == -1 and high == 0:  # only the same for vectors, which nobody normalises by row
        return False
    return None


def merged(a: Any, b: Any) -> Any:
    """The size of two broadcast sizes."""
    if a == b:
        return a
    if a == 1 or b == 1:
        return b if a == 1 else a
    if a is None or b is None:
        known = b if a is None else a
        return known if isinstance(known, int) else None
    return None


def broadcast(a: Shape | None, b: Shape | None) -> Shape | None:
    """The shape of an elementwise operation on two shapes."""
    if a is None or b is None:
        return None
    open_ended = DOTS in a[:1] or DOTS in b[:1]
    left = [s for s in a if s is not DOTS]
    right = [s for s in b if s is not DOTS]
    if open_ended:
        shared = min(len(left), len(right))
        out = [
            merged(x, y)
            for x, y in zip(left[len(left) - shared :], right[len(right) - shared :], strict=True)
        ]
        longer = left if len(left) > len(right) else right
        rest = longer[: len(longer) - shared]
        dotted = DOTS in (a if longer is right else b)[:1]
        head = [s if not dotted else merged(s, None) for s in rest]
        return (DOTS, *head, *out)
    size = max(len(left), len(right))
    left = [1] * (size - len(left)) + left
    right = [1] * (size - len(right)) + right
    return tuple(merged(x, y) for x, y in zip(left, right, strict=True))


def without_axis(shape: Shape | None, axis: int | None) -> Shape | None:
    """The shape with one dimension gone."""
    if shape is None or axis is None:
        return None
    if shape and shape[0] is DOTS:
        if axis < 0 and -axis < len(shape):
            return shape[:axis] + (shape[axis + 1 :] if axis != -1 else ())
        return None
    at = from_left(axis, len(shape))
    return None if at is None else shape[:at] + shape[at + 1 :]


def with_axis(shape: Shape | None, axis: int | None, size: Any) -> Shape | None:
    """The shape with another size along an axis."""
    if shape is None or axis is None:
        return None
    if shape and shape[0] is DOTS:
        if axis < 0 and -axis < len(shape):
            new = list(shape)
            new[axis] = size
            return tuple(new)
        return None
    at = from_left(axis, len(shape))
    return None if at is None else shape[:at] + (size,) + shape[at + 1 :]


def added_axis(shape: Shape | None, axis: int | None, size: Any = 1) -> Shape | None:
    """The shape with one more dimension at `axis` (as unsqueeze and stack count it)."""
    if shape is None or axis is None:
        return None
    if shape and shape[0] is DOTS:
        if axis == -1:
            return (*shape, size)
        return (*shape[: axis + 1], size, *shape[axis + 1 :]) if axis < 0 and -axis <= len(shape) else None
    known = len(shape) + 1
    at = axis + known if axis < 0 else axis
    return shape[:at] + (size,) + shape[at:] if 0 <= at < known else None


def axis_after_insert(axis: int | None, at: int | None, known: int | None) -> int | None:
    """Where an axis is after a new one was put in at `at`; `known` is the rank before."""
    if axis is None or at is None:
        return None
    if known is not None:
        place, new = from_left(axis, known), (at + known + 1 if at < 0 else at)
        return None if place is None else place + 1 if place >= new else place
    if at == 0:
        return axis + 1 if axis >= 0 else axis
    if at == -1:
        return axis - 1 if axis < 0 else axis
    if (at < 0) != (axis < 0):
        return None
    if axis >= 0:
        return axis + 1 if axis >= at else axis
    return axis if axis > at else axis - 1


def axis_after_drop(axis: int | None, at: int | None, known: int | None) -> int | None:
    """Where an axis is after another one (not itself) was dropped."""
    if axis is None or at is None:
        return None
    if known is not None:
        place, gone = from_left(axis, known), from_left(at, known)
        return None if place is None or gone is None else place - 1 if place > gone else place
    if at == 0:
        return axis - 1 if axis > 0 else axis
    if at == -1:
        return axis + 1 if axis < -1 else axis
    if (at < 0) != (axis < 0):
        return None
    if axis >= 0:
        return axis - 1 if axis > at else axis
    return axis + 1 if axis < at else axis


def moved(dom: Domain, dim: int | None) -> Domain:
    """The domain with its axis elsewhere."""
    return dom if dom.dim == dim else dom.replace(dim=dim)


def elements(shape: Shape | None) -> int | None:
    """How many numbers there are, where every size is known."""
    if shape is None:
        return None
    total = 1
    for size in shape:
        if not isinstance(size, int):
            return None
        total *= size
    return total


def parts_of(size: Any) -> tuple[Any, ...]:
    """The sizes that were flattened into one; the size itself where it is none of these."""
    if isinstance(size, Flat):
        return size.parts
    if isinstance(size, str) and "*" in size:
        return tuple(int(p) if p.isdecimal() else p for p in size.split("*"))
    return (size,)


MAX_FACTORS = 64  # sizes that one is the product of


def product(sizes: Sequence[Any]) -> Any:
    """The size of several dimensions flattened into one; remembers which they were, in order."""
    if len(sizes) == 1:
        return sizes[0]
    parts = tuple(p for s in sizes for p in parts_of(s))
    if len(parts) > MAX_FACTORS:
        return None
    if all(isinstance(p, int) for p in parts):
        flat = Flat(prod(parts))
        flat.parts = parts
        return flat
    if any(not isinstance(p, (int, str)) for p in parts):
        return None
    return "*".join(map(str, parts))


def size_value(tensor: Tensor, axis: int) -> Value:
    """What `tensor.size(axis)` evaluates to."""
    size = size_at(tensor.shape, axis)
    if isinstance(size, int):
        return Const(size)
    if isinstance(size, str):
        return SymInt(size)
    known = rank(tensor.shape)
    return SymInt(("size", tensor.uid, axis + known if known is not None and axis < 0 else axis))


def shape_value(tensor: Tensor) -> Value | None:
    """What `tensor.shape` evaluates to, where the rank is known."""
    known = rank(tensor.shape)
    return (
        None
        if known is None
        else TupleV(tuple(size_value(tensor, i) for i in range(known)), cls="torch.Size")
    )


def size_from(value: Value | None) -> Any:
    """A size given as an argument: an int (also -1), a symbol, or None."""
    if (found := integer(value)) is not None:
        return found
    if isinstance(value, SymInt) and isinstance(value.base, str) and value.offset == 0:
        return value.base
    return None


def size_args(args: list[Value], named: Value | None = None) -> list[Value] | None:
    """Sizes as given to view or zeros: `2, 3` or `(2, 3)`; None where even their number is unknown."""
    if not args:
        args = [named] if named is not None else []
    if len(args) == 1:
        inner = items(args[0])
        if inner is not None:
            return inner
        if not isinstance(args[0], (Const, SymInt)):
            return None
    if any(isinstance(const(a), str) for a in args):
        return None
    return args


def pooled_size(
    size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, ceil: bool = False
) -> Any:
    """The size that a convolution or a pool leaves of one spatial dimension."""
    if not all(isinstance(n, int) for n in (size, kernel, stride, padding, dilation)) or stride == 0 or ceil:
        return None
    out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return out if out >= 0 else None
