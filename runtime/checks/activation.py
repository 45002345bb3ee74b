"""The activation before a loss, from the autograd graph: TLL101 to TLL114, TLL116, TLL117, TLL119."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from torchlosslint.contracts import base as b
from torchlosslint.runtime.call import Call
from torchlosslint.runtime.checks.trail import (
    AFFINE,
    LOG_SIGMOID,
    LOG_SOFTMAX,
    NO_SLOPE,
    SIGMOID,
    SOFTMAX,
    UNBOUNDED,
    UNKNOWN,
    Trail,
    trail,
)
from torchlosslint.runtime.findings import LIKELY, PROVED, Problem

WIDE = 5.0  # bounds at least this wide leave room for confident scores
RAW = "Give the loss the raw scores; apply {0} only where probabilities are reported."
_NARROW = frozenset(
    {"clamp", "hardtanh", "tanh", "relu", "softplus", LOG_SIGMOID, "an LSTM", "a GRU", "a recurrent layer"}
)
_NON_NEGATIVE = frozenset({"relu", "softplus", "exp"})


def activation(call: Call) -> Iterator[Problem]:
    """What the graph proves about the input."""
    if not isinstance(call.input, torch.Tensor) or call.contract.owns_layer:
        return
    found = trail(call.input, call.class_dim)
    if found.kind == UNKNOWN and not found.two_steps:
        if call.key in ("gaussian_nll", "kl_div"):
            yield from _others(call, found)
        return
    yield from _final(call, found)
    yield from _others(call, found)
    yield from _dimension(call, found)
    if found.kind == LOG_SOFTMAX and found.before == SOFTMAX:
        yield Problem(
            "TLL101",
            f"{call.name} gets the log_softmax of a softmax: softmax counts twice, and the gradients shrink.",
            RAW.format("softmax") if call.key == "cross_entropy" else "Apply log_softmax to the raw scores.",
            evidence=_graph(found),
        )
    if found.two_steps:
        yield Problem(
            "TLL116",
            f"{call.name} gets the log of a {'sigmoid' if found.kind == LOG_SIGMOID else 'softmax'} taken in "
            "two steps: where a probability is rounded to 0, its log is -inf and the gradient NaN.",
            "Say log_softmax, logsigmoid, or use the loss that takes raw scores.",
            evidence=_graph(found),
        )
    if found.kind in NO_SLOPE:
        yield Problem(
            "TLL119",
            f"{call.name} gets what {found.kind} gives, whose gradient is zero everywhere: nothing "
            "is learned.",
            f"Take {found.kind} only where predictions are reported.",
            evidence=_graph(found),
        )


def _graph(found: Trail) -> tuple[tuple[str, object], ...]:
    facts: tuple[tuple[str, object], ...] = (("graph", " <- ".join(found.steps)),)
    return facts if found.dim is None else (*facts, (f"{found.kind} dim", found.dim))


def _sure(found: Trail) -> str:
    """A softmax is proof where its dimension was followed to the classes of the loss."""
    lost = found.kind in (SOFTMAX, LOG_SOFTMAX) and found.over is None
    sure: str = LIKELY if lost else PROVED
    return sure


def _final(call: Call, found: Trail) -> Iterator[Problem]:
    kind, name = found.kind, call.name
    facts = _graph(found)
    if call.key == "cross_entropy":
        if kind == SOFTMAX:
            yield Problem(
                "TLL101",
                f"{name} applies log_softmax itself, and gets probabilities from softmax: softmax counts "
                f"twice, the loss cannot fall below {floor(call.classes or 2):.3f} and its gradients shrink.",
                RAW.format("softmax"),
                _sure(found),
                facts,
            )
        elif kind == LOG_SOFTMAX:
            yield Problem(
                "TLL102",
                f"{name} applies log_softmax itself, and gets log-probabilities: harmless, but done twice.",
                "Give it the raw scores, or use NLLLoss.",
                _sure(found),
                facts,
            )
        elif kind == SIGMOID:
            yield Problem(
                "TLL103",
                f"{name} wants raw scores, and gets what sigmoid squeezed into [0, 1]: no class can get far "
                "ahead of the others, and the loss stays high.",
                RAW.format("softmax"),
                evidence=facts,
            )
    elif call.key in ("bce_with_logits", "multilabel_soft_margin"):
        if kind == SIGMOID:
            yield Problem(
                "TLL104",
                f"{name} applies sigmoid itself, and gets numbers that sigmoid already put into [0, 1]: the "
                "second sigmoid maps them to [0.5, 0.73], so the model cannot learn to say no.",
                RAW.format("sigmoid"),
                evidence=facts,
            )
        elif kind == SOFTMAX:
            yield Problem(
                "TLL105",
                f"{name} applies sigmoid itself, and gets probabilities from softmax: sigmoid maps them to "
                "[0.5, 0.73], so the model cannot learn to say no.",
                "Give the loss the raw scores, or CrossEntropyLoss where one class is right.",
                evidence=facts,
            )
    elif call.key == "bce":
        yield from _bce(call, found)
    elif call.key in ("nll", "ctc"):
        yield from _log_probs(call, found)
    yield from _clipped(call, found)


def _bce(call: Call, found: Trail) -> Iterator[Problem]:
    kind, facts = found.kind, _graph(found)
    logs = kind in (LOG_SOFTMAX, LOG_SIGMOID) or (kind == "log" and found.two_steps)
    if kind in UNBOUNDED or kind in ("relu", "softplus", "exp") or logs:
        yield Problem(
            "TLL107",
            f"{call.name} wants probabilities, and gets {_spoken(found)}: it raises or learns nothing as "
            "soon as a number leaves [0, 1].",
            "Use BCEWithLogitsLoss on raw scores.",
            evidence=facts,
        )
    elif kind == SOFTMAX:
        size = found.size
        if size == 2 and _one_hot(call):
            return
        yield Problem(
            "TLL108",
            f"{call.name} asks yes or no for each class on its own, and gets softmax probabilities"
            + (f" over {size} classes" if size else "")
            + ", which compete: wrong classes are punished twice and log(0) is near.",
            "Where exactly one class is right, use CrossEntropyLoss on the raw scores; else "
            "BCEWithLogitsLoss.",
            evidence=facts,
            severity="error" if size is not None and size > 2 else "",
        )
    elif kind == SIGMOID and not call.autocast:
        yield Problem(
            "TLL109",
            f"{call.name} after sigmoid is right, but loses precision where the model is confident.",
            "Use BCEWithLogitsLoss on the raw scores, without the sigmoid.",
            evidence=facts,
        )


def _one_hot(call: Call) -> bool:
    """Whether the shape allows one-hot rows beside a softmax over two classes."""
    return isinstance(call.target, torch.Tensor) and call.target.shape == call.input.shape


def _log_probs(call: Call, found: Trail) -> Iterator[Problem]:
    if not _not_log(found):
        return
    tail = " The loss can fall below zero." if found.high > 0 else ""
    yield Problem(
        "TLL110" if call.key == "nll" else "TLL112",
        f"{call.name} wants log-probabilities, and gets {_spoken(found)}.{tail}",
        "Apply log_softmax over the classes first"
        + (", or use CrossEntropyLoss on the raw scores." if call.key == "nll" else " (the last dimension)."),
        evidence=_graph(found),
    )


def _not_log(found: Trail) -> bool:
    """Neither log-probabilities nor unknown: numbers that may be positive, or nothing but clipped scores."""
    return found.kind in UNBOUNDED or found.kind in (SOFTMAX, SIGMOID, "tanh", *_NON_NEGATIVE)


def _clipped(call: Call, found: Trail) -> Iterator[Problem]:
    scores = call.key in ("cross_entropy", "bce_with_logits", "multilabel_soft_margin")
    kind, low, high, before = found.kind, found.low, found.high, ""
    if found.before not in (UNKNOWN, SOFTMAX) and (scores or call.key == "nll"):
        kind, before = found.before, f" before the {found.kind}"
        low, high = (0.0, math.inf) if kind == "relu" else (-1.0, 1.0)
    elif not scores:
        return
    if kind == "dropout":
        yield Problem(
            "TLL106",
            f"{call.name} gets scores after dropout: at random a class gets the score 0 in training.",
            "Put dropout before the last linear layer.",
            evidence=_graph(found),
            severity="warning",
        )
    if kind not in _NARROW or -math.inf < low <= -WIDE:
        return
    relu_six = kind == "hardtanh" and low == 0
    if not relu_six and (WIDE <= high < math.inf or (kind == "clamp" and low == -math.inf and high >= WIDE)):
        return
    if kind == "clamp" and low <= -WIDE:
        return
    what = "cut off below zero" if low == 0 else "cut off above zero" if kind == LOG_SIGMOID else "bounded"
    yield Problem(
        "TLL106",
        f"{call.name} wants unbounded scores, and gets what {kind} {what}{before}: wrong classes cannot be "
        "ruled out and gradients vanish where they are needed.",
        "Let a linear layer give the scores last; keep the activation between hidden layers.",
        evidence=_graph(found),
    )


def _others(call: Call, found: Trail) -> Iterator[Problem]:
    """KL divergence, Poisson, Gaussian."""
    if call.key == "kl_div":
        yield from _divergence(call, found)
    elif call.key == "poisson_nll":
        logs = bool(call.config.get("log_input", True))
        if logs and found.kind in _NON_NEGATIVE:
            yield Problem(
                "TLL113",
                f"{call.name} takes the exp itself (log_input=True), and gets what {found.kind} gives: rates "
                "below one cannot be said.",
                "Give it the raw output, or say log_input=False.",
                evidence=_graph(found),
            )
        elif not logs and found.kind in UNBOUNDED:
            yield Problem(
                "TLL113",
                f"{call.name} wants rates (log_input=False), and gets {_spoken(found)}: the log of a "
                "negative number is NaN.",
                "Say log_input=True, or apply softplus or exp first.",
                evidence=_graph(found),
            )
    elif call.key == "gaussian_nll":
        var = call.args.get("var")
        made = trail(var, None)
        if made.kind in UNBOUNDED or (made.kind == "clamp" and made.low < 0):
            yield Problem(
                "TLL114",
                f"{call.name} wants a variance, and gets {_spoken(made)}, which may be negative: it "
                "raises then.",
                "Apply softplus or exp to the output of the variance.",
                evidence=_graph(made),
            )


def _divergence(call: Call, found: Trail) -> Iterator[Problem]:
    if _not_log(found):
        yield Problem(
            "TLL111",
            f"{call.name} wants log-probabilities as its input, and gets {_spoken(found)}.",
            "Apply log_softmax to the input.",
            evidence=_graph(found),
        )
    made = trail(call.target, None)
    wants_log = call.wants_target == b.LOG_PROBS
    if made.kind == LOG_SOFTMAX and not wants_log:
        wrong, instead = "log-probabilities", "Say log_target=True, or give it softmax."
    elif made.kind == SOFTMAX and wants_log:
        wrong, instead = (
            "probabilities, while log_target=True",
            "Leave log_target out, or give it log_softmax.",
        )
    elif made.kind in UNBOUNDED:
        wrong, instead = _spoken(made), "Apply softmax to the target."
    else:
        return
    yield Problem("TLL111", f"{call.name} gets a target of {wrong}.", instead, evidence=_graph(made))


def _dimension(call: Call, found: Trail) -> Iterator[Problem]:
    if found.kind not in (SOFTMAX, LOG_SOFTMAX) or found.dim is None:
        return
    facts = _graph(found)
    if found.size == 1:
        yield Problem(
            "TLL117",
            f"The {found.kind} before {call.name} runs over a dimension of size one: its result is constant.",
            "Use sigmoid for a single unit, or give the layer one unit for each class.",
            evidence=facts,
        )
    elif call.key == "ctc" and found.elsewhere:
        yield Problem(
            "TLL112",
            f"{call.name} wants log_softmax over the last dimension, and gets it over dimension {found.dim}.",
            "Say log_softmax(dim=-1) on scores of shape (T, N, C).",
            evidence=facts,
        )
    elif found.elsewhere or (found.over is None and found.first is not None and found.dim == found.first):
        if found.over is None and (call.input.dim() < 2 or call.contract.class_dim is not None):
            return
        yield Problem(
            "TLL117",
            f"The {found.kind} before {call.name} runs over dimension {found.dim}"
            + (" (the batch)" if found.dim == found.first else f", not over the classes ({found.over})")
            + ": each number depends on the other samples.",
            "Say dim=1 for scores of shape (N, C, ...), or the dimension that holds the classes.",
            certainty=PROVED if found.elsewhere else LIKELY,
            evidence=facts,
        )


def _spoken(found: Trail) -> str:
    if found.kind == AFFINE:
        return "the output of a linear layer (raw scores)"
    if found.kind in (SOFTMAX, SIGMOID):
        return f"probabilities from {found.kind} without their log"
    return f"what {found.kind} gives"


def floor(classes: int) -> float:
    """The lowest cross-entropy that probabilities can reach as scores: log(1 + (C - 1) / e)."""
    return math.log(1 + (classes - 1) / math.e)
