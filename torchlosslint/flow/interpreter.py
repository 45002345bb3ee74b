"""The interpreter: a machine with all its parts, and the entry points of a program."""

from __future__ import annotations

from collections.abc import Callable

from torchlosslint.flow import (
    attributes,
    between,
    calls,
    expressions,
    functions,
    instances,
    nn_modules,
    statements,
)
from torchlosslint.flow.facts import TRUTH, alternatives, choose, compatible, source, truthy
from torchlosslint.flow.iteration import length
from torchlosslint.flow.machine import MAX_STEPS, METHOD_STEPS, Machine
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.state import Diff
from torchlosslint.flow.values import (
    GROWN,
    MAX_ALTERNATIVES,
    NO_GUARD,
    Bound,
    Choice,
    ClassV,
    Const,
    DictV,
    Func,
    Guard,
    Instance,
    ListV,
    Place,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)
from torchlosslint.program.module import ModuleInfo


class Interpreter(Machine):
    """Binds the parts together; see `entries` for what it starts from."""

    # The functions themselves are the methods: one call less for each of very many.
    eval = expressions.evaluate
    exec = statements.exec_block
    assign = statements.assign
    call = calls.call
    get_attr = attributes.get_attr
    set_attr = attributes.set_attr

    def under(self, alternatives_: list[tuple[Guard, Value]], run: Callable[[Value], Value]) -> Value:
        live = [(g, v) for g, v in alternatives_ if compatible(g, self.facts)]
        if not live:
            return self.unknown("no path leads here")
        return self.branch_values([(g, lambda v=v: run(v)) for g, v in live])  # type: ignore[misc]

    def branch_values(self, options: list[tuple[Guard, Callable[[], Value]]]) -> Value:
        if len(options) == 1:
            return options[0][1]()
        saved, chosen = self.facts, self.chosen
        results: list[tuple[Guard, Value]] = []
        diffs: list[tuple[Guard, Diff]] = []
        self.steps += 2 * len(options)
        for guard, run in options:
            self.facts = saved | guard
            self.chosen = chosen | guard
            self.journal.branch()
            value = run()
            diffs.append((guard, self.journal.rollback()))
            results.append((guard, value))
        self.facts, self.chosen = saved, chosen
        self.journal.join(diffs)
        return choose(results)

    def distribute(self, values: list[Value], run: Callable[[list[Value]], Value]) -> Value:
        for value in values:
            if type(value) is Choice:
                break
        else:
            return run(values)
        rows: list[tuple[Guard, list[Value]]] = [(NO_GUARD, [])]
        for value in values:
            wider: list[tuple[Guard, list[Value]]] = []
            for guard, row in rows:
                for inner, alt in alternatives(value, self.facts):
                    if compatible(guard, inner):
                        wider.append((guard | inner, [*row, alt]))
            rows = wider
            if len(rows) > 2 * MAX_ALTERNATIVES:
                return self.unknown("more than eight alternatives")
        if not rows:
            return self.unknown("no path leads here")
        self.steps += len(rows) // 2
        return choose([(g, run(row)) for g, row in rows])

    def truth(self, value: Value) -> list[tuple[Guard, bool]]:
        kind = type(value)
        if kind is Const:
            return [(NO_GUARD, bool(value.value))]  # type: ignore[attr-defined]
        if kind is Choice:
            assert isinstance(value, Choice)
            out: list[tuple[Guard, bool]] = []
            for guard, alt in value.alts:
                if compatible(guard, self.facts):
                    out.extend((guard | g, b) for g, b in self.truth(alt) if compatible(guard, g))
            return _merged(out)
        if kind is Unknown:
            assert isinstance(value, Unknown)
            yes, no = truthy(value, True), truthy(value, False)
            may_yes, may_no = compatible(yes, self.facts), compatible(no, self.facts)
            if may_yes and not may_no:
                return [(NO_GUARD, True)]
            if may_no and not may_yes:
                return [(NO_GUARD, False)]
            return [(yes, True), (no, False)]
        if isinstance(value, (TupleV, ListV, DictV)):
            size = length(self, value)
            if isinstance(size, Const):
                return [(NO_GUARD, bool(size.value))]
            if type(value) is not ListV or GROWN not in value.attrs:
                return [(NO_GUARD, True)]
            value = size
        if isinstance(value, (Tensor, SymInt)):
            key = ("D", ("t", value.uid if isinstance(value, Tensor) else value))
            return [(frozenset(((key, TRUTH, True),)), True), (frozenset(((key, TRUTH, False),)), False)]
        return [(NO_GUARD, True)]

    def import_module(self, info: ModuleInfo) -> None:
        if info.state != "new":
            return
        info.state = "running"
        scope = self.module_scope(info)
        frame = Frame(info, scope)
        saved, self.facts = self.facts, NO_GUARD
        steps, limit = self.steps, self.limit
        self.steps, self.limit = 0, self.module_share.next(MAX_STEPS)
        statements.exec_block(self, info.body, frame)
        self.module_share.left -= self.steps
        self.steps, self.limit = steps, limit
        self.facts = saved
        info.state = "done"

    # ---- entries

    def run_module(self, info: ModuleInfo) -> None:
        """A module's top level, then its main block."""
        self.begin_entry()
        self.uncalled = False
        self.import_module(info)
        while info.main:
            block = info.main.pop(0)
            self.begin_entry()
            frame = Frame(info, self.module_scope(info))
            statements.exec_block(self, block.body, frame)

    def run_function(self, func: Func, limit: int | None = None) -> None:
        """A function that nothing called: its parameters are unknown, its defaults known."""
        self.begin_entry(limit or MAX_STEPS)
        self.uncalled = True
        frame = Frame(func.module, self.module_scope(func.module))
        place = Place(func.module.path, func.node.o)
        args: list[Value] = []
        if func.owner is not None and func.kind != "static":
            for receiver in (
                self.receivers(func.owner, place, frame) if func.kind != "class" else [func.owner]
            ):
                self.begin_entry(limit or METHOD_STEPS)
                self._run_method(func, receiver, place, frame)
            return
        result = functions.call_function(self, func, args, self._optional(func, {}), place, None)
        self.sink.event(self, "return", result, place, frame)

    def _optional(self, func: Func, given: dict[str, Value]) -> dict[str, Value]:
        """A default of None says "may be left out": both ways are looked at."""
        out = dict(given)
        for name, default in func.defaults.items():
            if isinstance(default, Const) and default.value is None and name not in out:
                out[name] = Unknown(
                    "parameter of a function that nothing calls", ("param", id(func.node), name), config=True
                )
        return out

    def _run_method(self, func: Func, receiver: Value, place: Place, frame: Frame) -> None:
        kwargs: dict[str, Value] = {}
        name = func.qualname.rsplit(".", 1)[-1]
        if isinstance(receiver, Instance):
            nn_modules.set_mode(self, receiver, name not in _EVALUATION)
            between.used(self, receiver)
            if name == "compute_loss" and "model" in receiver.attrs:
                # Hugging Face's Trainer hands its own model to this hook.
                kwargs["model"] = receiver.attrs["model"]
        result = functions.call_function(self, func, [receiver], self._optional(func, kwargs), place, None)
        self.sink.event(self, "return", result, place, frame)

    def receivers(self, cls: ClassV, place: Place, frame: Frame) -> list[Value]:
        """Instances to run a method on: those that the program made, else one with unknown arguments."""
        made = self.instances.get(id(cls))
        if made:
            return list(made[:-3:-1])
        return [instances.instantiate(self, cls, [], {}, place, None)]


# Hooks that frameworks run in evaluation mode.
_EVALUATION = frozenset({"validation_step", "test_step", "predict_step", "validation_epoch_end", "predict"})


def _merged(outcomes: list[tuple[Guard, bool]]) -> list[tuple[Guard, bool]]:
    if outcomes and all(b is outcomes[0][1] for _, b in outcomes):
        return [(NO_GUARD, outcomes[0][1])]
    return outcomes


__all__ = ["Bound", "Interpreter", "Scope", "source"]
