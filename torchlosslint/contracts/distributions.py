"""torch.distributions that take probabilities or logits. Source: https://docs.pytorch.org/docs/stable/distributions.html."""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.external import Distribution

_TAIL = ("probs", "logits", "validate_args")


def _one(name: str, module: str, probs: str, params: tuple[str, ...] = _TAIL) -> Distribution:
    return Distribution(
        name=f"torch.distributions.{name}",
        aliases=(f"torch.distributions.{module}.{name}",),
        params=params,
        probs=probs,
        logits=(b.LOGITS, b.LOG_PROBS) if probs == b.PROBS else (b.LOGITS,),
    )


ALL: tuple[Distribution, ...] = (
    _one("Categorical", "categorical", b.PROBS),  # (N, C): probs are divided by their sum
    _one("OneHotCategorical", "one_hot_categorical", b.PROBS),
    _one("OneHotCategoricalStraightThrough", "one_hot_categorical", b.PROBS),
    _one("RelaxedOneHotCategorical", "relaxed_categorical", b.PROBS, ("temperature", *_TAIL)),
    _one("Multinomial", "multinomial", b.PROBS, ("total_count", *_TAIL)),
    _one("Bernoulli", "bernoulli", b.UNIT),
    _one("RelaxedBernoulli", "relaxed_bernoulli", b.UNIT, ("temperature", *_TAIL)),
    _one("ContinuousBernoulli", "continuous_bernoulli", b.UNIT, ("probs", "logits", "lims", "validate_args")),
    _one("Binomial", "binomial", b.UNIT, ("total_count", *_TAIL)),
    _one("NegativeBinomial", "negative_binomial", b.UNIT, ("total_count", *_TAIL)),
    _one("Geometric", "geometric", b.UNIT),
)

_NAMES = {name: d for d in ALL for name in (d.name, *d.aliases)}


def by_name(qual: str) -> Distribution | None:
    """The distribution by any of its qualified names."""
    return _NAMES.get(qual)
