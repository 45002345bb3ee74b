"""Calls that were made before with the same arguments in the same state.

A method call on one instance may be answered from memory where nothing that it could have
read has changed: no object older than the entry was written since, and the names that it took
from outside are bound to the same values. Calls that wrote to older objects, reached a
loss or gave an object back are never remembered.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from torchlosslint.flow.values import Choice, Const, Tensor, TupleV, Unknown, Value, fresh_uid


class Clock:
    """Time of writes and births of the dicts that they went to."""

    __slots__ = ("births", "now", "olds", "times")

    def __init__(self) -> None:
        self.now = 0
        self.births: dict[int, int] = {}
        # Writes as (time, birth of what was written), of which only those are kept that are older
        # than all later ones: the first one after a time has the oldest birth since then.
        self.times: list[int] = []
        self.olds: list[int] = []

    def tick(self, target: dict[Any, Any]) -> None:
        """A write to `target` happens."""
        self.now += 1
        if not target:
            self.births[id(target)] = self.now
        birth = self.births.get(id(target), 0)
        while self.olds and self.olds[-1] >= birth:
            self.olds.pop()
            self.times.pop()
        self.olds.append(birth)
        self.times.append(self.now)

    def oldest_since(self, time: int) -> int:
        """The birth of the oldest thing written after a time."""
        at = bisect_right(self.times, time)
        return self.olds[at] if at < len(self.times) else self.now + 1


class Entry:
    """One remembered call."""

    __slots__ = ("names", "result", "time")

    def __init__(self, time: int, names: list[tuple[dict[str, Any], str, Any]], result: Value) -> None:
        self.time = time
        self.names = names
        self.result = result

    def holds(self, clock: Clock) -> bool:
        """Whether the answer is still the same."""
        if clock.oldest_since(self.time) <= self.time:
            return False
        return all(names.get(name) is value for names, name, value in self.names)


def portable(value: Value, entered: dict[int, None]) -> bool:
    """Whether a result may be given again: no object, and no argument handed back."""
    if isinstance(value, Tensor):
        return value.uid not in entered
    if isinstance(value, (Const, Unknown)):
        return True
    if isinstance(value, TupleV):
        return all(portable(v, entered) for v in value.items)
    if isinstance(value, Choice):
        return all(portable(v, entered) for _, v in value.alts)
    return False


def again(value: Value) -> Value:
    """The result of another call of the same: other tensors with the same numbers' description."""
    if isinstance(value, Tensor):
        return value.with_(uid=fresh_uid())
    if isinstance(value, TupleV):
        return TupleV(tuple(again(v) for v in value.items), value.fields, value.cls)
    if isinstance(value, Choice):
        return Choice(tuple((g, again(v)) for g, v in value.alts))
    return value
