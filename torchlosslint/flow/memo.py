"""Calls that were made before with the same arguments in the same state.

A method call on one instance may be answered from memory where nothing that it could have
read has changed: no object older than the entry was written since, and the names that it took
from outside are bound to the same values. Calls that wrote to older objects, reached a
loss or gave an object back are never remembered.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from torchlosslint.flow.values import (
    Attrs,
    Bound,
    Choice,
    ClassV,
    Const,
    DictV,
    External,
    ExtObj,
    Func,
    Instance,
    ListV,
    ModuleV,
    Obj,
    Partial,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)


class Clock:
    """Time of writes, and births of the objects that they went to. Time is counted in identities."""

    __slots__ = ("now", "olds", "times")

    def __init__(self) -> None:
        self.now = 0
        # Writes as (time, birth of what was written), of which only those are kept that are older
        # than all later ones: the first one after a time has the oldest birth since then.
        self.times: list[int] = []
        self.olds: list[int] = []

    def tick(self, target: dict[Any, Any]) -> None:
        """A write to `target` happens."""
        self.now = fresh_uid()
        birth = target.birth if isinstance(target, Attrs) else 0
        while self.olds and self.olds[-1] >= birth:
            self.olds.pop()
            self.times.pop()
        self.olds.append(birth)
        self.times.append(self.now)

    def oldest_since(self, time: int) -> int:
        """The birth of the oldest thing written after a time."""
        at = bisect_right(self.times, time)
        return self.olds[at] if at < len(self.times) else fresh_uid()


class Entry:
    """One remembered call. Where neither the arguments nor the names from outside are objects
    that can be written, the receiver's fingerprint (in the key) is all the state there is."""

    __slots__ = ("closed", "names", "result", "time")

    def __init__(
        self, time: int, names: list[tuple[dict[Any, Any], Any, Any]], args: Iterable[Value], result: Value
    ) -> None:
        self.time = time
        self.names = names
        self.result = result
        self.closed = all(isinstance(v, _FIXED) for v in args) and all(
            isinstance(v, _FIXED) for _, _, v in names
        )

    def holds(self, clock: Clock) -> bool:
        """Whether the answer is still the same."""
        if not self.closed and clock.oldest_since(self.time) <= self.time:
            return False
        return all(names.get(name) is value for names, name, value in self.names)


class Memory:
    """The calls that are remembered. A function has to show that it is called in the same way again:
    to look and to note costs as much as many a call."""

    __slots__ = ("calls", "credit", "prints")

    def __init__(self) -> None:
        self.calls: dict[Any, Entry] = {}
        self.credit: dict[int, int] = {}  # of the node of a function: attempts that it still has
        self.prints: dict[int, Print] = {}  # by the serial of the receiver

    def print_of(self, obj: Instance, clock: Clock) -> Print | None:
        """The fingerprint of an object, taken anew where something as old as a part of it was written."""
        known = self.prints.get(obj.serial)
        if known is not None and clock.oldest_since(known.time) > known.youngest:
            return known
        taken = fingerprint(obj)
        if taken is not None:
            self.prints[obj.serial] = taken
        return taken

    def worthwhile(self, node: int) -> bool:
        """Whether this call may be one to look up and to remember: not the first."""
        left = self.credit.get(node)
        if left is None:
            self.credit[node] = ATTEMPTS
            return False
        self.credit[node] = left - 1
        return left > 0

    def helped(self, node: int) -> None:
        """A call was answered."""
        self.credit[node] = ATTEMPTS

    def clear(self) -> None:
        """Forget the calls."""
        self.calls.clear()
        self.prints.clear()


# Calls of a function in a row that are looked up in vain.
ATTEMPTS = 8
# Values without parts that a write could change. (What is written on unknown values and on modules counts
# among the names.)
_FIXED = (Tensor, Const, Unknown, SymInt, External, Func, ModuleV, type(None))
MAX_PARTS = 4000


class Print:
    """A fingerprint, when it was taken, and when the youngest object that it covers was made."""

    __slots__ = ("hash", "parts", "time", "youngest")

    def __init__(self, parts: object, time: int, youngest: int) -> None:
        self.parts = parts
        self.hash = hash(parts)
        self.time = time
        self.youngest = youngest

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Print) and self.hash == other.hash and self.parts == other.parts
        )


