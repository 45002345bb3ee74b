"""TLL509."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.versions import INDEX_RAISES, NUMBERS_WITHOUT_DIMENSION, before, shown
from torchlosslint.rule import Event, Problem, Rule

from .common import loss_step


class LossDataIndex(Rule):
    """A loss that is one number is indexed like a vector.

    What it does
        Finds `loss.data[0]`, `loss[0]` on a loss without dimensions.

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

    def check_event(self, event: Event) -> Iterable[Problem]:
        if event.kind == "index" and not before(event.torch, NUMBERS_WITHOUT_DIMENSION):
            old = before(event.torch, INDEX_RAISES)
            then = f"torch warns, and raises an IndexError since {shown(INDEX_RAISES)}"
            yield Problem(
                "The loss is one number without dimensions: indexing it "
                f"{then if old else 'raises an IndexError'}.",
                "Write loss.item().",
                severity="warning" if old else None,
                cause=loss_step(event.value),
            )
