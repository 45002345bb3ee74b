"""Guards and alternatives, held against a truth table: every assignment of constants to sources."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from torchlosslint.flow.facts import (
    ANY,
    TRUTH,
    alternatives,
    choose,
    common,
    compatible,
    disjoin,
    equals,
    is_config,
    merged,
    narrow,
    truthy,
)
from torchlosslint.flow.values import MAX_ALTERNATIVES, NO_GUARD, Choice, Const, Fact, Guard, Unknown, Value

SOURCES = (("C", "kind"), ("C", "flag"), ("D", "row"))
CONSTANTS = ("bce", "ce", "", None, 3)
# Constants that no fact names stand for all others, one true and one false.
WORLD = (*CONSTANTS, "other", 0.0)
Assignment = Mapping[object, object]
ASSIGNMENTS: list[Assignment] = [
    dict(zip(SOURCES, values, strict=True)) for values in product(WORLD, repeat=len(SOURCES))
]


def holds(guard: Guard, world: Assignment) -> bool:
    return all(_fact(fact, world) for fact in guard)


def _fact(fact: Fact, world: Assignment) -> bool:
    src, what, polarity = fact
    assert isinstance(what, tuple)
    if what[0] == ANY:
        return any(holds(way, world) for way in what[1]) is polarity
    value = world[src]
    if what == TRUTH:
        return bool(value) is polarity
    said = value in what[1] if what[0] == "in" else value == what[1]
    return said is polarity


def selected(value: Value, world: Assignment) -> set[Value]:
    if isinstance(value, Choice):
        return {v for guard, v in value.alts if holds(guard, world)}
    return {value}


def well_formed(value: Value) -> None:
    if isinstance(value, Choice):
        assert 2 <= len(value.alts) <= MAX_ALTERNATIVES
        assert not any(isinstance(v, Choice) for _, v in value.alts)
        assert len({v for _, v in value.alts}) > 1


sources = st.sampled_from(SOURCES)
plain: st.SearchStrategy[Fact] = st.tuples(
    sources,
    st.one_of(st.just(TRUTH), st.sampled_from(CONSTANTS).map(lambda c: ("=", c))),
    st.booleans(),
)
sets: st.SearchStrategy[Fact] = st.tuples(
    sources,
    st.frozensets(st.sampled_from(CONSTANTS), min_size=2, max_size=3).map(lambda s: ("in", s)),
    st.just(True),
)
facts = st.one_of(plain, plain, sets)
guards: st.SearchStrategy[Guard] = st.frozensets(facts, max_size=3)
leaves: st.SearchStrategy[Value] = st.integers(0, 4).map(Const)


def tree(depth: int) -> st.SearchStrategy[Value]:
    """Decisions on decisions, as an `if` in an `if` leaves them: exactly one leaf under each assignment."""
    if depth == 0:
        return leaves
    return st.one_of(leaves, st.builds(_decide, plain, tree(depth - 1), tree(depth - 1)))


def _decide(fact: Fact, yes: Value, no: Value) -> Value:
    src, what, _ = fact
    return choose([(frozenset(((src, what, True),)), yes), (frozenset(((src, what, False),)), no)])


# ---- compatible ----------------------------------------------------------------------


@given(guards, guards)
def test_what_can_hold_at_once_is_compatible(a: Guard, b: Guard) -> None:
    possible = any(holds(a, world) and holds(b, world) for world in ASSIGNMENTS)
    assert compatible(a, b) or not possible
    assert compatible(a, b) == compatible(b, a)


@given(plain, plain)
def test_two_plain_facts_are_told_apart(a: Fact, b: Fact) -> None:
    one, other = frozenset((a,)), frozenset((b,))
    assert compatible(one, other) == any(holds(one | other, world) for world in ASSIGNMENTS)


@given(sets, st.frozensets(plain, max_size=2))
def test_a_set_of_constants_can_be_used_up(a: Fact, b: Guard) -> None:
    """`kind in ("a", "b")` and then `kind != "a"` and `kind != "b"`."""
    equalities = frozenset(f for f in b if f[1] != TRUTH and f[0] == a[0])
    one = frozenset((a,))
    if any(holds(equalities, world) for world in ASSIGNMENTS):
        assert compatible(one, equalities) == any(holds(one | equalities, world) for world in ASSIGNMENTS)


def test_the_same_flag_and_another() -> None:
    flag, other = Unknown("", "flag", True), Unknown("", "other", True)
    assert not compatible(truthy(flag, True), truthy(flag, False))
    assert compatible(truthy(flag, True), truthy(other, False))
    assert not compatible(equals(flag, "bce", True), equals(flag, "ce", True))
    assert compatible(equals(flag, "bce", False), equals(flag, "ce", False))
    assert not compatible(equals(flag, None, True), truthy(flag, True))
    assert not compatible(equals(flag, "bce", True), truthy(flag, False))
    assert compatible(NO_GUARD, truthy(flag, True))


def test_data_and_configuration_are_different_sources() -> None:
    data, option = Unknown("", "x"), Unknown("", "x", True)
    assert compatible(truthy(data, True), truthy(option, False))
    assert [is_config(f) for f in truthy(option, True)] == [True]
    assert [is_config(f) for f in truthy(data, True)] == [False]


# ---- choose --------------------------------------------------------------------------


@given(tree(3))
@settings(max_examples=200)
def test_decisions_select_what_they_selected(value: Value) -> None:
    well_formed(value)
    for world in ASSIGNMENTS[::7]:
        assert len(selected(value, world)) == 1 or isinstance(value, Unknown)


@given(st.lists(st.tuples(plain, leaves), max_size=6), leaves)
@settings(max_examples=200)
def test_a_chain_of_tests_selects_the_first_that_holds(tests: list[tuple[Fact, Value]], last: Value) -> None:
    value: Value = last
    for (src, what, polarity), then in reversed(tests):
        value = choose(
            [
                (frozenset(((src, what, polarity),)), then),
                (frozenset(((src, what, not polarity),)), value),
            ]
        )
    well_formed(value)
    for world in ASSIGNMENTS:
        truth = next((then for fact, then in tests if _fact(fact, world)), last)
        assert truth in selected(value, world) or isinstance(value, Unknown)
        if len(tests) <= 3:  # seldom more than eight alternatives before they are merged
            assert selected(value, world) == {truth}


@given(st.lists(st.tuples(guards, st.one_of(leaves, tree(2))), min_size=1, max_size=14))
@settings(max_examples=150)
def test_nothing_that_was_possible_is_lost(alts: list[tuple[Guard, Value]]) -> None:
    value = choose(alts)
    well_formed(value)
    if isinstance(value, Unknown):
        return
    for world in ASSIGNMENTS[::11]:
        before = {v for guard, inner in alts if holds(guard, world) for v in selected(inner, world)}
        assert before - {v for v in before if isinstance(v, Unknown)} <= selected(value, world)


def test_equal_values_are_one() -> None:
    flag = Unknown("", "flag", True)
    assert choose([(truthy(flag, True), Const(1)), (truthy(flag, False), Const(1))]) == Const(1)


def test_true_is_not_one() -> None:
    flag = Unknown("", "flag", True)
    value = choose([(truthy(flag, True), Const(True)), (truthy(flag, False), Const(1))])
    assert isinstance(value, Choice)


def test_complementary_guards_of_equal_values_are_merged() -> None:
    a, b = Unknown("", "a", True), Unknown("", "b", True)
    inner = choose([(truthy(b, True), Const(1)), (truthy(b, False), Const(2))])
    same = choose([(truthy(b, True), Const(1)), (truthy(b, False), Const(2))])
    value = choose([(truthy(a, True), inner), (truthy(a, False), same)])
    assert isinstance(value, Choice)
    assert set(value.alts) == {(truthy(b, True), Const(1)), (truthy(b, False), Const(2))}


def test_contradictions_are_left_out() -> None:
    flag = Unknown("", "flag", True)
    inner = choose([(truthy(flag, True), Const(1)), (truthy(flag, False), Const(2))])
    value = choose([(truthy(flag, True), inner), (truthy(flag, False), Const(3))])
    assert isinstance(value, Choice)
    assert {v for _, v in value.alts} == {Const(1), Const(3)}


@pytest.mark.parametrize("count", [8, 9, 100])
def test_more_than_eight_are_unknown(count: int) -> None:
    kind = Unknown("", "kind", True)
    value = choose([(equals(kind, i, True), Const(i)) for i in range(count)])
    assert isinstance(value, Choice if count <= MAX_ALTERNATIVES else Unknown)


def test_more_than_eight_ways_to_two_values_stay_two() -> None:
    kind = Unknown("", "kind", True)
    value = choose([(equals(kind, i, True), Const(i % 2)) for i in range(20)])
    well_formed(value)
    assert isinstance(value, Choice)
    assert {v for _, v in value.alts} == {Const(0), Const(1)}


def test_no_way_at_all() -> None:
    assert isinstance(choose([]), Unknown)


# ---- narrow and alternatives -----------------------------------------------------------


@given(tree(3), guards)
def test_narrowing_keeps_what_the_facts_allow(value: Value, known: Guard) -> None:
    less = narrow(value, known)
    assert not isinstance(less, Choice) or len(less.alts) > 1
    live = {v for _, v in alternatives(value, known)}
    for world in ASSIGNMENTS[::11]:
        if holds(known, world):
            assert selected(value, world) == selected(less, world)
            assert selected(value, world) <= live


# ---- disjoin, common, merged -----------------------------------------------------------


@given(st.lists(guards, min_size=1, max_size=5))
def test_disjoin_and_common_hold_wherever_one_guard_does(given_: list[Guard]) -> None:
    weaker, shared = disjoin(given_), common(given_)
    assert shared <= weaker
    for world in ASSIGNMENTS:
        if any(holds(g, world) for g in given_):
            assert holds(weaker, world)
            assert holds(shared, world)


several = st.lists(guards, min_size=1, max_size=3)


@given(st.lists(several, min_size=1, max_size=3), st.lists(several, max_size=3), guards)
def test_several_ways_may_hold_together_where_they_do(
    left: list[list[Guard]], right: list[list[Guard]], more: Guard
) -> None:
    a = NO_GUARD.union(*map(disjoin, left))
    b = more.union(*map(disjoin, right))
    if any(holds(a, world) and holds(b, world) for world in ASSIGNMENTS):
        assert compatible(a, b)
    joined = merged([a, b])
    for world in ASSIGNMENTS[::5]:
        assert any(holds(g, world) for g in joined) == (holds(a, world) or holds(b, world))


def test_what_is_not_both_contradicts_both() -> None:
    a, b, c = (Unknown("", name, True) for name in "abc")
    both = truthy(a, True) | truthy(b, True)
    neither_both = disjoin([truthy(a, False), truthy(a, True) | truthy(b, False)])
    assert not compatible(both, neither_both)
    assert compatible(truthy(a, True), neither_both)
    assert merged([both, neither_both]) == [NO_GUARD]
    # Of two such facts, no way of one goes with a way of the other.
    one = disjoin([truthy(a, True) | equals(b, 1, True), truthy(a, False) | equals(c, 1, True)])
    more = disjoin([truthy(a, True) | equals(b, 2, True), truthy(a, False) | equals(c, 2, True)])
    assert not compatible(one, more)
    assert is_config(next(iter(one)))


def test_disjoin_remembers_the_constants() -> None:
    kind = Unknown("", "kind", True)
    either = disjoin([equals(kind, "a", True), equals(kind, "b", True)])
    assert compatible(either, equals(kind, "a", True))
    assert not compatible(either, equals(kind, "c", True))
    assert not compatible(either, equals(kind, "a", False) | equals(kind, "b", False))
    assert disjoin([equals(kind, "a", True)]) == equals(kind, "a", True)
    assert disjoin([]) == NO_GUARD


@given(st.lists(guards, max_size=7))
def test_merged_guards_hold_where_one_of_them_held(given_: list[Guard]) -> None:
    fewer = merged(given_)
    assert len(fewer) <= len(given_)
    for world in ASSIGNMENTS:
        assert any(holds(g, world) for g in fewer) == any(holds(g, world) for g in given_)


def test_all_ways_together_are_no_condition() -> None:
    a, b = Unknown("", "a", True), Unknown("", "b")
    ways = [truthy(a, p) | truthy(b, q) for p in (True, False) for q in (True, False)]
    assert merged(ways) == [NO_GUARD]
    assert NO_GUARD not in merged(ways[:3])
