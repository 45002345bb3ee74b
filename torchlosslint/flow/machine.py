"""The state of one interpretation and the operations that its parts ask of each other.

`Machine` is abstract: each folder-mate implements one part as functions over a machine, and
`interpreter.Interpreter` binds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torchlosslint.flow.declared import Declarations
from torchlosslint.flow.facts import compatible, narrow
from torchlosslint.flow.memo import Memory
from torchlosslint.flow.optimizers import Steps
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.state import Journal
from torchlosslint.flow.values import (
    NO_GUARD,
    ClassV,
    Func,
    Guard,
    Instance,
    Place,
    Unknown,
    Value,
    fresh_uid,
)
from torchlosslint.program.module import ModuleInfo
from torchlosslint.program.program import Program
from torchlosslint.syntax import ir

NORMAL, RETURN, BREAK, CONTINUE, RAISE = range(5)

MAX_DEPTH = 40  # calls within calls
MAX_STEPS = 12_000  # statements (and alternatives) an entry point
METHOD_STEPS = 4_000  # the same for a method that nothing calls
LEAST_STEPS = 25  # for one of very many entries, when the others have used the steps up
MAX_INSTANCES = 4  # of a class, that are remembered
TICKS = 4  # calls that cost as much as a statement
MANY_VALUES = 64  # that one call makes (a copy of something large) cost as much as a statement
LOSS_STEPS = 4  # for each way in which a loss is judged
PARTS = 16  # of something large, that cost as much as a statement where all are looked at
MAX_RECURSION = 2  # times one function may be on the stack


class Share:
    """A number of steps that several entries have together; most need less than their part."""

    __slots__ = ("entries", "left")

    def __init__(self, left: int, entries: int) -> None:
        self.left = left
        self.entries = entries

    def next(self, most: int) -> int:
        """The limit of the next entry."""
        share = 4 * self.left // max(self.entries, 1)
        self.entries -= 1
        return max(min(share, most), LEAST_STEPS)


class Sink(Protocol):
    """Who is told of losses and events (the rules' side of the engine)."""

    def loss(self, m: Machine, use: Any, frame: Frame) -> None:
        """A torch loss was reached."""

    def event(self, m: Machine, kind: str, value: Value, place: Place, frame: Frame, **data: Value) -> None:
        """Something else that a rule may look at."""


class Machine:
    """Abstract; see the module."""

    def __init__(self, program: Program, sink: Sink) -> None:
        self.program = program
        self.sink = sink
        self.journal = Journal()
        self.write = self.journal.write
        self.facts: Guard = NO_GUARD
        self.chosen: Guard = NO_GUARD  # the facts taken on by distributing over alternatives
        self.steps = 0
        self.limit = MAX_STEPS
        self.ticks = 0  # calls and elements so far: small parts of steps
        self.made_before = fresh_uid()  # values, when steps were last counted by calls
        self.containers: list[int] = []  # ids of the Sequentials that are running
        self.called: set[int] = set()  # ids of function nodes that something called
        # id of ClassV -> the latest instances made of it or of its subclasses
        self.instances: dict[int, list[Instance]] = {}
        self.counted: dict[int, int] = {}  # id of ClassV -> how many were made of it alone
        self.overlay: dict[Any, Value] = {}  # attributes written on unknown values
        self.heavy: set[int] = set()  # ids of the nodes of decorators that take too many steps
        self.module_share = Share(1 << 40, 1)  # of the steps of module top levels; see entries
        self.limited: set[str] = set()  # files in which the limit of steps was reached
        self.failures: dict[str, str] = {}  # files in which the interpreter itself failed
        self.stack: list[int] = []  # ids of function nodes that are running
        self.classes: list[ClassV] = []
        self.functions: list[Any] = []
        self.frame: Frame | None = None
        self.made: dict[tuple[str, Place], Value] = {}  # weights and weighted criteria, see flow.unused
        self.given: dict[Place, tuple[ClassV, Func, str]] = {}  # which parameter such weights are for
        # Where the classes of labels are counted, with the origin of the labels (see flow.origins).
        self.tallies: dict[tuple[Place, object], None] = {}
        self.moved: dict[int, object] = {}  # modules that were moved, by serial, and where: see flow.devices
        self.elsewhere = False  # tensors are not made on the CPU by default
        self.calling: ir.Expr | None = None  # what the latest call expression calls
        self.spreading = False  # whether it spreads a sequence or a mapping into arguments
        self.memory = Memory()
        self.idle: dict[int, int] = {}  # steps that functions took which gave only numbers, by id of the node
        self.reports = 0  # losses and events reached so far
        self.cuts = 0  # calls that were too deep to be followed
        self.declared: Declarations | None = None  # what the user's configuration says of losses and models
        self.entry = 0  # entry points begun
        self.uncalled = False  # whether this one is a function that nothing calls
        # The loops that are running: whether over the batches of a DataLoader, and its identity.
        self.loops: list[tuple[bool, object]] = []
        # The counter of the outermost one, and whether a path is taken for one of its values only.
        self.counter: tuple[Frame, str] | None = None
        self.once = False
        self.widening: list[int] = []  # when the running loops that are not unrolled began, by identities
        self.measured: set[int] = set()  # ids of the attributes of lists whose length decided something there
        self.steps_seen = Steps()
        self.backwards = 0  # calls of backward so far
        self.added_at: dict[Place, int] = {}  # how many there had been when a place last added a loss up
        self.propagated: set[object] = set()  # identities of what backward was called on, in this entry
        # Unknown values that were added to a sum, by identity; the sums to which backward() showed such a
        # value to be a loss.
        self.awaited: dict[object, list[tuple[Place, Frame]]] = {}
        self.sums: set[Place] = set()
        self.multiplied: set[Place] = set()  # quotients that are factors: `total / len(data) * batch_size`
        # Names (and attributes of unknown values) read while recording, where they stood, and their values.
        self.outside: list[tuple[dict[Any, Any], Any, Any]] | None = None

    # ---- small helpers, shared by all parts

    def note_instance(self, obj: Instance) -> None:
        """Remember an instance (the first few of each class) for methods that nothing calls."""
        count = self.counted.get(id(obj.cls), 0)
        if count < MAX_INSTANCES:
            self.counted[id(obj.cls)] = count + 1
            for klass in obj.cls.mro:
                if isinstance(klass, ClassV):
                    made = self.instances.setdefault(id(klass), [])
                    made.append(obj)
                    del made[:-MAX_INSTANCES]

    def exhausted(self) -> bool:
        """Whether the entry point has used its budget."""
        return self.steps > self.limit

    def tick(self) -> bool:
        """Count a call or an element, which no statement accounts for; whether the budget is used up."""
        self.ticks += 1
        if not self.ticks % TICKS:
            made, self.made_before = self.made_before, fresh_uid()
            self.steps += 1 + (self.made_before - made) // MANY_VALUES
        return self.steps > self.limit

    def spend(self, parts: int) -> None:
        """Count the parts of something large that one operation looks at."""
        self.steps += parts // PARTS

    def begin_entry(self, limit: int = MAX_STEPS) -> None:
        """Start the budget of a new entry point."""
        self.steps = 0
        self.entry += 1
        self.propagated.clear()
        self.added_at.clear()
        self.awaited.clear()
        self.sums.clear()
        self.loops.clear()
        self.once = False
        self.widening.clear()
        self.measured.clear()
        self.steps_seen.begin()
        self.limit = limit
        self.facts = NO_GUARD
        self.chosen = NO_GUARD
        self.stack.clear()
        self.containers.clear()

    def unknown(self, reason: str, like: Value | None = None) -> Unknown:
        """A new unknown; the reason of `like` is kept where that is unknown already."""
        if isinstance(like, Unknown):
            return Unknown(like.reason)
        return Unknown(reason)

    def consistent(self, guard: Guard) -> bool:
        """Whether a guard may hold here."""
        return compatible(guard, self.facts)

    def read(self, value: Value) -> Value:
        """A stored value, as far as the path leaves a choice."""
        return narrow(value, self.facts)

    def under(self, alternatives: list[tuple[Guard, Value]], run: Callable[[Value], Value]) -> Value:
        """Run an operation for each alternative as a branch of its own; join state and results."""
        raise NotImplementedError

    def branch_values(self, options: list[tuple[Guard, Callable[[], Value]]]) -> Value:
        """Run each option as a branch under its guard; join state and results."""
        raise NotImplementedError

    def distribute(self, values: list[Value], run: Callable[[list[Value]], Value]) -> Value:
        """Run a pure operation for each consistent combination of alternatives; join the results."""
        raise NotImplementedError

    # ---- the parts

    def eval(self, expr: ir.Expr, frame: Frame) -> Value:
        """The value of an expression."""
        raise NotImplementedError

    def exec(self, body: list[ir.Stmt], frame: Frame) -> int:
        """Run statements; say how they were left."""
        raise NotImplementedError

    def assign(self, target: ir.Expr, value: Value, frame: Frame) -> None:
        """Bind a target."""
        raise NotImplementedError

    def call(
        self, callee: Value, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
    ) -> Value:
        """Call any value."""
        raise NotImplementedError

    def call_method(self, obj: Value, name: str, args: list[Value], place: Place, frame: Frame) -> Value:
        """Call a method by name."""
        return self.call(self.get_attr(obj, name, place), args, {}, place, frame)

    def get_attr(self, obj: Value, name: str, place: Place) -> Value:
        """Read an attribute."""
        raise NotImplementedError

    def set_attr(self, obj: Value, name: str, value: Value) -> None:
        """Write an attribute."""
        raise NotImplementedError

    def truth(self, value: Value) -> list[tuple[Guard, bool]]:
        """The ways in which a value may be true or false here."""
        raise NotImplementedError

    def import_module(self, info: ModuleInfo) -> None:
        """Run a module's top level once."""
        raise NotImplementedError

    def module_scope(self, info: ModuleInfo) -> Scope:
        """The scope of a module."""
        if info.scope is None:
            info.scope = Scope(info.globals, None)
        scope: Scope = info.scope
        return scope
