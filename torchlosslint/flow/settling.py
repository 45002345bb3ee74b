"""Whether a loop needs a second pass, and lists that grew in its passes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torchlosslint.flow.facts import choose
from torchlosslint.flow.state import MISSING, Diff
from torchlosslint.flow.training import is_sum
from torchlosslint.flow.values import (
    GROWN,
    NO_GUARD,
    TRUE,
    Choice,
    Const,
    DictV,
    Guard,
    ListV,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


def is_number(value: Const) -> bool:
    return isinstance(value.value, (int, float)) and not isinstance(value.value, bool)


def settled(
    m: Machine,
    s: ir.For | ir.While,
    before: Diff,
    middle: dict[tuple[int, Any], Any],
    local: dict[str, Any],
) -> bool:
    """Whether a second pass would find what the first one found: nothing that was there before
    has changed, but for counters and lists of numbers."""
    news: dict[int, int] = {}
    for target, _, old in before.values():
        if old is MISSING:
            news[id(target)] = news.get(id(target), 0) + 1
    targets = bound(s.target) if isinstance(s, ir.For) else ()
    for ident, (target, key, old) in before.items():
        now = middle[ident]
        if old is now or old == now:
            continue
        # A new local variable, or an attribute or variable of what is new itself.
        if old is MISSING and (
            target is local or news[id(target)] == len(target) - (_CLASS in target and type(target) is dict)
        ):
            continue
        # An attribute of something unknown, as new as a local variable.
        if old is MISSING and target is m.overlay:
            continue
        if key == GROWN and old is MISSING:
            if id(target) in m.measured:
                return False  # what its length decided
            continue
        # Every pass begins by setting it.
        if target is local and key in targets:
            continue
        if isinstance(now, Unknown) and is_sum(m, now):
            return False
        if isinstance(old, Const) and is_number(old) and isinstance(now, (Unknown, SymInt)):
            continue
        if isinstance(old, SymInt) and isinstance(now, SymInt):
            continue  # the size of another batch
        # A number that is added up, or the best so far.
        if isinstance(old, Const) and is_number(old) and not isinstance(now, Const):
            if all(v == old or (_measured(v) and type(v) is not Const) for _, v in _ways(now)):
                continue
        if type(old) is Tensor and old.grad is False and old.shape == () and _measured(now):
            if type(now) is Tensor and now.shape == ():
                continue
        # Modules are in training mode from the start.
        if old is MISSING and key == "training" and now == TRUE:
            continue
        if type(old) is type(now) and type(now) in (ListV, DictV) and old.attrs == now.attrs:
            continue
        if key == "items" and isinstance(old, TupleV) and isinstance(now, TupleV):
            n = len(old.items)
            if now.items[:n] == old.items and all(_measured(v) for v in now.items[n:]):
                continue
        if isinstance(old, Unknown) and isinstance(now, Unknown):
            continue
        return False
    return True


def _ways(value: Any) -> Iterable[tuple[Guard, Any]]:
    return value.alts if type(value) is Choice else ((NO_GUARD, value),)


def _measured(value: object) -> bool:
    """Whether a value is a number that no gradient leads through, or may be one, and no sum of losses."""
    if type(value) is Choice:
        return all(_measured(v) for _, v in value.alts)
    if type(value) is Tensor:
        return value.grad is False and not any(kind == "sum" for kind, _ in value.roots)
    return isinstance(value, (Unknown, Const, SymInt))


_CLASS = "__class__"  # of a method's variables the one that stands there from the start


def bound(target: ir.Expr) -> tuple[str, ...]:
    """The names that a loop sets."""
    if isinstance(target, ir.Name):
        return (target.id,)
    if isinstance(target, (ir.Tuple, ir.List)):
        return tuple(name for item in target.items for name in bound(item))
    return ()


def grown(old: object, middle: object, now: object) -> TupleV | None:
    """A list that grew in both passes: the first one's additions any number of times, then the second's."""
    if not (isinstance(old, TupleV) and isinstance(middle, TupleV) and isinstance(now, TupleV)):
        return None
    n, k, e = len(old.items), len(middle.items), len(now.items)
    if not (n < k < e) or middle.items[:n] != old.items or now.items[:k] != middle.items:
        return None
    return TupleV((*old.items, StarV(middle.items[n:]), *now.items[k:]))


def unsteady(middle: object, now: object) -> bool:
    """Whether a list of known length has another one after each pass."""
    return (
        isinstance(middle, TupleV)
        and isinstance(now, TupleV)
        and len(middle.items) != len(now.items)
        and not any(isinstance(v, StarV) for v in now.items)
    )


def grown_choice(old: TupleV, middle: object, now: Choice) -> Value:
    """The alternatives of a list that grew on some ways through the body: each grew any number of times."""
    n = len(old.items)
    earlier = [v for _, v in middle.alts] if isinstance(middle, Choice) else [middle]
    alts: list[tuple[Guard, Value]] = []
    for guard, value in now.alts:
        if isinstance(value, TupleV) and len(value.items) > n and value.items[:n] == old.items:
            more = next((g for v in earlier if (g := grown(old, v, value)) is not None), None)
            value = more if more is not None else TupleV((*old.items, StarV(value.items[n:])))
        alts.append((guard, value))
    return choose(alts)
