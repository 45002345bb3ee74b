"""What happens around losses in a training: backward, accumulation over iterations, modules as roots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torchlosslint.flow.values import (
    NO_ROOTS,
    Choice,
    ExtObj,
    Instance,
    ListV,
    Place,
    Roots,
    StarV,
    Tensor,
    TupleV,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame


def backward(
    m: Machine, value: Value, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> None:
    """`value.backward(gradient, retain_graph)`, or a library does it to `value`."""
    data = dict(zip(("gradient", "retain_graph"), args, strict=False))
    data.update({k: v for k, v in kwargs.items() if k in ("gradient", "retain_graph")})
    m.sink.event(m, "backward", value, place, frame, **data)


def roots_of(value: Value) -> Roots:
    """What the gradient of a value leads through, over its alternatives and parts."""
    if isinstance(value, Tensor):
        return value.roots
    if isinstance(value, Choice):
        return NO_ROOTS.union(*(roots_of(v) for _, v in value.alts))
    if isinstance(value, (TupleV, StarV)):
        return NO_ROOTS.union(*(roots_of(v) for v in value.items))
    if isinstance(value, ListV) and "items" in value.attrs:
        return roots_of(value.attrs["items"])
    return NO_ROOTS


def _mapped(value: Value, change: Callable[[Tensor], Tensor]) -> Value:
    """The value with its tensors changed; objects that can be written are left alone."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Choice):
        return Choice(tuple((g, _mapped(v, change)) for g, v in value.alts))
    if isinstance(value, TupleV):
        return TupleV(tuple(_mapped(v, change) for v in value.items), value.fields, value.cls)
    return value


def is_loss(value: Value) -> bool:
    """Whether a value (or an alternative of it) is a loss with a graph behind it."""
    return (
        any(kind == "loss" for kind, _ in roots_of(value)) if isinstance(value, (Tensor, Choice)) else False
    )


def accumulated(m: Machine, old: Value, added: Value, total: Value, place: Place, frame: Frame) -> Value:
    """`total`, the value of `old + added` that takes the place of `old`: a sum grows over iterations."""
    if not is_loss(added):
        return total
    root = ("sum", place)
    if root in roots_of(old):
        m.sink.event(m, "accumulate", added, place, frame, total=total)
    return marked(total, root)


def kept(m: Machine, held: Value, added: Value, place: Place, frame: Frame) -> Value:
    """`added` as an element of a list that holds `held`: the list may grow over iterations."""
    if not is_loss(added):
        return added
    root = ("sum", place)
    if root in roots_of(held):
        m.sink.event(m, "accumulate", added, place, frame)
    return marked(added, root)


def marked(value: Value, root: tuple[str, object]) -> Value:
    """The value with one more root in its tensors."""
    return _mapped(
        value, lambda t: t if t.grad is False or root in t.roots else t.with_(roots=t.roots | {root})
    )


def from_module(result: Value, module: ExtObj | Instance, args: list[Value]) -> Value:
    """What a module gives: its gradient leads through the module, whatever it has inside."""
    before = NO_ROOTS.union(*(roots_of(a) for a in args))
    own = ("module", module.serial)

    def change(tensor: Tensor) -> Tensor:
        if not tensor.grad:
            return tensor
        outside = {r for r in tensor.roots if r in before or r[0] in ("loss", "sum")}
        return tensor.with_(roots=frozenset(outside | {own}))

    return _mapped(result, change)
