"""TLL401."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import Const, Tensor, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import CHOOSING, size_of_classes, unweighted


class MissingClassWeights(Rule):
    """A classification loss treats all classes alike.

    What it does
        Looks at the losses over several classes that a network is trained with and that are
        given no weights. Whether the classes are balanced is in the data, not in the code: this is a
        note, and shown only where the rule is selected (`--select TLL401`). The summary counts
        the places. Left out are losses that the program weighs itself (`reduction="none"`) and those
        in which every sample is a class of its own.

    Why it is bad
        Where one class has 95% of the samples, always predicting it is 95% right and has a small
        loss. The network learns that first, and the rare class last or never.

    Example
        Wrong::

            criterion = nn.CrossEntropyLoss()               # 950 samples of one class, 50 of the other

        Right::

            weights = torch.tensor([950 + 50, 950 + 50]) / (2 * torch.tensor([950.0, 50.0]))
            criterion = nn.CrossEntropyLoss(weight=weights)

    When it is wrong to fix
        The classes are balanced, the sampler balances them, or the rare ones do not matter.
    """

    code = "TLL401"
    name = "missing-class-weights"
    severity = "warning"
    quiet_notes = "classification losses without class weights"
    watches = frozenset({"loss"})

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        for use in history.losses:
            if use.contract.key not in CHOOSING or use.no_grad or not unweighted(use):
                continue
            if _each_its_own(use.target) or use.config.get("reduction") == Const("none"):
                continue
            count = size_of_classes(use)
            over = f" over {count} classes" if count is not None and count > 1 else ""
            yield (
                use,
                Problem(
                    f"{use.name or use.contract.title}{over} is given no class weights: where the classes "
                    "are imbalanced, the frequent ones decide what is learnt.",
                    "Count the classes of the training set. If they differ much, pass "
                    "weight=total / (classes * counts), or sample by class.",
                    severity="note",
                ),
            )


def _each_its_own(target: Value) -> bool:
    """Whether each sample of the batch is a class of its own, as in contrastive learning."""
    return isinstance(target, Tensor) and target.dom.how == "arange"
