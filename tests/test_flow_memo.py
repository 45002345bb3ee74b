"""Remembered calls: the clock against a list of all writes, and what may be given again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from torchlosslint.flow.domain import Domain
from torchlosslint.flow.memo import MAX_PARTS, Clock, Entry, again, fingerprint, portable
from torchlosslint.flow.values import (
    NO_GUARD,
    Attrs,
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
    fresh_uid,
)
from torchlosslint.program.module import ModuleInfo
from torchlosslint.syntax import ir

steps = st.lists(st.integers(0, 6), max_size=40)


@given(steps)
@settings(max_examples=200)
def test_the_clock_says_what_a_list_of_all_writes_says(script: list[int]) -> None:
    """The number of a step picks what is written to; 6 makes a new object."""
    clock = Clock()
    dicts: list[dict[Any, Any]] = [{}, ListV(None).attrs, ListV(None).attrs]
    writes: list[tuple[int, int]] = []
    times = [fresh_uid()]
    for step in script:
        if step == 6:
            dicts.append(ListV(None).attrs)
        target = dicts[step % len(dicts)]
        clock.tick(target)
        writes.append((clock.now, target.birth if isinstance(target, Attrs) else 0))
        times.append(fresh_uid())
    for time in times:
        oldest = min((birth for at, birth in writes if at > time), default=None)
        said = clock.oldest_since(time)
        assert said == oldest if oldest is not None else said > max(times)


@given(steps)
def test_the_clock_keeps_no_more_than_it_needs(script: list[int]) -> None:
    clock = Clock()
    dicts = [ListV(None).attrs for _ in range(7)]
    for i in script:
        clock.tick(dicts[i])
    assert len(clock.times) == len(clock.olds) <= len(dicts)
    assert clock.olds == sorted(set(clock.olds))
    assert clock.times == sorted(set(clock.times))


def test_an_object_is_born_when_it_is_made_not_when_it_is_first_written() -> None:
    """Else a constructor would seem to write to new objects only, and need not be run again."""
    clock, made = Clock(), ListV(None).attrs
    entry = Entry(fresh_uid(), [], [ListV(None)], Const(None))
    clock.tick(made)
    assert not entry.holds(clock)


def test_a_call_is_forgotten_when_something_older_changes() -> None:
    clock = Clock()
    model = ListV(None).attrs
    clock.tick(model)
    entry = Entry(fresh_uid(), [], [ListV(None)], Const(1))
    assert entry.holds(clock)
    later = ListV(None).attrs
    clock.tick(later)
    clock.tick(later)
    assert entry.holds(clock), "objects made since then do not matter"
    clock.tick(model)
    assert not entry.holds(clock)


def test_a_call_that_saw_no_object_is_not_forgotten() -> None:
    clock = Clock()
    entry = Entry(fresh_uid(), [], [Tensor(), Const(1)], Const(1))
    clock.tick({"old": 1})
    assert entry.holds(clock)


@pytest.mark.parametrize("seen", ["argument", "name"])
def test_a_call_that_saw_an_object_is(seen: str) -> None:
    clock, box = Clock(), ListV(None)
    names: dict[str, Any] = {"box": box}
    entry = (
        Entry(fresh_uid(), [], [box], Const(1))
        if seen == "argument"
        else Entry(fresh_uid(), [(names, "box", box)], [], Const(1))
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
    crowds = {}
    for name in "abc":
        crowds[name] = ListV(None)
        crowds[name].attrs["items"] = TupleV((Const(1),) * (MAX_PARTS // 2))
    assert fingerprint(instance(**crowds)) is None
    deep: Value = Const(1)
    for _ in range(3000):
        inner, deep = deep, ListV(None)
        deep.attrs["items"] = TupleV((inner,))
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
    assert portable(value, {7: None}, fresh_uid()) is may


def test_given_again_tensors_are_others_with_the_same_numbers() -> None:
    tensor = Tensor(Domain("probs", "softmax", 1), "float32", (2, 4), True, role="model")
    pair = TupleV((tensor, Const(1)), ("out", "n"))
    for value in (tensor, pair, Choice(((NO_GUARD, tensor), (NO_GUARD, Const(2))))):
        assert again(value) == value
    copy = again(tensor)
    assert isinstance(copy, Tensor)
    assert copy.uid != tensor.uid


def test_a_copy_with_other_numbers_has_an_identity_of_its_own() -> None:
    tensor = Tensor()
    copy = tensor.with_(uid=None)
    assert isinstance(copy.uid, int)
    assert copy.uid != tensor.uid
