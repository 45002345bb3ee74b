"""TLL112."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import LOGPROBS
from torchlosslint.flow.values import DOTS, Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import not_log


class CtcInput(Rule):
    """CTCLoss gets something else than log-probabilities over the classes.

    What it does
        Follows the first argument of CTCLoss / F.ctc_loss back to raw scores, a softmax without its
        log, or a log_softmax over another dimension than the last. Its shape is (time, batch, classes).

    Why it is bad
        CTC adds up the probabilities of paths by exp() of its input and does not normalise. On raw
        scores the number is no likelihood (all scores 3 give a loss of -12), and since torch's gradient
        takes the input for normalised, it is wrong, at times in its sign.

    Example
        Wrong::

            loss = nn.CTCLoss()(self.head(x), targets, input_lengths, target_lengths)
            loss = F.ctc_loss(F.log_softmax(scores, dim=1), targets, input_lengths, target_lengths)

        Right::

            loss = F.ctc_loss(F.log_softmax(scores, dim=2), targets, input_lengths, target_lengths)

    When it is wrong to fix
        Never for torch's own CTC; other libraries' (warp-ctc) apply the softmax themselves, and are
        not looked at.
    """

    code = "TLL112"
    name = "ctc-input"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.input
        if use.contract.key != "ctc" or not isinstance(tensor, Tensor):
            return
        wrong = not_log(tensor)
        if wrong:
            yield Problem(
                f"{use.name} wants log-probabilities, and gets {wrong}: it does not normalise them, so the "
                "loss is no likelihood (it may fall below zero) and its gradient is wrong.",
                "Give it log_softmax of the scores over the last dimension, the classes.",
            )
        elif tensor.dom.kind == LOGPROBS and _over_another_dim(tensor):
            yield Problem(
                f"{use.name} wants (time, batch, classes) with log-probabilities over the classes, the last "
                f"dimension, and gets {tensor.dom.how or 'log_softmax'} over dimension {tensor.dom.dim}: "
                "the classes compete with nothing at their own time step.",
                "Take log_softmax over the classes (dim=-1 once the shape is (time, batch, classes)).",
            )


def _over_another_dim(tensor: Tensor) -> bool:
    dim, shape = tensor.dom.dim, tensor.shape
    if dim is None or dim == -1:
        return False
    rank = len(shape) if shape is not None and DOTS not in shape else None
    if dim < 0 or dim == 0:
        return rank is None or rank > 1
    return rank is not None and dim != rank - 1
