"""Remembered calls: the clock against a list of all writes, and what may be given again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchlosslint.flow.domain import Domain
from torchlosslint.flow.memo import MAX_PARTS, Clock, Entry, again, fingerprint, portable
from torchlosslint.flow.values import (
    NO_GUARD,
    Choice,
    ClassV,
    Const,
    ExtObj,
    Instance,
    ListV,
    Place,
    Tensor,
    TupleV,
    Unknown,
    Value,
)
from torchlosslint.program.module import ModuleInfo
from torchlosslint.syntax import ir


class Naive:
    """Every write with the birth of what it went to."""

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.births: dict[int, int] = {}

    def tick(self, target: dict[Any, Any]) -> None:
        now = len(self.writes) + 1
        if not target:
            self.births[id(target)] = now
        self.writes.append(self.births.get(id(target), 0))

    def oldest_since(self, time: int) -> int:
        return min(self.writes[time:], default=len(self.writes) + 1)


steps = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["write", "write", "write", "delete"])), max_size=40
)


@given(steps)
@settings(max_examples=200)
def test_the_clock_says_what_a_list_of_all_writes_says(script: list[tuple[int, str]]) -> None:
    clock, naive = Clock(), Naive()
    dicts: list[dict[str, int]] = [{"old": 1}, {"old": 1}, {}, {}, {}, {}]
    for i, kind in script:
        clock.tick(dicts[i])
        naive.tick(dicts[i])
        if kind == "write":
            dicts[i]["x"] = i
        else:
            dicts[i].pop("x", None)
        assert clock.now == len(naive.writes)
    for time in range(clock.now + 2):
        expected = naive.oldest_since(time) if time <= clock.now else clock.now + 1
        assert clock.oldest_since(time) == expected


@given(steps)
def test_the_clock_keeps_no_more_than_it_needs(script: list[tuple[int, str]]) -> None:
    clock = Clock()
    dicts: list[dict[str, int]] = [{} for _ in range(6)]
    for i, _ in script:
        clock.tick(dicts[i])
        dicts[i]["x"] = 1
    assert len(clock.times) == len(clock.olds) <= len(dicts)
    assert clock.olds == sorted(set(clock.olds))
    assert clock.times == sorted(set(clock.times))


def test_a_call_is_forgotten_when_something_older_changes() -> None:
    clock = Clock()
    model: dict[str, int] = {}
    clock.tick(model)
    model["weight"] = 1
    entry = Entry(clock.now, [], [ListV(None)], Const(1))
    assert entry.holds(clock)
    later: dict[str, int] = {}
    clock.tick(later)
    later["x"] = 1
    clock.tick(later)
    assert entry.holds(clock), "objects made since then do not matter"
    clock.tick(model)
    assert not entry.holds(clock)


def test_a_call_that_saw_no_object_is_not_forgotten() -> None:
    clock = Clock()
    entry = Entry(clock.now, [], [Tensor(), Const(1)], Const(1))
    clock.tick({"old": 1})
    assert entry.holds(clock)


@pytest.mark.parametrize("seen", ["argument", "name"])
def test_a_call_that_saw_an_object_is(seen: str) -> None:
    clock, box = Clock(), ListV(None)
    names: dict[str, Any] = {"box": box}
    entry = (
        Entry(clock.now, [], [box], Const(1))
        if seen == "argument"
        else Entry(clock.now, [(names, "box", box)], [], Const(1))
    )
    assert entry.holds(clock)
    clock.tick({"old": 1})
    assert not entry.holds(clock)


NET = ClassV("Net", ModuleInfo("m.py", "", "m", False), ir.ClassDef(0, "Net", [], [], []), Place("m.py", 0))


def instance(**attrs: Value) -> Instance:
    made = Instance(NET, Place("m.py", 1))
    made.attrs.update(attrs)
    return made


def test_objects_made_alike_have_one_fingerprint() -> None:
    def block(width: int) -> Instance:
        layer = ExtObj("torch.nn.Linear", (Const(8), Const(width)), {}, Place("m.py", 2))
        return instance(layer=layer, flag=Const(True))

    assert fingerprint(block(4)) == fingerprint(block(4))
    assert hash(fingerprint(block(4))) == hash(fingerprint(block(4)))
    assert fingerprint(block(4)) != fingerprint(block(5))
    other = block(4)
    other.attrs["flag"] = Const(False)
    assert fingerprint(block(4)) != fingerprint(other)
    other = block(4)
    other.attrs["more"] = Const(None)
    assert fingerprint(block(4)) != fingerprint(other)


def test_a_part_that_is_shared_is_not_two_parts() -> None:
    part = instance()
    assert fingerprint(instance(a=part, b=part)) != fingerprint(instance(a=instance(), b=instance()))


def test_fingerprints_of_circles_and_crowds() -> None:
    circle = instance()
    circle.attrs["me"] = circle
    other = instance()
    other.attrs["me"] = other
    assert fingerprint(circle) == fingerprint(other) is not None
    crowd = ListV(None)
    crowd.attrs["items"] = TupleV((Const(1),) * (MAX_PARTS + 1))
    assert fingerprint(instance(crowd=crowd)) is None
    deep: Value = Const(1)
    for _ in range(3000):
        deep = TupleV((deep,))
    assert fingerprint(instance(deep=deep)) is None


def test_a_call_is_forgotten_when_a_name_is_bound_anew() -> None:
    value: Value = Const("bce")
    names: dict[str, Any] = {"kind": value}
    entry = Entry(0, [(names, "kind", value)], [], Const(1))
    assert entry.holds(Clock())
    names["kind"] = Const("ce")
    assert not entry.holds(Clock())
    del names["kind"]
    assert not entry.holds(Clock())


@pytest.mark.parametrize(
    ("value", "may"),
    [
        (Const(1), True),
        (Unknown("because"), True),
        (Tensor(), True),
        (Tensor(uid=7), False),
        (ListV(None), False),
        (TupleV((Tensor(), Const(1))), True),
        (TupleV((Tensor(), Tensor(uid=7))), False),
        (Choice(((NO_GUARD, Tensor()), (NO_GUARD, ListV(None)))), False),
        (Choice(((NO_GUARD, Tensor()), (NO_GUARD, Const(None)))), True),
    ],
)
def test_objects_and_arguments_are_not_given_again(value: Value, may: bool) -> None:
    assert portable(value, {7: None}) is may


def test_given_again_tensors_are_others_with_the_same_numbers() -> None:
    tensor = Tensor(Domain("probs", "softmax", 1), "float32", (2, 4), True, role="model")
    pair = TupleV((tensor, Const(1)), ("out", "n"))
    for value in (tensor, pair, Choice(((NO_GUARD, tensor), (NO_GUARD, Const(2))))):
        assert again(value) == value
    copy = again(tensor)
    assert isinstance(copy, Tensor)
    assert copy.uid != tensor.uid
