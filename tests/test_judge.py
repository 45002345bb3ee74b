"""How sure a finding is, and where it is put."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from torchlosslint.contracts import by_function
from torchlosslint.contracts.base import LossContract
from torchlosslint.finding import Confidence
from torchlosslint.flow.domain import ANY, FROM_DATA, PROBS, RAW, Domain
from torchlosslint.flow.facts import choose, equals, truthy
from torchlosslint.flow.losses import LossReached
from torchlosslint.flow.machine import Machine
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.values import NO_GUARD, Const, Guard, Place, Step, Tensor, Unknown, Value
from torchlosslint.judge import Judge, blame, flow_of, known, reason
from torchlosslint.program.module import ModuleInfo
from torchlosslint.program.program import Program
from torchlosslint.program.resolve import Resolver
from torchlosslint.rule import LossUse, Problem, Rule


class Softmax(Rule):
    """Speaks of probabilities, and of nothing else."""

    code, name = "TLL900", "probabilities"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        if use.scores is not None and use.scores.dom.kind == PROBS:
            yield Problem("probabilities", "scores")


def contract() -> LossContract:
    found = by_function("torch.nn.functional.cross_entropy")
    assert found is not None
    return found


LOSS = Place("train.py", 5)
FLAG, OTHER = Unknown("", "flag", True), Unknown("", "other", True)
DATA, ROW = Unknown("", "data"), Unknown("", "row")
MODULE = ModuleInfo("train.py", "", "train", False)


def wrong() -> Tensor:
    return Tensor(Domain(PROBS, "softmax", 1))


def right() -> Tensor:
    return Tensor(RAW)


@pytest.fixture
def judge() -> Judge:
    return Judge([Softmax()])


@pytest.fixture
def machine(judge: Judge) -> Machine:
    return Machine(Program(Resolver([""]), lambda path: None), judge)


def frame(caller: Frame | None = None, place: Place | None = None, *entered: Tensor) -> Frame:
    made = Frame(MODULE, Scope({}, None), caller, place)
    made.entered.update(dict.fromkeys(t.uid for t in entered))
    return made


def reach(
    judge: Judge, machine: Machine, value: Value, where: Frame | None = None, target: Value | None = None
) -> None:
    judge.loss(machine, LossReached(contract(), value, target or Unknown(""), {}, {}, LOSS), where or frame())


def confidence(judge: Judge) -> list[Confidence]:
    return [judge.confidence(raw) for raw in judge.found.values()]


def either(guard: Guard, opposite: Guard, yes: Value, no: Value) -> Value:
    return choose([(guard, yes), (opposite, no)])


def by(unknown: Unknown, yes: Value, no: Value) -> Value:
    return either(truthy(unknown, True), truthy(unknown, False), yes, no)


# ---- confidence ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (wrong(), ["certain"]),
        (right(), []),
        (Unknown("anything"), []),
        (Const(None), []),
        (by(FLAG, wrong(), right()), ["likely"]),
        (by(FLAG, wrong(), Unknown("")), ["likely"]),
        (by(DATA, wrong(), right()), ["possible"]),
        (by(DATA, wrong(), Unknown("")), ["likely"]),
        (by(DATA, wrong(), Tensor(Domain(PROBS, "sparsemax", 1))), ["certain"]),
        (by(FLAG, wrong(), by(DATA, wrong(), right())), ["likely"]),
        (by(DATA, by(FLAG, wrong(), right()), right()), ["possible"]),
        (by(DATA, by(ROW, wrong(), right()), right()), ["possible"]),
        (by(FLAG, right(), Unknown("")), []),
    ],
)
def test_confidence_of_one_context(
    judge: Judge, machine: Machine, value: Value, expected: list[Confidence]
) -> None:
    reach(judge, machine, value)
    assert confidence(judge) == expected


def test_the_best_context_counts(judge: Judge, machine: Machine) -> None:
    reach(judge, machine, by(DATA, wrong(), right()))
    assert confidence(judge) == ["possible"]
    reach(judge, machine, by(FLAG, wrong(), right()))
    assert confidence(judge) == ["likely"]
    reach(judge, machine, wrong())
    assert confidence(judge) == ["certain"]
    reach(judge, machine, right())
    assert confidence(judge) == ["certain"]


def test_the_two_sides_of_a_test_in_two_contexts_are_all_of_it(judge: Judge, machine: Machine) -> None:
    """Each branch of an `if` calls the function that holds the loss."""
    for polarity in (True, False):
        machine.chosen = truthy(DATA, polarity)
        reach(judge, machine, wrong())
    assert confidence(judge) == ["certain"]


def test_a_good_sibling_in_another_context(judge: Judge, machine: Machine) -> None:
    """One side of a test on data is wrong and the other is right, each in a context of its own."""
    machine.chosen = truthy(DATA, True)
    reach(judge, machine, wrong())
    assert confidence(judge) == ["likely"], "nothing is known of the other side yet"
    machine.chosen = truthy(DATA, False)
    reach(judge, machine, right())
    assert confidence(judge) == ["possible"]


def test_a_good_sibling_of_another_test_does_not_excuse(judge: Judge, machine: Machine) -> None:
    machine.chosen = truthy(DATA, True)
    reach(judge, machine, wrong())
    machine.chosen = truthy(ROW, False)
    reach(judge, machine, right())
    assert confidence(judge) == ["likely"]


def test_facts_of_the_path_take_alternatives_away(judge: Judge, machine: Machine) -> None:
    machine.facts = truthy(FLAG, False)
    reach(judge, machine, by(FLAG, wrong(), right()))
    assert judge.found == {}
    machine.facts = truthy(FLAG, True)
    reach(judge, machine, by(FLAG, wrong(), right()))
    assert len(judge.found) == 1


def test_alternatives_of_input_and_target_do_not_contradict(machine: Machine) -> None:
    class Pair(Rule):
        code, name = "TLL901", "pair"
        met: list[tuple[object, object]] = []

        def check_loss(self, use: LossUse) -> Iterable[Problem]:
            self.met.append((use.input, use.target))
            return ()

    judge = Judge([Pair()])
    a, b, c, d = Const("a"), Const("b"), Const("c"), Const("d")
    reach(judge, machine, by(FLAG, a, b), target=by(FLAG, c, d))
    assert Pair.met == [(a, c), (b, d)]
    Pair.met.clear()
    reach(judge, machine, by(FLAG, a, b), target=by(OTHER, c, d))
    assert len(Pair.met) == 4


def test_many_combinations_are_cut_not_multiplied(judge: Judge, machine: Machine) -> None:
    left = choose([(equals(FLAG, i, True), Tensor(RAW, shape=(i,))) for i in range(8)])
    right_ = choose([(equals(OTHER, i, True), Tensor(RAW, shape=(i,))) for i in range(8)])
    reach(judge, machine, left, target=right_)
    assert LOSS in judge.judged
    assert judge.found == {}


# ---- counts ------------------------------------------------------------------------------


def test_a_loss_is_judged_when_some_alternative_is_known(judge: Judge, machine: Machine) -> None:
    reach(judge, machine, Unknown("parameter of a function that nothing calls"))
    assert judge.seen == {LOSS: "parameter of a function that nothing calls"}
    reach(judge, machine, Unknown("another reason"))
    assert judge.seen == {LOSS: "parameter of a function that nothing calls"}
    reach(judge, machine, by(FLAG, right(), Unknown("")))
    assert (judge.seen, judge.judged) == ({}, {LOSS})
    reach(judge, machine, Unknown("a third context"))
    assert (judge.seen, judge.judged) == ({}, {LOSS})


@pytest.mark.parametrize(
    ("value", "is_known"),
    [
        (right(), True),
        (wrong(), True),
        (Tensor(ANY), False),
        (Tensor(FROM_DATA), False),
        (Unknown("lost"), False),
        (Const(1), False),
    ],
)
def test_what_counts_as_known(value: Value, is_known: bool) -> None:
    assert known(value) is is_known
    assert reason(value)


# ---- blame -------------------------------------------------------------------------------


def test_a_value_made_where_the_loss_is_stays_there() -> None:
    inner = frame(frame(), Place("main.py", 9))
    assert blame(LOSS, wrong(), inner) == LOSS


def test_a_parameter_leads_to_the_call() -> None:
    value = wrong()
    assert blame(LOSS, value, frame(frame(), Place("main.py", 9), value)) == Place("main.py", 9)


def test_a_parameter_of_a_parameter_leads_two_calls_out() -> None:
    value = wrong()
    middle = frame(frame(), Place("main.py", 9), value)
    inner = frame(middle, Place("losses.py", 3), value)
    assert blame(LOSS, value, inner) == Place("main.py", 9)


def test_a_value_made_in_the_middle_is_blamed_there() -> None:
    value = wrong()
    middle = frame(frame(), Place("main.py", 9))
    inner = frame(middle, Place("train.py", 3), value)
    assert blame(LOSS, value, inner) == Place("train.py", 3)


def test_shape_only_operations_keep_the_identity_and_so_the_blame() -> None:
    value = wrong()
    seen_from = frame(frame(), Place("main.py", 9), value)
    assert blame(LOSS, value.with_(shape=(8, 4)), seen_from) == Place("main.py", 9)


@pytest.mark.parametrize("value", [Unknown(""), Const(1)])
def test_what_is_no_tensor_is_blamed_on_the_loss(value: Value) -> None:
    assert blame(LOSS, value, frame(frame(), Place("main.py", 9))) == LOSS


def test_an_entry_point_has_no_call_to_blame() -> None:
    value = wrong()
    assert blame(LOSS, value, frame(None, None, value)) == LOSS
    assert blame(LOSS, value, None) == LOSS


def test_one_finding_for_a_place_in_however_many_contexts(judge: Judge, machine: Machine) -> None:
    for _ in range(200):
        reach(judge, machine, wrong())
    assert list(judge.found) == [("TLL900", LOSS)]


def test_two_callers_are_two_findings(judge: Judge, machine: Machine) -> None:
    for ordinal in (9, 12):
        value = wrong()
        reach(judge, machine, value, frame(frame(), Place("main.py", ordinal), value))
    assert [place.o for _, place in judge.found] == [9, 12]
    assert all(raw.loss_place == LOSS for raw in judge.found.values())


# ---- the flow ------------------------------------------------------------------------------


def test_the_flow_begins_with_the_cause() -> None:
    linear = Step(None, Place("model.py", 1), "a layer", RAW)
    softmax = Step(linear, Place("model.py", 2), "softmax", Domain(PROBS, "softmax", 1))
    back = Step(softmax, Place("train.py", 3), "comes back")
    steps = flow_of(wrong().with_(trail=back), None)
    assert [s.note for s in steps] == ["softmax", "comes back"]
    assert [s.note for s in flow_of(wrong().with_(trail=back), linear)] == [
        "a layer",
        "softmax",
        "comes back",
    ]


def test_a_long_flow_is_cut_and_a_place_is_named_once() -> None:
    step: Step | None = None
    for i in range(100):
        step = Step(step, Place("model.py", i // 2), "step")
    steps = flow_of(wrong().with_(trail=step), None)
    assert len(steps) == 12
    assert len({s.place for s in steps}) == 12
    assert flow_of(Unknown(""), None) == []
    assert flow_of(wrong(), None) == []


def test_no_guard_is_certain(judge: Judge, machine: Machine) -> None:
    reach(judge, machine, wrong())
    (raw,) = judge.found.values()
    assert [g for g, _ in raw.guards] == [NO_GUARD]
