"""TLL510."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import Const
from torchlosslint.rule import Event, Problem, Rule

from .common import loss_step


class LossAveraging(Rule):
    """The reported loss is averaged by the wrong count.

    What it does
        Follows the losses of batches that are added up over a loader to the division: means of batches by
        the number of samples, or sums of batches by the number of batches.

    Why it is bad
        A loss with reduction="mean" is averaged already, so the report is too small by the batch size:
        0.02 where 1.3 is meant, and another number for each batch size. Training itself is not touched,
        but runs are compared and learning rates chosen by this number.

    Example
        Wrong::

            for x, y in loader:
                total += F.cross_entropy(model(x), y).item()
            total /= len(loader.dataset)

        Right::

            for x, y in loader:
                total += F.cross_entropy(model(x), y, reduction="sum").item()
            total /= len(loader.dataset)

    When it is wrong to fix
        The batch size is always one.
    """

    code = "TLL510"
    name = "loss-averaging"
    severity = "warning"

    def check_event(self, event: Event) -> Iterable[Problem]:
        if event.kind != "average":
            return
        if event.data.get("samples") == Const(True):
            yield Problem(
                "Each loss is the mean of a batch, and their sum is divided by the number of samples: the "
                "reported loss is too small by the batch size.",
                "Divide by the number of batches, len(loader); or add loss.item() * len(x) for each batch.",
                cause=loss_step(event.value),
            )
        else:
            yield Problem(
                "Each loss is the sum over a batch, and their total is divided by the number of batches: "
                "the reported loss is too large by the batch size.",
                "Divide by the number of samples, len(loader.dataset).",
                cause=loss_step(event.value),
            )
