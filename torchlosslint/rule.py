"""The base of every rule, and what a rule is shown.

A rule is one file with one class. It looks at one use of a loss (`check_loss`) or at one
other event of the interpreter (`check_event`) and yields problems. Values that a rule is
shown are plain: the engine has taken alternatives apart, asks the rule for each, and makes
the confidence of the finding from the answers. Unknown values reach a rule too; a rule is
silent on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import ClassVar

from torchlosslint.contracts.base import LossContract
from torchlosslint.contracts.external import ExternalLoss
from torchlosslint.finding import Severity
from torchlosslint.flow.values import NO_ROOTS, Place, Roots, Step, Tensor, Value


@dataclass(slots=True, eq=False)
class LossUse:
    """One torch loss reached with one combination of plain values.

    input, target: what the loss is given. config: the loss's own parameters by name
    (weight, reduction, ignore_index, ...), from the constructor and the call.
    training: the mode of the model where it is known, True otherwise.
    autocast: the device type of the enclosing autocast ("cuda", "cpu", "" unknown), None outside.
    name: the loss as the program calls it. no_grad: it is computed for a report only.
    given: all arguments of the call by name, the input and the target included. Further ones among
    `contract.inputs` (GaussianNLL's var) are plain values; the rest may hold alternatives.
    made: where the criterion was constructed, None for a function. entry: see Event.
    declared: the loss as the user's configuration declares it. torch: the version that the code runs
    on, (major, minor), where the configuration says so.
    """

    contract: LossContract
    input: Value
    target: Value
    config: dict[str, Value] = field(default_factory=dict)
    place: Place | None = None
    training: bool = True
    autocast: str | None = None
    name: str = ""
    no_grad: bool = False
    given: dict[str, Value] = field(default_factory=dict)
    made: Place | None = None
    entry: int = 0
    declared: ExternalLoss | None = None
    torch: tuple[int, int] | None = None

    @property
    def scores(self) -> Tensor | None:
        """The input where it is a tensor of which something is known."""
        return self.input if isinstance(self.input, Tensor) else None


@dataclass(slots=True, eq=False)
class Event:
    """Something else that the interpreter saw.

    kind, value and the `data` beside it:
        "log": the log of `value` was taken. "argmax": its argmax.
        "chosen": the largest of `value`, and where it is, by max or topk.
        "match": `value`, indices of the largest scores, is compared for equality with `other`.
        "threshold": `value`, scores or their sigmoid, is compared with a `limit` in (0, 1), or rounded.
        "backward": called on `value` (which may be unknown); gradient, retain_graph where given.
        "accumulate": `value`, a loss, is added to what this place has added to before (total += loss,
            losses.append(loss)) in an earlier iteration; the sum's root is ("sum", place). propagated:
            whether backward was called on exactly this value before, and frees its graph. batches:
            whether the innermost loop is over the batches of a DataLoader. between: whether backward
            was called since this place last added.
        "average": `value`, a total of losses over the batches of a loader, is divided by a length: by the
            number of samples where the losses are means (samples), by that of batches where they are sums.
        "idle": an optimizer steps after backward() on `value`, which leads through none of its modules.
        "index": `value[index]` of a loss that is one number. "picked": the same of another number.
        "construct": `value`, a library's loss or activation, was made; `called`, the last part of the name
            that was called. `sampled`: it is a loader that draws by weights. "loss_function": `value`
            (External) was called, `data` by parameter name.
        "unused": `value` was made for a loss and is never read; what ("criterion" with weights, "counted" or
            "computed" class weights, "once": an attribute), called: the name that holds it.
        "counted": the classes of labels are counted here, and the counts are only shown; `value`: an unknown
            whose key is the origin of the labels (torchlosslint.flow.origins).
        "sampler": `value`, a loader, draws its samples by a sampler that may balance the classes.
        "paired": the difference of `value` (N, 1) and other (N,); the result's root is ("paired", place).
        "severed": `value`, a loss cut from its graph (its roots ("was", place) are the losses that it was),
            is added to one with a graph; the sum's root is ("severed", place).
        "return": an entry point that nothing calls gives `value` back.
        "escape": `value`, in which a sum of losses is, goes into a library that is not followed.
    value is plain: alternatives have been taken apart. blamed: `place`, or the call outward at which
    the value came in as a parameter. roots: what the gradient of the value, or of the parts of a
    container, leads through. torch: see LossUse. entry: counts entry points (a module's top level, a
    function that nothing calls: then `uncalled`), so that events of one run can be told from those of
    another.
    """

    kind: str
    value: Value
    place: Place
    data: dict[str, Value] = field(default_factory=dict)
    no_grad: bool = False
    autocast: str | None = None
    blamed: Place | None = None
    entry: int = 0
    uncalled: bool = False
    roots: Roots = NO_ROOTS
    torch: tuple[int, int] | None = None


@dataclass(slots=True)
class History:
    """What happened in one program, for rules that need more than one event at a time.

    events: those of the kinds that some rule `watches`, in order, equal ones at one place once.
    losses: the loss uses, at most a few for each place.
    """

    events: list[Event] = field(default_factory=list)
    losses: list[LossUse] = field(default_factory=list)

    def of(self, kind: str) -> list[Event]:
        """The events of one kind."""
        return [e for e in self.events if e.kind == kind]


@dataclass(slots=True)
class Problem:
    """What a rule has to say: what is wrong and why it hurts, what to write instead.

    cause: the step (activation, layer, cast) that a user would edit; the last one of the
    value's trail where None. severity: where it differs from the rule's own. tensor: the
    offending value (its trail becomes the flow); the loss input where None. place: where to report,
    where that is not the call at which the value enters.
    """

    message: str
    help: str
    cause: Step | None = None
    severity: Severity | None = None
    tensor: Tensor | None = None
    place: Place | None = None


class Rule:
    """Base of all rules. The docstring of a rule has the sections "What it does",
    "Why it is bad", "Example" and "When it is wrong to fix"."""

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    default: ClassVar[bool] = True  # False: only when selected by name
    quiet_notes: ClassVar[str] = ""  # notes are only counted, in these words, unless selected by name
    watches: ClassVar[frozenset[str]] = frozenset()  # kinds of events that check_program wants

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        """Problems of one loss use."""
        return ()

    def check_event(self, event: Event) -> Iterable[Problem]:
        """Problems of one other event."""
        return ()

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        """Problems that several events together show, each with the one where it is reported."""
        return ()


class RulesError(ValueError):
    """The rules of an installed package cannot be had."""


def load_rules() -> list[Rule]:
    """All rules of all installed distributions (entry-point group `torchlosslint.rules`), by code.

    An entry point names a callable that returns the rules of its distribution. Raises RulesError.
    """
    found: dict[str, Rule] = {}
    for point in entry_points(group="torchlosslint.rules"):
        try:
            for rule in point.load()():
                found.setdefault(rule.code, rule)
        except Exception as error:
            package = point.dist.name if point.dist is not None else point.value
            why = f"{type(error).__name__}: {error}"
            if getattr(error, "name", "") == "torchlosslint.rules":
                # The source folder shadows what is installed, and has its rules elsewhere.
                why += "; in the folder of the sources say `torchlosslint`, not `python -m torchlosslint`"
            raise RulesError(f"the rules of {package} ({point.value}) cannot be loaded: {why}") from error
    return [found[code] for code in sorted(found)]


def summary(rule: Rule | type[Rule]) -> str:
    """The first line of a rule's docstring."""
    return next(iter(lines(rule)), "")


def lines(rule: Rule | type[Rule]) -> Iterator[str]:
    """The docstring of a rule, dedented."""
    import inspect

    yield from (inspect.getdoc(rule if isinstance(rule, type) else type(rule)) or "").splitlines()
