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
from torchlosslint.finding import Severity
from torchlosslint.flow.values import Place, Step, Tensor, Value


@dataclass(slots=True)
class LossUse:
    """One torch loss reached with one combination of plain values.

    input, target: what the loss is given. config: the loss's own parameters by name
    (weight, reduction, ignore_index, ...), from the constructor and the call.
    training: the mode of the model where it is known, True otherwise.
    autocast: the device type of the enclosing autocast ("cuda", "cpu", "" unknown), None outside.
    name: the loss as the program calls it. no_grad: it is computed for a report only.
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

    @property
    def scores(self) -> Tensor | None:
        """The input where it is a tensor of which something is known."""
        return self.input if isinstance(self.input, Tensor) else None


@dataclass(slots=True)
class Event:
    """Something else that the interpreter saw. kind: "log" (the log of a tensor was taken),
    "softmax_to_argmax"; value: the tensor concerned, before the operation."""

    kind: str
    value: Tensor
    place: Place


@dataclass(slots=True)
class Problem:
    """What a rule has to say: what is wrong and why it hurts, what to write instead.

    cause: the step (activation, layer, cast) that a user would edit; the last one of the
    value's trail where None. severity: where it differs from the rule's own. tensor: the
    offending value (its trail becomes the flow); the loss input where None.
    """

    message: str
    help: str
    cause: Step | None = None
    severity: Severity | None = None
    tensor: Tensor | None = None


class Rule:
    """Base of all rules. The docstring of a rule has the sections "What it does",
    "Why it is bad", "Example" and "When it is wrong to fix"."""

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    default: ClassVar[bool] = True  # False: only when selected by name

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        """Problems of one loss use."""
        return ()

    def check_event(self, event: Event) -> Iterable[Problem]:
        """Problems of one other event."""
        return ()


def load_rules() -> list[Rule]:
    """All rules of all installed distributions (entry-point group `torchlosslint.rules`), by code.

    An entry point names a callable that returns the rules of its distribution.
    """
    found: dict[str, Rule] = {}
    for point in entry_points(group="torchlosslint.rules"):
        for rule in point.load()():
            found.setdefault(rule.code, rule)
    return [found[code] for code in sorted(found)]


def summary(rule: Rule | type[Rule]) -> str:
    """The first line of a rule's docstring."""
    return next(iter(lines(rule)), "")


def lines(rule: Rule | type[Rule]) -> Iterator[str]:
    """The docstring of a rule, dedented."""
    import inspect

    yield from (inspect.getdoc(rule if isinstance(rule, type) else type(rule)) or "").splitlines()
