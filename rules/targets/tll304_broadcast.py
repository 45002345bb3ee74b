"""TLL304."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import RAISE, WARN
from torchlosslint.contracts.versions import BCE_SAME_SHAPE, before, shown
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import BY_SAMPLE, ELEMENTWISE, crossed, of_torch, pair, written


class Broadcast(Rule):
    """Predictions (N, 1) meet targets (N,): every prediction is compared with every target.

    What it does
        Looks at the shapes of what an elementwise loss, or a difference on its way to a loss, is given.

    Why it is bad
        Broadcasting makes (N, N) numbers out of (N, 1) and (N,). The loss still falls, towards the mean
        of the targets for every sample. BCELoss, BCEWithLogitsLoss and SoftMarginLoss raise; MSELoss,
        L1Loss, SmoothL1Loss and HuberLoss warn; the others and plain arithmetic say nothing.

    Example
        Wrong::

            loss = F.mse_loss(self.head(x), y)               # (N, 1) and (N,)

        Right::

            loss = F.mse_loss(self.head(x).squeeze(1), y)    # (N,) and (N,)

    When it is wrong to fix
        Where every pair is meant; then write it out with unsqueeze or expand on both sides.
    """

    code = "TLL304"
    name = "broadcast"
    severity = "error"
    watches = frozenset({"paired", "backward"})

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if scores is None or target is None or not of_torch(use):
            return
        if use.contract.target not in ELEMENTWISE or use.contract.key in BY_SAMPLE:
            return
        if not crossed(scores, target) and not crossed(target, scores):
            return
        what = use.contract.raises_on_size
        then = (
            "it raises"
            if what == RAISE
            else "torch warns, and compares every prediction with every target"
            if what == WARN
            else "torch says nothing, and compares every prediction with every target"
        )
        old = use.contract.key == "bce" and before(use.torch, BCE_SAME_SHAPE)
        if old:
            then = f"torch warns, and raises since {shown(BCE_SAME_SHAPE)}"
        help_text = (
            "Squeeze the last dimension of the predictions, or unsqueeze(1) the target."
            if crossed(scores, target)
            else "Squeeze the last dimension of the target, or unsqueeze(1) the predictions."
        )
        yield Problem(
            f"{use.name} gets predictions of shape {written(scores.shape)} and a target of shape "
            f"{written(target.shape)}: {then}.",
            help_text,
            severity="warning" if old else None,
            tensor=scores if crossed(scores, target) else target,
        )

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        ends = {place for e in history.of("backward") for kind, place in e.roots if kind == "paired"}
        for event in history.of("paired") if ends else ():
            column, row = event.value, event.data.get("other")
            # Two outputs of networks may be meant to be compared pair by pair.
            if event.place not in ends or not isinstance(column, Tensor) or not isinstance(row, Tensor):
                continue
            if column.grad is not False and row.grad is not False:
                continue
            shapes = f"{written(column.shape)} and {written(row.shape)}"
            yield (
                event,
                Problem(
                    f"The difference of {shapes} has every pair of them, and backward() goes through it: "
                    "torch says nothing, and every prediction is drawn towards every target.",
                    "Squeeze the last dimension of the one, or unsqueeze(1) the other.",
                    tensor=column,
                ),
            )
