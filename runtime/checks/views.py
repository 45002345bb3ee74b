"""Operations that only move numbers: where the dimensions of their result lay in their operand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SAME = frozenset(
    "CloneBackward0 AliasBackward0 ToCopyBackward0 FlipBackward0 RollBackward0 ContiguousBackward0".split()
)
BY_SIZE = frozenset(
    "ViewBackward0 UnsafeViewBackward0 ReshapeAliasBackward0 SqueezeBackward0 SqueezeBackward1 "
    "SqueezeBackward2".split()
)


@dataclass(slots=True)
class View:
    """How a tensor lies against the input of the loss: its shape, and where two dimensions of it are."""

    shape: tuple[int, ...] | None
    over: int | None
    first: int | None
    cut: bool = False  # single numbers were picked out: of a softmax perhaps, which then is none any more


def reshaped(view: View, before: tuple[int, ...] | None) -> View:
    if before is None or view.shape is None:
        return View(before, None, None, view.cut)
    over, first = (_place(d, view.shape, before) for d in (view.over, view.first))
    return View(before, over, first, view.cut)


def _place(dim: int | None, after: tuple[int, ...], before: tuple[int, ...]) -> int | None:
    """Where a dimension of a reshaped tensor lay: the one of its size behind as many numbers."""
    if dim is None or dim >= len(after):
        return None
    # Counted from the end: sizes in front may be one, or unknown to a slice.
    behind, size = math.prod(after[dim + 1 :]), after[dim]
    matches = [d for d, s in enumerate(before) if s == size and math.prod(before[d + 1 :]) == behind]
    if size != 1:
        return matches[0] if matches else None
    return dim if dim in matches else (matches[-1] if matches else None)


def _transposed(node: Any, view: View) -> View | None:
    if view.shape is None:
        return None
    rank = len(view.shape)
    a, b = signed(node._saved_dim0) % rank, signed(node._saved_dim1) % rank
    return _permuted_by(view, [b if d == a else a if d == b else d for d in range(rank)])


def _permuted(node: Any, view: View) -> View | None:
    if view.shape is None:
        return None
    return _permuted_by(view, [signed(d) % len(view.shape) for d in node._saved_dims])


def _permuted_by(view: View, order: list[int]) -> View:
    """order: which dimension of the operand each dimension of the result is."""
    shape = view.shape or ()
    before = [0] * len(order)
    for here, there in enumerate(order):
        before[there] = shape[here]
    return View(
        tuple(before),
        None if view.over is None else order[view.over],
        None if view.first is None else order[view.first],
        view.cut,
    )


def without(view: View, dim: int) -> View:
    """The operand of an operation that added a dimension."""

    def place(d: int | None) -> int | None:
        return None if d is None or d == dim else d - (d > dim)

    shape = None if view.shape is None else view.shape[:dim] + view.shape[dim + 1 :]
    return View(shape, place(view.over), place(view.first), view.cut)


def _unsqueezed(node: Any, view: View) -> View | None:
    if view.shape is None:
        return None
    return without(view, signed(node._saved_dim) % len(view.shape))


def _selected(node: Any, view: View) -> View | None:
    """One index of a dimension: the operand has one dimension more. A unit of a softmax is no softmax."""
    sizes = sizes_of(node)
    if sizes is None:
        return None
    dim = signed(node._saved_dim) % len(sizes)

    def place(d: int | None) -> int | None:
        return None if d is None else d + (d >= dim)

    # With the dimension of the classes in sight, a softmax over another one is a mistake of its own.
    return View(sizes, place(view.over), place(view.first), view.cut or view.over is None)


def _sliced(node: Any, view: View) -> View | None:
    sizes = sizes_of(node)
    if sizes is None:
        return None
    dim = signed(node._saved_dim) % len(sizes)
    part = view.shape is not None and view.shape[dim] != sizes[dim]
    cut = view.cut or (part and (dim == view.over or (view.over is None and dim == len(sizes) - 1)))
    return View(sizes, view.over, view.first, cut)


def _indexed(node: Any, view: View) -> View | None:
    """x[mask] and x[rows]: the dimensions behind those that are indexed stay."""
    sizes, count = sizes_of(node), _indices(node)
    if count is None or sizes is None or view.shape is None or view.over is None:
        return View(sizes, None, None, True)
    over = len(sizes) - (len(view.shape) - view.over)
    return View(sizes, over, None, view.cut) if over >= count else View(sizes, None, None, True)


def _indices(node: Any) -> int | None:
    """How many dimensions were indexed. The indices themselves are left packed: hooks may have moved them
    to another device, or compute them anew."""
    try:
        return len(node._raw_saved_indices)
    except RuntimeError:  # backward() has freed them
        return None


def _gathered(node: Any, view: View) -> View | None:
    return View(None, None, None, True)


def _expanded(node: Any, view: View) -> View | None:
    sizes = sizes_of(node)
    if sizes is None or view.shape is None:
        return None
    extra = len(view.shape) - len(sizes)

    def place(d: int | None) -> int | None:
        return None if d is None or d < extra else d - extra

    return View(sizes, place(view.over), place(view.first), view.cut)


def _turned(node: Any, view: View) -> View | None:
    return _permuted_by(view, [1, 0]) if view.shape is not None and len(view.shape) == 2 else view


MOVES: dict[str, Callable[[Any, View], View | None]] = {
    "TransposeBackward0": _transposed,
    "TransposeBackward1": _transposed,
    "PermuteBackward0": _permuted,
    "TBackward0": _turned,
    "UnsqueezeBackward0": _unsqueezed,
    "SelectBackward0": _selected,
    "SliceBackward0": _sliced,
    "SplitBackward0": _sliced,
    "SplitWithSizesBackward0": _sliced,
    "IndexBackward0": _indexed,
    "ExpandBackward0": _expanded,
    "GatherBackward0": _gathered,
    "IndexSelectBackward0": _gathered,
    "MaskedSelectBackward0": _gathered,
    "TakeBackward0": _gathered,
    "MaxBackward0": _gathered,
    "MinBackward0": _gathered,
    "AmaxBackward0": _gathered,
    "AminBackward0": _gathered,
}


def sizes_of(node: Any) -> tuple[int, ...] | None:
    sizes = getattr(node, "_saved_self_sym_sizes", None)
    if sizes is None or not all(type(s) is int for s in sizes):
        return None
    return tuple(sizes)


def signed(number: int) -> int:
    """Negative numbers come back from the graph as unsigned ones."""
    return number - 2**64 if number >= 2**63 else number