def fingerprint(obj: Instance) -> Print | None:
    """Everything that a method could read through its receiver, as a hashable value: two blocks that
    were made alike have the same one. None where it would be too large."""
    parts = 0
    youngest = 0
    seen: dict[int, int] = {}

    def of(value: Any) -> object:
        nonlocal parts, youngest
        parts += 1
        if parts > MAX_PARTS:
            raise OverflowError
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is Tensor:
            return (value, value.roots) if value.roots else value
        if isinstance(value, Obj) and kind is not ClassV:
            number = seen.get(id(value))
            if number is not None:
                return "seen", number
            seen[id(value)] = len(seen)
            attrs = value.attrs
            if attrs.birth > youngest:
                youngest = attrs.birth
            inner = tuple([(k, of(v)) for k, v in attrs.items()])
            if kind is Instance:
                return id(value.cls), inner  # type: ignore[attr-defined]
            if kind is ExtObj:
                assert isinstance(value, ExtObj)
                made = (
                    tuple([of(v) for v in value.args]),
                    tuple([(k, of(v)) for k, v in value.kwargs.items()]) if value.kwargs else (),
                )
                return value.qual, value.place, made, inner
            return kind, value.place, inner
        if kind is TupleV or kind is StarV:
            return kind, tuple([of(v) for v in value.items])
        if kind is Choice:
            return tuple([(g, of(v)) for g, v in value.alts])
        if kind is Func:
            return id(value.node), id(value.scope)
        if kind is Bound:
            return value.func if isinstance(value.func, str) else of(value.func), of(value.self)
        if kind is Partial:
            return of(value.func), tuple([of(v) for v in value.args]), tuple(value.kwargs)
        return value

    try:
        return Print(of(obj), fresh_uid(), youngest)
    except (OverflowError, RecursionError):
        return None


_PLAIN = frozenset({Const, Unknown, External, SymInt, str, int, bool, type(None)})


def copied(value: Value, made: dict[int, Value]) -> Value:
    """`copy.deepcopy`: the objects anew, everything else as it is. Very large structures are shared.
    made: the copies of objects, by the identity of what they are copies of."""
    if isinstance(value, Obj) and not isinstance(value, ClassV):
        known = made.get(id(value))
        if known is not None:
            return known
        if len(made) > MAX_PARTS:
            return value
        twin: Obj
        if isinstance(value, Instance):
            twin = Instance(value.cls, value.place)
        elif isinstance(value, ExtObj):
            twin = ExtObj(value.qual, (), {}, value.place)
        else:
            twin = type(value)(value.place)
        made[id(value)] = twin
        if isinstance(twin, ExtObj) and isinstance(value, ExtObj):
            twin.args = tuple(copied(v, made) for v in value.args)
            twin.kwargs = {k: copied(v, made) for k, v in value.kwargs.items()}
        for key, held in value.attrs.items():
            twin.attrs[key] = copied(held, made)
        return twin
    if isinstance(value, TupleV):
        return TupleV(tuple(copied(v, made) for v in value.items), value.fields, value.cls)
    if isinstance(value, StarV):
        return StarV(tuple(copied(v, made) for v in value.items))
    if isinstance(value, Choice):
        return Choice(tuple((g, copied(v, made)) for g, v in value.alts))
    if isinstance(value, Bound) and isinstance(value.self, Obj):
        return Bound(value.func, copied(value.self, made))
    return value


def portable(value: Value, entered: dict[int, None], since: int, depth: int = 0) -> bool:
    """Whether a result may be given again: no object but lists and dicts made since, and no argument
    handed back."""
    if isinstance(value, Tensor):
        return value.uid not in entered
    if isinstance(value, (Const, Unknown)):
        return True
    if isinstance(value, TupleV):
        return all(portable(v, entered, since, depth) for v in value.items)
    if isinstance(value, Choice):
        return all(portable(v, entered, since, depth) for _, v in value.alts)
    if isinstance(value, StarV):
        return all(portable(v, entered, since, depth) for v in value.items)
    if type(value) is ListV or type(value) is DictV:
        inside = value.attrs.values()
        return (
            value.attrs.birth > since
            and depth < MAX_NESTED
            and all(portable(v, entered, since, depth + 1) for v in inside)
        )
    return False


def plain(value: Value, since: int, depth: int = 0) -> bool:
    """Whether a result is made of numbers, texts and unknowns, in lists and dicts made since."""
    if isinstance(value, (Const, Unknown, SymInt)):
        return True
    if isinstance(value, (TupleV, StarV)):
        return all(plain(v, since, depth) for v in value.items)
    if isinstance(value, Choice):
        return all(plain(v, since, depth) for _, v in value.alts)
    if type(value) is ListV or type(value) is DictV:
        return (
            value.attrs.birth > since
            and depth < MAX_NESTED
            and all(plain(v, since, depth + 1) for v in value.attrs.values())
        )
    return False


MAX_NESTED = 3


def again(value: Value) -> Value:
    """The result of another call of the same: other tensors with the same numbers' description."""
    if isinstance(value, Tensor):
        return value.with_(uid=fresh_uid(), device="")
    if isinstance(value, TupleV):
        return TupleV(tuple(again(v) for v in value.items), value.fields, value.cls)
    if isinstance(value, Choice):
        return Choice(tuple((g, again(v)) for g, v in value.alts))
    if isinstance(value, StarV):
        return StarV(tuple(again(v) for v in value.items))
    if type(value) is ListV or type(value) is DictV:
        twin = type(value)(value.place)
        for key, held in value.attrs.items():
            twin.attrs[key] = again(held)
        return twin
    return value
