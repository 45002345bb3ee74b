"""All contracts of torch.nn, and how to find one by qualified name."""

from __future__ import annotations

from torchlosslint.contracts import classification, ranking, regression, sequence
from torchlosslint.contracts.base import LossContract

ALL: tuple[LossContract, ...] = (*classification.ALL, *regression.ALL, *ranking.ALL, *sequence.ALL)

_KEYS: dict[str, LossContract] = {c.key: c for c in ALL}
_MODULES: dict[str, LossContract] = {
    name: c for c in ALL for name in (c.module, *c.aliases, *c.deprecated_names) if name
}
_FUNCTIONS: dict[str, LossContract] = {
    name: c for c in ALL for name in (c.function, *(form.name for form in c.raw)) if name
}


def by_key(key: str) -> LossContract | None:
    """The contract with this key ("cross_entropy")."""
    return _KEYS.get(key)


def by_module(qual: str) -> LossContract | None:
    """The contract of a loss class by any of its qualified names."""
    return _MODULES.get(qual)


def by_function(qual: str) -> LossContract | None:
    """The contract of a loss function by any of its qualified names.

    The parameters of this very function are `contract.params_of(qual)`.
    """
    return _FUNCTIONS.get(qual)
