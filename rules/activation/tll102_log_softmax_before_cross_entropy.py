"""TLL102."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import LOGPROBS
from torchlosslint.rule import LossUse, Problem, Rule

from .common import CROSS_ENTROPY, scores, softmax_inside


class LogSoftmaxBeforeCrossEntropy(Rule):
    """Cross-entropy gets log-probabilities: harmless, but the work is done twice.

    What it does
        Follows the input of CrossEntropyLoss / F.cross_entropy back to a log_softmax.

    Why it is bad
        log_softmax of log-probabilities gives them back unchanged, so the loss is right; the second
        pass over the scores is wasted, and the next reader may take the pair for NLLLoss.

    Example
        Wrong::

            loss = F.cross_entropy(F.log_softmax(scores, dim=1), y)

        Right::

            loss = F.cross_entropy(scores, y)
            loss = F.nll_loss(F.log_softmax(scores, dim=1), y)    # the same number

    When it is wrong to fix
        The log-probabilities are needed elsewhere as well and the cost does not matter.
    """

    code = "TLL102"
    name = "log-softmax-before-cross-entropy"
    severity = "warning"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, CROSS_ENTROPY)
        if tensor is None or tensor.dom.kind != LOGPROBS or softmax_inside(tensor.dom):
            return
        yield Problem(
            f"{use.name} applies log_softmax itself, and gets log-probabilities. "
            "The result is the same number (log_softmax twice changes nothing); the work is done twice.",
            "Give the loss the raw scores, or keep log_softmax and use NLLLoss.",
        )
