"""TLL106."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import LOGPROBS, PROBS, SCORES
from torchlosslint.rule import LossUse, Problem, Rule

from .common import CROSS_ENTROPY, NLL, WITH_SIGMOID, clipping, scores

# Activations of hidden layers: before a softmax they are a mistake of their own, whatever the softmax is.
_HIDDEN = ("relu", "tanh")


class ClippedLogits(Rule):
    """The last step before a loss that wants raw scores bounds or clips them.

    What it does
        Looks at what last touched the input of cross-entropy, BCE-with-logits and
        MultiLabelSoftMarginLoss (or of the softmax right before): relu, tanh, hardtanh, softplus,
        logsigmoid, a narrow clamp, a bare nn.RNN/LSTM/GRU output, a cosine without temperature.
        Dropout on the scores is a warning.

    Why it is bad
        relu gives no gradient for every score below zero and no class can be ruled out; a bound of
        1 keeps the best probability over 10 classes at 0.45, so the loss cannot get small.

    Example
        Wrong::

            return F.relu(self.fc2(x))       # class scores
            out, _ = self.rnn(x)             # hidden_size = number of classes
            return out

        Right::

            return self.fc2(x)
            return self.head(out)            # a Linear after the recurrent layer

    When it is wrong to fix
        The bound is meant and wide (5 or more), or a learned scale follows; both are silent.
    """

    code = "TLL106"
    name = "clipped-logits"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = scores(use, CROSS_ENTROPY | WITH_SIGMOID | NLL)
        if tensor is None:
            return
        dom = tensor.dom
        before, cause = "", None
        if dom.kind in (PROBS, LOGPROBS) and dom.base is not None:
            before = f" before the {dom.how or 'softmax'}"
            dom = dom.base
            cause = next((s for s in tensor.trail or () if s.dom is not None and s.dom.how == dom.how), None)
            alone = tensor.dom.kind == LOGPROBS and use.contract.key == "nll"
            if not alone and not dom.how.lower().startswith(_HIDDEN):
                return  # TLL101, 102, 105 or 110 has said what is wrong
        elif use.contract.key == "nll":
            return
        how = clipping(dom)
        if how:
            bound = _bound(how)
            yield Problem(
                f"{use.name} wants unbounded scores, and gets what {how} {bound}{before}: "
                "wrong classes cannot be ruled out and gradients vanish where they are needed.",
                "Let a linear layer give the scores last; keep the activation between hidden layers.",
                cause=cause,
            )
        elif "dropout" in dom.flags and dom.kind == SCORES and not before:
            yield Problem(
                f"{use.name} gets scores after dropout: at random a class gets the score 0 "
                "in training, which makes the loss noisy and is not what dropout is for.",
                "Put dropout before the last linear layer.",
                severity="warning",
            )


def _bound(how: str) -> str:
    name = how.lower()
    if name.startswith(("relu", "softplus", "exp")):
        return "cut off below zero"
    if name.startswith("logsigmoid"):
        return "cut off above zero"
    return "bounded to a narrow range"
