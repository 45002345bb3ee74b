"""What the rules of this family share: which losses, and words for where a value came from."""

from __future__ import annotations

from torchlosslint.flow.domain import BOUNDED, LOGPROBS, LOGUNIT, POSITIVE, PROBS, Domain
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse

CROSS_ENTROPY = frozenset({"cross_entropy"})
WITH_SIGMOID = frozenset({"bce_with_logits", "multilabel_soft_margin"})
BCE = frozenset({"bce"})
NLL = frozenset({"nll"})
# Bounds at least this wide leave room for confident scores (soft caps, 10 * tanh).
WIDE = 5.0
# Activations that clip: what a network means as hidden, not as its last step.
_CLIPPING = (
    "relu",
    "hardtanh",
    "softplus",
    "clamp",
    "tanh",
    "softsign",
    "logsigmoid",
    "cosine",
    "nn.rnn",
    "nn.lstm",
)


def scores(use: LossUse, losses: frozenset[str]) -> Tensor | None:
    """The input of one of these losses, where it is a tensor."""
    if use.contract.key not in losses:
        return None
    return use.input if isinstance(use.input, Tensor) else None


def softmax_inside(dom: Domain) -> bool:
    """Probabilities over classes, or the log-softmax of such."""
    if dom.kind == PROBS:
        return True
    return (
        dom.kind == LOGPROBS
        and dom.base is not None
        and dom.base.kind == PROBS
        and "log_after" not in dom.flags
    )


def picked_from_softmax(dom: Domain) -> bool:
    """One class's probability out of a softmax."""
    return "picked" in dom.flags or (dom.base is not None and dom.base.kind == PROBS)


def clipping(dom: Domain) -> str:
    """How the scores were clipped or bounded; "" where they were not, or widely."""
    if "pooled" in dom.flags or "normalized" in dom.flags:
        return ""
    how = dom.how.lower()
    if dom.kind == POSITIVE:
        return dom.how if how.startswith(("relu", "softplus", "clamp", "nn.rnn", "exp")) else ""
    if dom.kind == LOGUNIT:
        return dom.how or "logsigmoid"
    if dom.kind == BOUNDED:
        low, high = dom.low, dom.high
        if (low is not None and low <= -WIDE) or (high is not None and high >= WIDE and how != "relu6"):
            return ""
        if how.startswith(_CLIPPING) or how.startswith(("nn.gru", "relu6")):
            return dom.how
    return ""


def classes(tensor: Tensor) -> int | None:
    """The number of classes of probabilities, where the shape tells."""
    shape, dim = tensor.shape, tensor.dom.dim
    if not shape or dim is None:
        return None
    try:
        size = shape[dim]
    except IndexError:
        return None
    return size if isinstance(size, int) else None
