"""TLL101."""

from __future__ import annotations

from collections.abc import Iterable
from math import e, log

from torchlosslint.flow.domain import LOGPROBS
from torchlosslint.rule import LossUse, Problem, Rule

from .common import CROSS_ENTROPY, classes, softmax_inside


class SoftmaxBeforeCrossEntropy(Rule):
    """Cross-entropy gets probabilities: softmax is applied twice.

    What it does
        Follows the input of CrossEntropyLoss / F.cross_entropy back to a softmax, by any spelling,
        through layers, helpers, files and shape-only operations. log_softmax of a softmax counts too.

    Why it is bad
        The loss applies log_softmax itself. Of probabilities it cannot fall below
        log(1 + (C - 1) / e), 1.46 for 10 classes, however good the model is, and its gradients
        shrink just where the model is most wrong. Training goes on, slowly and to a worse end.

    Example
        Wrong::

            return F.softmax(self.head(x), dim=1)      # in forward
            loss = nn.CrossEntropyLoss()(model(x), y)

        Right::

            return self.head(x)                        # raw scores
            loss = nn.CrossEntropyLoss()(model(x), y)
            probabilities = model(x).softmax(dim=1)    # for reports and predictions only

    When it is wrong to fix
        A published recipe that was tuned with the double softmax; say so in a suppression.
    """

    code = "TLL101"
    name = "softmax-before-cross-entropy"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.scores
        if tensor is None or not softmax_inside(tensor.dom):
            return
        twice = tensor.dom.kind == LOGPROBS
        if not twice and use.contract.key not in CROSS_ENTROPY:
            return
        count = classes(tensor)
        known = count is not None and count > 1
        number = log(1 + ((count if count and known else 10) - 1) / e)
        floor = f"{number:.2f} for {count} classes" if known else f"for instance {number:.2f} with 10 classes"
        how = tensor.dom.how or "softmax"
        if twice:
            what = f"{use.name} gets the log_softmax of a softmax"
        else:
            what = f"{use.name} applies log_softmax itself, and gets probabilities from {how}"
        harm = "the reported number is wrong" if use.no_grad else "its gradients shrink"
        yield Problem(
            f"{what}: softmax counts twice, so the loss cannot fall below log(1 + (C-1)/e) "
            f"({floor}) and {harm}.",
            "Give the loss the raw scores; apply softmax only where probabilities are reported.",
        )
