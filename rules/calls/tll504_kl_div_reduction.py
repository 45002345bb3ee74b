"""TLL504."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.versions import REDUCTION, before
from torchlosslint.flow.values import Const
from torchlosslint.rule import LossUse, Problem, Rule


class KlDivReduction(Rule):
    """KLDivLoss averages over elements, not over the batch.

    What it does
        Looks at the reduction of nn.KLDivLoss / F.kl_div: `"mean"`, which is also the default.

    Why it is bad
        `"mean"` divides the sum by the number of elements, so the loss is too small by the number of
        classes: over 10 classes it is a tenth of the divergence, over a vocabulary of 30,000 it is
        next to nothing beside the other terms. The torch documentation says so and asks for
        `"batchmean"`.

    Example
        Wrong::

            loss = F.kl_div(student.log_softmax(1), teacher.softmax(1))

        Right::

            loss = F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")

    When it is wrong to fix
        The weight of this term was tuned with "mean": multiply it by the number of classes, or leave it.
    """

    code = "TLL504"
    name = "kl-div-reduction"
    severity = "warning"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        if use.contract.key != "kl_div":
            return
        for old in ("size_average", "reduce"):
            given = use.config.get(old)
            if given is not None and given != Const(None):
                return  # deprecated arguments decide, and have a rule of their own
        reduction = use.config.get("reduction")
        if reduction is not None and reduction != Const("mean"):
            return
        written = "reduction='mean'" if reduction is not None else "the default reduction"
        yield Problem(
            f"{use.name} with {written} divides by the number of elements: the loss is too small by the "
            "number of classes.",
            "Say reduction='sum', and divide by the number of samples."
            if before(use.torch, REDUCTION)
            else "Say reduction='batchmean', which is the divergence averaged over the batch.",
            place=use.made or use.place,
        )
