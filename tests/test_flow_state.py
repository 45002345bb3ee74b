"""The journal: a branch that is taken back leaves no trace; a join keeps what each branch wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from torchlosslint.flow.facts import truthy
from torchlosslint.flow.state import MISSING, Journal
from torchlosslint.flow.values import Choice, Const, Guard, Unknown, Value

A, B = Unknown("", "a", True), Unknown("", "b", True)
YES, NO = truthy(A, True), truthy(A, False)

KEYS = ("x", "y", "items")
writes = st.tuples(
    st.integers(0, 2), st.sampled_from(KEYS), st.one_of(st.just(MISSING), st.integers(0, 3).map(Const))
)
Write = tuple[int, str, Any]


def perform(journal: Journal, dicts: list[dict[Any, Any]], steps: list[Write]) -> None:
    for i, key, value in steps:
        journal.write(dicts[i], key, value)


def fresh() -> list[dict[Any, Any]]:
    return [{}, {"x": Const(10)}, {"x": Const(20), "y": Const(21)}]


def copied(dicts: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    return [dict(d) for d in dicts]


@given(st.lists(writes, max_size=12))
def test_rollback_restores_and_apply_redoes(steps: list[Write]) -> None:
    dicts, journal = fresh(), Journal()
    before = copied(dicts)
    journal.branch()
    perform(journal, dicts, steps)
    after = copied(dicts)
    diff = journal.rollback()
    assert dicts == before
    journal.apply(diff)
    assert dicts == after
    assert journal.layers == []


commands = st.lists(st.one_of(writes, st.just("branch"), st.just("rollback"), st.just("commit")), max_size=40)


@given(commands)
@settings(max_examples=200)
def test_nested_branches_follow_a_stack_of_snapshots(steps: list[Write | str]) -> None:
    dicts, journal = fresh(), Journal()
    snapshots: list[list[dict[Any, Any]]] = []
    for step in steps:
        if isinstance(step, tuple):
            perform(journal, dicts, [step])
        elif step == "branch":
            snapshots.append(copied(dicts))
            journal.branch()
        elif snapshots:
            before, now = snapshots.pop(), copied(dicts)
            if step == "rollback":
                diff = journal.rollback()
                assert dicts == before
                # What it says it has written is what it had written.
                for target, key, new in diff.values():
                    i = next(i for i, d in enumerate(dicts) if d is target)
                    assert now[i].get(key, MISSING) == new
            else:
                old = journal.commit()
                assert dicts == now
                for target, key, value in old.values():
                    i = next(i for i, d in enumerate(dicts) if d is target)
                    assert before[i].get(key, MISSING) == value
    while snapshots:
        before = snapshots.pop()
        journal.rollback()
        assert dicts == before


def under(value: Any, guard: Guard) -> Any:
    """What a join left where the guard is known to hold."""
    if isinstance(value, Choice):
        live = [v for g, v in value.alts if not any((s, w, not p) in g for s, w, p in guard)]
        assert len(live) == 1
        return live[0]
    return value


@given(st.lists(writes, max_size=6), st.lists(writes, max_size=6))
@settings(max_examples=200)
def test_join_gives_each_branch_its_own(yes: list[Write], no: list[Write]) -> None:
    dicts, journal = fresh(), Journal()
    ends: list[list[dict[Any, Any]]] = []
    diffs = []
    for guard, steps in ((YES, yes), (NO, no)):
        journal.branch()
        perform(journal, dicts, steps)
        ends.append(copied(dicts))
        diffs.append((guard, journal.rollback()))
    journal.join(diffs)
    for i, target in enumerate(dicts):
        for key in KEYS:
            for guard, end in zip((YES, NO), ends, strict=True):
                if key in end[i]:
                    assert under(target[key], guard) == end[i][key]
            if not any(key in end[i] for end in ends):
                assert key not in target


def test_join_of_one_branch_is_that_branch() -> None:
    names: dict[str, Value] = {"x": Const(1)}
    journal = Journal()
    journal.branch()
    journal.write(names, "x", Const(2))
    journal.write(names, "y", Const(3))
    journal.join([(YES, journal.rollback())])
    assert names == {"x": Const(2), "y": Const(3)}


def test_a_branch_that_wrote_nothing_keeps_the_old_value() -> None:
    names: dict[str, Value] = {"x": Const(1)}
    journal = Journal()
    journal.branch()
    journal.write(names, "x", Const(2))
    diff = journal.rollback()
    journal.join([(YES, diff), (NO, {})])
    assert names["x"] == Choice(((YES, Const(2)), (NO, Const(1))))


def test_what_both_branches_delete_is_gone() -> None:
    names: dict[str, Value] = {"x": Const(1)}
    journal = Journal()
    diffs = []
    for guard in (YES, NO):
        journal.branch()
        journal.write(names, "x", MISSING)
        diffs.append((guard, journal.rollback()))
    assert names == {"x": Const(1)}
    journal.join(diffs)
    assert names == {}


def test_a_join_inside_a_branch_is_taken_back_with_it() -> None:
    names: dict[str, Value] = {"x": Const(1)}
    journal = Journal()
    journal.branch()
    journal.branch()
    journal.write(names, "x", Const(2))
    journal.join([(YES, journal.rollback()), (NO, {})])
    assert isinstance(names["x"], Choice)
    journal.rollback()
    assert names == {"x": Const(1)}


def test_equal_dicts_are_kept_apart() -> None:
    one: dict[str, Value] = {}
    other: dict[str, Value] = {}
    journal = Journal()
    journal.branch()
    journal.write(one, "x", Const(1))
    journal.write(other, "x", Const(2))
    journal.apply(journal.rollback())
    assert (one, other) == ({"x": Const(1)}, {"x": Const(2)})


@pytest.mark.parametrize("method", ["write", "bind"])
def test_names_and_attributes_are_both_undone(method: str) -> None:
    names: dict[str, Value] = {}
    journal = Journal()
    journal.branch()
    getattr(journal, method)(names, "x", Const(1))
    journal.rollback()
    assert names == {}
