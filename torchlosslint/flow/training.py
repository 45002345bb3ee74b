"""What happens around losses in a training: backward, accumulation over iterations, modules as roots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torchlosslint.flow import averages, devices, optimizers
from torchlosslint.flow.datasets import LOADERS
from torchlosslint.flow.values import (
    FALSE,
    TRUE,
    VAGUE,
    Choice,
    Const,
    DictV,
    External,
    ExtObj,
    Instance,
    ListV,
    Place,
    Roots,
    StarV,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
    vague,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame


# Context managers and decorators under which no graph is kept.
NO_GRAD = frozenset({"torch.no_grad", "torch.inference_mode"})


def is_mode(value: Value) -> bool:
    """Whether a value is a context manager (or its class) that changes how torch runs."""
    if not isinstance(value, (ExtObj, External)):
        return False
    qual = value.qual
    return qual in NO_GRAD or qual in ("torch.set_grad_enabled", "torch.enable_grad") or "autocast" in qual


def enter(mode: Value, frame: Frame) -> None:
    """`with mode:`, or a function decorated with it is called: torch.no_grad(), autocast and the like."""
    if not isinstance(mode, (ExtObj, External)) or not is_mode(mode):
        return
    if mode.qual in NO_GRAD:
        first = _first(mode)
        frame.no_grad = not (mode.qual == "torch.inference_mode" and first == FALSE)
    elif mode.qual == "torch.enable_grad":
        frame.no_grad = False
    elif mode.qual == "torch.set_grad_enabled":
        first = _first(mode)
        if isinstance(first, Const):
            frame.no_grad = not first.value
    elif isinstance(mode, ExtObj):
        frame.autocast = _autocast_device(mode)


def _first(mode: ExtObj | External) -> Value | None:
    if isinstance(mode, External):
        return None
    return mode.args[0] if mode.args else mode.kwargs.get("mode")


def _autocast_device(value: ExtObj) -> str | None:
    device = value.kwargs.get("device_type", value.args[0] if value.args else None)
    enabled = value.kwargs.get("enabled")
    if isinstance(enabled, Const) and not enabled.value:
        return None
    if ".cuda." in value.qual:
        return "cuda"
    return device.value if isinstance(device, Const) and isinstance(device.value, str) else ""


def backward(
    m: Machine, value: Value, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> None:
    """`value.backward(gradient, retain_graph)`, or a library does it to `value`."""
    data = dict(zip(("gradient", "retain_graph"), args, strict=False))
    data.update({k: v for k, v in kwargs.items() if k in ("gradient", "retain_graph")})
    m.backwards += 1
    if data.get("retain_graph") != TRUE:
        found = _identities(value)
        m.propagated.update(found)
        for identity in found & m.awaited.keys():
            m.sums.update(where for where, around in m.awaited[identity] if around is frame)
    optimizers.propagated(m, value, roots_of(value), place)
    m.sink.event(m, "backward", value, place, frame, **data)


MAX_PARTS = 1000
# Library functions that back-propagate their first argument.
BACKWARD = frozenset({"torch.autograd.backward", "torch.autograd.grad"})


def escaping(m: Machine, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame) -> None:
    """Arguments of a library call that is not followed: a sum of losses among them is out of sight."""
    for value in (*args, *kwargs.values()):
        if any(kind == "sum" for kind, _ in roots_of(value)):
            m.sink.event(m, "escape", value, place, frame)


def roots_of(value: Value) -> Roots:
    """What the gradient of a value leads through, over its alternatives and parts (of a thousand at most)."""
    if isinstance(value, Tensor):
        return value.roots
    found: set[tuple[str, Any]] = set()
    seen: set[int] = set()
    todo: list[Value] = [value]
    while todo and len(seen) < MAX_PARTS:
        part = todo.pop()
        if isinstance(part, Tensor):
            found |= part.roots
        elif isinstance(part, Choice):
            todo.extend(v for _, v in part.alts)
        elif isinstance(part, (TupleV, StarV)):
            todo.extend(part.items)
        elif isinstance(part, (ListV, DictV)) and id(part) not in seen:  # objects may hold themselves
            seen.add(id(part))
            if isinstance(part, DictV):
                todo.extend(v for k, v in part.attrs.items() if isinstance(k, tuple))
            elif "items" in part.attrs:
                todo.append(part.attrs["items"])
    return frozenset(found)


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


def _identities(value: Value) -> set[object]:
    if isinstance(value, Choice):
        return set().union(*(_identities(v) for _, v in value.alts))
    return {value.uid} if isinstance(value, Tensor) else {value.key} if isinstance(value, Unknown) else set()


def _propagated(m: Machine, value: Value) -> bool:
    """Whether backward was called on exactly this value, in this entry."""
    if isinstance(value, Tensor) and value.grad is False:
        return False
    if isinstance(value, Choice):
        return any(_propagated(m, v) for _, v in value.alts)
    return bool(m.propagated) and not m.propagated.isdisjoint(_identities(value))


def accumulated(
    m: Machine,
    old: Value,
    added: Value,
    total: Value,
    place: Place,
    frame: Frame,
    loss: Value | None = None,
) -> Value:
    """`total`, the value of `old + added` that takes the place of `old`: a sum grows over iterations.

    loss: what `added` may be a multiple of.
    """
    total = averages.totalled(m, added, total, place)
    propagated = _propagated(m, added if loss is None else loss)
    root = ("sum", place)
    if not propagated and not is_loss(added):
        if not m.loops or frame.no_grad or type(loss) is not Unknown or type(total) is not Unknown:
            return total
        m.awaited.setdefault(loss.key, []).append((place, frame))
        if place not in m.sums:
            m.added_at[place] = m.backwards
            return Unknown(total.reason, (*root, fresh_uid()))
        propagated = True
    m.sums.add(place)
    grown = root in roots_of(old) or _unknown_sum(old, root)
    # Where the loop goes on with a number at times, the sum is begun anew there.
    reset = isinstance(old, Choice) and any(type(v) is Const for _, v in old.alts)
    _added(m, added, grown, propagated, place, frame, reset)
    if isinstance(total, Unknown):
        return Unknown(total.reason, (*root, fresh_uid()))
    return marked(total, root)


def _added(
    m: Machine, added: Value, grown: bool, propagated: bool, place: Place, frame: Frame, reset: bool = False
) -> None:
    """Something with a graph was added; `grown`: to what was added to here before."""
    before = m.added_at.get(place)
    m.added_at[place] = m.backwards
    if not grown or (m.once and len(m.loops) == 1):
        return
    facts = {
        "propagated": propagated,
        "reset": reset,
        "batches": bool(m.loops) and m.loops[-1][0],
        # The terms of one loss are added without a backward between them.
        "between": before is not None and m.backwards > before,
    }
    m.sink.event(m, "accumulate", added, place, frame, **{k: TRUE if v else FALSE for k, v in facts.items()})


def over_batches(iterable: Value) -> bool:
    """Whether a loop over this is one over the batches of a DataLoader."""
    if isinstance(iterable, Choice):
        return any(over_batches(v) for _, v in iterable.alts)
    if not isinstance(iterable, ExtObj):
        return False
    return iterable.qual in LOADERS or any(over_batches(a) for a in iterable.args)


def is_sum(m: Machine, value: Unknown) -> bool:
    """Whether an unknown value is a sum of losses: it is added to again in the next iteration."""
    key = value.key
    return isinstance(key, tuple) and key[0] == "sum" and key[1] in m.sums


def _unknown_sum(old: Value, root: tuple[str, object]) -> bool:
    """Whether a value is, or may be, a sum of unknown values that grew at this place."""
    if isinstance(old, Choice):
        return any(_unknown_sum(v, root) for _, v in old.alts)
    return isinstance(old, Unknown) and isinstance(old.key, tuple) and old.key[:2] == root


def kept(m: Machine, held: Value, added: Value, place: Place, frame: Frame) -> Value:
    """`added` as an element of a list that holds `held`: the list may grow over iterations."""
    propagated = _propagated(m, added)
    if not propagated and not is_loss(added):
        return added
    root = ("sum", place)
    unknowns = _flat(held) if isinstance(held, TupleV) else []
    grown = root in roots_of(held) or any(_unknown_sum(v, root) for v in unknowns)
    _added(m, added, grown, propagated, place, frame)
    if isinstance(added, Unknown):
        return Unknown(added.reason, (*root, fresh_uid()))
    return marked(added, root)


def _flat(held: TupleV) -> list[Value]:
    return [v for item in held.items for v in (item.items if isinstance(item, StarV) else (item,))]


def marked(value: Value, root: tuple[str, object]) -> Value:
    """The value with one more root in its tensors."""
    return _mapped(
        value, lambda t: t if t.grad is False or root in t.roots else t.with_(roots=t.roots | {root})
    )


_INSIDE = frozenset({"module", "leaf", "unknown"})  # roots that a module's own stand for, seen from outside


def from_module(m: Machine, result: Value, module: ExtObj | Instance, args: list[Value]) -> Value:
    """What a module gives: its gradient leads through the module, whatever it has inside."""
    optimizers.called(m, module, result)
    around: set[tuple[str, Any]] = {("module", module.serial)}
    for arg in args:
        around |= roots_of(arg)
        if vague(arg):
            around.add(VAGUE)

    def change(tensor: Tensor) -> Tensor:
        if tensor.grad is False:
            return tensor
        # All that went in counts, for what happens inside may not be followed to the end.
        roots = around.union([r for r in tensor.roots if r[0] not in _INSIDE])
        return devices.placed(m, tensor.with_(roots=frozenset(roots)), module)

    return _mapped(result, change)
