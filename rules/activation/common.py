"""What the rules of this family share: which losses, and words for where a value came from."""

from __future__ import annotations

from torchlosslint.flow.domain import (
    BOUNDED,
    LOGPROBS,
    LOGUNIT,
    NUMBER,
    POSITIVE,
    PROBS,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.values import Const, Tensor
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
_NON_NEGATIVE = ("relu", "softplus", "exp", "clamp", "log(1+exp", "square", "abs")


def scores(use: LossUse, losses: frozenset[str]) -> Tensor | None:
    """The input of one of these losses, where it is a tensor."""
    if use.contract.key not in losses or not isinstance(use.input, Tensor):
        return None
    return None if drawn(use.input.dom) else use.input


def drawn(dom: Domain) -> bool:
    """Numbers from 0 to 1 that were drawn at random, as made-up scores are: no activation put them there."""
    return dom.kind == UNIT and dom.how in ("rand", "bernoulli")


def setting(use: LossUse, name: str) -> object:
    """The value of a parameter of the loss, its default where it is not given; Ellipsis where unknown."""
    given = use.config.get(name)
    if given is None:
        return use.contract.default(name)
    return given.value if isinstance(given, Const) else ...


def named(dom: Domain) -> str:
    """An activation whose result has a known range: what it gives, in words; "" for anything else.

    Features after pooling or a norm, and losses, are left out: whoever feeds these means them."""
    if dom.how == "loss" or dom.flags & {"pooled", "normalized"}:
        return ""
    if dom.kind == POSITIVE:
        clipped = dom.how.lower().startswith(
            ("relu", "softplus", "exp", "clamp", "log(1+exp", "square", "abs")
        )
        return f"what {dom.how} gives (no number below zero)" if clipped else ""
    if dom.kind == BOUNDED and dom.how and dom.low is not None and dom.high is not None:
        return f"what {dom.how} gives (numbers from {dom.low:g} to {dom.high:g})"
    return ""


def not_log(tensor: Tensor) -> str:
    """Why these numbers are no log-probabilities, in words; "" where they may be."""
    dom = tensor.dom
    if tensor.role == "loss" or dom.how == "loss":
        return ""
    if dom.kind == SCORES:
        return "raw scores"
    if dom.kind == PROBS or (dom.kind == UNIT and dom.how):
        return f"probabilities from {dom.how or 'softmax'} without their log"
    if dom.kind == NUMBER:
        return f"the number {dom.low:g}" if dom.low is not None and dom.low > 0 else ""
    if dom.kind == BOUNDED and (dom.high is None or dom.high <= 0):
        return ""
    return named(dom)


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
