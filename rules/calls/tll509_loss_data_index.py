"""TLL509."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.versions import INDEX_RAISES, NUMBERS_WITHOUT_DIMENSION, before, shown
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import loss_step


class LossDataIndex(Rule):
    """A loss that is one number is indexed like a vector.

    What it does
        Finds `loss.data[0]`, `loss[0]` on a loss without dimensions: one of torch, or the sum or mean of
        everything that backward() is called on.

    Why it is bad
        Until PyTorch 0.3 a loss was a vector of one element. Since 0.4 it has no dimension, and since 1.0
        indexing it raises an IndexError, in the first iteration that reports.

    Example
        Wrong::

            total += loss.data[0]

        Right::

            total += loss.item()

    When it is wrong to fix
        The code is meant for PyTorch 0.3 only (say so: `torch = "0.3"` in the configuration).
    """

    code = "TLL509"
    name = "loss-data-index"
    severity = "error"

    watches = frozenset({"picked", "backward"})

    def check_event(self, event: Event) -> Iterable[Problem]:
        if event.kind == "index" and not before(event.torch, NUMBERS_WITHOUT_DIMENSION):
            yield _problem(event)

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        """What is a loss by backward() alone: a sum or mean of everything."""
        picked = history.of("picked")
        losses = {e.value.uid for e in history.of("backward") if picked and isinstance(e.value, Tensor)}
        for event in picked:
            if isinstance(event.value, Tensor) and event.value.uid in losses:
                if not before(event.torch, NUMBERS_WITHOUT_DIMENSION):
                    yield event, _problem(event)


def _problem(event: Event) -> Problem:
    old = before(event.torch, INDEX_RAISES)
    then = f"torch warns, and raises an IndexError since {shown(INDEX_RAISES)}"
    return Problem(
        f"The loss is one number without dimensions: indexing it {then if old else 'raises an IndexError'}.",
        "Write loss.item().",
        severity="warning" if old else None,
        cause=loss_step(event.value),
    )
