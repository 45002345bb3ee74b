"""What the rules about weights share."""

from __future__ import annotations

from collections.abc import Iterator

from torchlosslint.contracts import LossContract
from torchlosslint.flow.values import DOTS, Choice, Const, Tensor, Value
from torchlosslint.rule import LossUse

# Losses that choose one class among several, and take a weight for each.
CHOOSING = frozenset({"cross_entropy", "nll", "multi_margin"})


def options(value: Value) -> Iterator[Value]:
    """The alternatives of a value."""
    if isinstance(value, Choice):
        for _, alternative in value.alts:
            yield alternative
    else:
        yield value


def is_none(value: Value | None) -> bool:
    """Whether the value was left out or is None, whatever happens."""
    return value is None or all(isinstance(v, Const) and v.value is None for v in options(value))


def weights(contract: LossContract) -> list[str]:
    """The tensor-valued parameters of a loss that weigh its classes."""
    return [p.name for p in contract.parameters]


def unweighted(use: LossUse) -> bool:
    """Whether the loss was certainly given no weights."""
    return "**" not in use.config and all(is_none(use.config.get(name)) for name in weights(use.contract))


def size_of_classes(use: LossUse) -> int | None:
    """The number of classes of the scores of a loss with a class dimension, where it is known."""
    shape = use.input.shape if isinstance(use.input, Tensor) else None
    if not shape:
        return None
    if DOTS in shape:
        return None
    size = shape[0] if len(shape) == 1 else shape[1]
    return size if isinstance(size, int) and not isinstance(size, bool) else None
