"""Between the interpreter and the rules: takes alternatives apart, asks the rules, weighs the answers.

Confidence is judged per context. A finding takes its best context: `certain` where every
alternative breaks the contract, `likely` where a choice by configuration does or where the
other alternatives are unknown, `possible` where the choice is on data and another alternative
keeps the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from torchlosslint.finding import Confidence, Severity
from torchlosslint.flow.domain import DATA, UNKNOWN
from torchlosslint.flow.facts import alternatives, compatible, is_config, merged, present
from torchlosslint.flow.losses import LossReached
from torchlosslint.flow.machine import LOSS_STEPS, Machine
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.training import roots_of
from torchlosslint.flow.values import NO_GUARD, Choice, Const, Guard, Place, Step, Tensor, Unknown, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

MAX_COMBINATIONS = 24
MAX_KEPT = 16  # events of one kind at one place
# Notes on what happens inside of the call that a finding is put at: of a loss, of an event by its kind.
CALLED = "the torch loss is called here"
INSIDE = {"threshold": "it is compared or rounded here", "backward": "backward() is called here"}
# What an operation alone tells, whoever calls it: reported where it stands, and no bar to remembering
# the calls in which it happened.
PURE = frozenset("log argmax match chosen threshold construct loss_function unused counted sampler".split())


@dataclass(slots=True)
class Raw:
    """A finding before it has positions: what was said first, and the guards under which it holds."""

    rule: Rule
    place: Place
    problem: Problem
    steps: list[Step]
    loss_place: Place | None
    severity: Severity
    inside: str = CALLED  # what is said of `loss_place`
    guards: list[tuple[Guard, bool]] = field(default_factory=list)  # guard, and whether it takes two options


class Judge:
    """The sink of one interpretation."""

    def __init__(
        self, rules: Iterable[Rule], torch: Callable[[str], tuple[int, int] | None] | None = None
    ) -> None:
        self.rules = list(rules)
        self.on_loss = [r for r in self.rules if type(r).check_loss is not Rule.check_loss]
        self.on_event = [r for r in self.rules if type(r).check_event is not Rule.check_event]
        self.torch = torch  # for a file, the version of torch that it runs on
        self.found: dict[tuple[str, Place], Raw] = {}
        self.seen: dict[Place, str] = {}  # loss calls not judged, with the reason
        self.judged: set[Place] = set()
        self.good: dict[Place, list[Guard]] = {}
        self.watched = frozenset[str]().union(*(rule.watches for rule in self.rules))
        self.history = History()
        self.contexts: dict[int, tuple[Guard, Place]] = {}  # by id of what the history holds
        self.kept: dict[tuple[str, Place | None], set[object]] = {}

    # ---- told by the interpreter

    def loss(self, m: Machine, use: LossReached, frame: Frame) -> None:
        """A loss was reached in one context."""
        m.reports += 1
        combos: list[tuple[Guard, Value, Value]] = []
        for gi, left in alternatives(use.input, m.facts):
            for gt, right in alternatives(use.target, m.facts):
                # What a loss is given as its target is there, and so is what that was taken from.
                if compatible(gi, gt) and compatible(gi | gt | m.facts, present(right)):
                    combos.append((gi | gt, left, right))
        combos = combos[:MAX_COMBINATIONS]
        contract = use.contract
        own = (contract.input_arg, contract.function_input_arg)
        further = [n for n in contract.inputs if n not in own and isinstance(use.given.get(n), Choice)]
        if not any(known(left) for _, left, _ in combos):
            if use.place not in self.judged:
                self.seen.setdefault(use.place, reason(use.input))
        else:
            self.judged.add(use.place)
            self.seen.pop(use.place, None)
        answers: list[tuple[Guard, Value, list[tuple[Rule, Problem]]]] = []
        m.steps += LOSS_STEPS * len(combos)
        for guard, left, right, given in _with_args(combos, use, further, m.facts):
            loss_use = LossUse(
                use.contract,
                left,
                right,
                use.config,
                use.place,
                True,
                frame.autocast,
                use.name,
                frame.no_grad,
                given,
                use.made,
                m.entry,
                use.declared,
                self.torch(use.place.path) if self.torch is not None else None,
            )
            if self.watched and self._counted("loss", use.place, left):
                self.history.losses.append(loss_use)
                self.contexts[id(loss_use)] = (guard | m.chosen, blame(use.place, left, frame))
            said = [(rule, problem) for rule in self.on_loss for problem in rule.check_loss(loss_use)]
            answers.append((guard, left, said))
        for guard, left, said in answers:
            if not said and known(left):
                for where in {use.place, blame(use.place, left, frame)}:
                    self.good.setdefault(where, []).append(guard | m.chosen)
        for guard, left, said in answers:
            far = len(_options(guard | m.chosen | m.facts)) > 1
            for rule, problem in said:
                # Two options set against each other, where another choice is sound: hardly anybody's run.
                odd = far and any(known(o) and all(r is not rule for r, _ in s) for _, o, s in answers)
                tensor = problem.tensor if problem.tensor is not None else left
                place = blame(use.place, tensor, frame)
                self._note(rule, problem, tensor, place, use.place, guard | m.chosen, odd)

    def event(self, m: Machine, kind: str, value: Value, place: Place, frame: Frame, **data: Value) -> None:
        """Something else that a rule may look at."""
        if kind not in PURE:
            m.reports += 1
        watched = kind in self.watched
        for guard, plain in alternatives(value, m.facts):
            blamed = blame(place, plain, frame)
            event = Event(kind, plain, place, data, frame.no_grad, frame.autocast, blamed, m.entry)
            event.uncalled = m.uncalled
            if self.torch is not None:
                event.torch = self.torch(place.path)
            if kind not in PURE:
                event.roots = roots_of(plain)
            if watched and self._counted(kind, place, plain, data):
                self.history.events.append(event)
                self.contexts[id(event)] = (guard | m.chosen, blamed)
            for rule in self.on_event:
                for problem in rule.check_event(event):
                    at = place if kind in PURE else blamed
                    self._note(rule, problem, plain, at, None, guard | m.chosen, False)

    def finish(self) -> None:
        """The program has been run: ask the rules that look at several events together."""
        for rule in self.rules:
            for seen, problem in rule.check_program(self.history):
                guard, place = self.contexts[id(seen)]
                value = seen.value if isinstance(seen, Event) else seen.input
                tensor = problem.tensor if problem.tensor is not None else value
                inside = INSIDE.get(seen.kind, "it happens here") if isinstance(seen, Event) else CALLED
                self._note(rule, problem, tensor, place, seen.place, guard, False, inside)
        self.history = History()
        self.contexts.clear()

    def _counted(
        self, kind: str, place: Place | None, value: Value, data: dict[str, Value] | None = None
    ) -> bool:
        """Whether an event is news: another value at its place, of which a few are kept."""
        roots = value.roots if isinstance(value, Tensor) else None
        kept = self.kept.setdefault((kind, place), set())
        facts = tuple(v for v in (data or {}).values() if isinstance(v, Const))
        key = (value if isinstance(value, (Tensor, Const, Unknown)) else type(value), roots, facts)
        if key in kept or len(kept) >= MAX_KEPT:
            return False
        kept.add(key)
        return True

    # ---- the answers

    def _note(
        self,
        rule: Rule,
        problem: Problem,
        tensor: Value,
        place: Place,
        loss_place: Place | None,
        guard: Guard,
        odd: bool,
        inside: str = CALLED,
    ) -> None:
        place = problem.place or place
        key = (rule.code, place)
        raw = self.found.get(key)
        if raw is None:
            steps = flow_of(tensor, problem.cause)
            raw = Raw(rule, place, problem, steps, loss_place, problem.severity or rule.severity, inside)
            self.found[key] = raw
        if len(raw.guards) < 64:
            raw.guards.append((guard, odd))

    def confidence(self, raw: Raw) -> Confidence:
        """The best context's confidence."""
        guards = merged([g for g, _ in raw.guards])
        if NO_GUARD in guards:
            return "certain"
        if all(odd for _, odd in raw.guards):
            return "possible"
        if any(all(is_config(f) for f in g) for g in guards):
            return "likely"
        good = self.good.get(raw.loss_place, []) if raw.loss_place is not None else []
        if raw.place != raw.loss_place:
            good = good + self.good.get(raw.place, [])  # of other losses that the same call may come to
        for guard in guards:
            data = frozenset(f for f in guard if not is_config(f))
            if not any(not compatible(data, h) for h in good):
                return "likely"
        return "possible"


def _options(guard: Guard) -> set[object]:
    """The options that must have one certain value for the guard to hold."""
    return {
        fact[0]
        for fact in guard
        if fact[2] and is_config(fact) and isinstance(fact[1], tuple) and fact[1][0] in ("=", "in")
    }


def _with_args(
    combos: list[tuple[Guard, Value, Value]], use: LossReached, names: list[str], facts: Guard
) -> list[tuple[Guard, Value, Value, dict[str, Value]]]:
    """The combinations with the alternatives of these further arguments taken apart as well."""
    out = [(guard, left, right, use.given) for guard, left, right in combos]
    for name in names:
        out = [
            (guard | found, left, right, {**given, name: value})
            for guard, left, right, given in out
            for found, value in alternatives(use.given[name], facts)
            if compatible(guard, found)
        ][:MAX_COMBINATIONS]
    return out


def known(value: Value) -> bool:
    """Whether something is known of the numbers of a loss's input."""
    return isinstance(value, Tensor) and value.dom.kind not in (UNKNOWN, DATA)


def reason(value: Value) -> str:
    """Why a loss input is not known."""
    if isinstance(value, Unknown):
        return value.reason
    if isinstance(value, Choice):
        return reason(value.alts[0][1])
    if isinstance(value, Tensor):
        return "arithmetic or an operation that loses track of the numbers"
    return "not a tensor"


def blame(place: Place, tensor: Value, frame: Frame | None) -> Place:
    """The call at which the value enters: parameters are followed outward."""
    if not isinstance(tensor, Tensor):
        return place
    while frame is not None and tensor.uid in frame.entered and frame.place is not None:
        place = frame.place
        frame = frame.caller
        if frame is None:
            break
    return place


def flow_of(tensor: Value, cause: Step | None) -> list[Step]:
    """The steps from the cause on, oldest first, without repeated places."""
    steps: list[Step] = []
    if isinstance(tensor, Tensor) and tensor.trail is not None:
        final = (tensor.dom.kind, tensor.dom.how)
        for step in tensor.trail:
            made = step.dom
            if made is not None and (made.kind, made.how) != final and steps and cause is None:
                break
            if not steps or steps[-1].place != step.place:
                steps.append(step)
            if step is cause or len(steps) >= 12:
                break
        # What only handed an earlier value on, before the cause, would mislead.
        while len(steps) > 1 and steps[-1].dom is None and any(s.dom is not None for s in steps):
            steps.pop()
    steps.reverse()
    return steps
