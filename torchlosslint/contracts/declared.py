"""Losses, models and activations that a configuration declares, in the shape of the known ones. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from torchlosslint.contracts import base
from torchlosslint.contracts.external import ExternalLoss

# What a loss wants, in the words of a configuration.
INPUTS: dict[str, str] = {
    "logits": base.LOGITS,
    "probabilities": base.UNIT_OR_PROBS,
    "log-probabilities": base.LOG_PROBS,
    "non-negative": base.NON_NEGATIVE,
    "any": base.ANY,
}
# What a model or an activation gives.
OUTPUTS: dict[str, str] = {
    "logits": base.LOGITS,
    "probabilities": base.PROBS,
    "independent-probabilities": base.UNIT,
    "log-probabilities": base.LOG_PROBS,
    "non-negative": base.NON_NEGATIVE,
    "any": base.ANY,
}


@dataclass(frozen=True, slots=True)
class DeclaredLoss:
    """What a declared loss wants of its input.

    name: dotted, as a program imports it. input: a key of INPUTS. arguments: of a call, in order;
    () for the loss's own parameters. argument: the one that is meant, the first where it is "".
    """

    name: str
    input: str
    arguments: tuple[str, ...] = ()
    argument: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredOutput:
    """What a call of a declared model, or of an activation, gives: a key of OUTPUTS, over dimension `dim`."""

    name: str
    output: str
    dim: int | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """All that one configuration declares."""

    losses: tuple[DeclaredLoss, ...] = ()
    models: tuple[DeclaredOutput, ...] = ()
    activations: tuple[DeclaredOutput, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.losses or self.models or self.activations)


def as_external(loss: DeclaredLoss) -> ExternalLoss:
    """A declared loss as a record of another library."""
    meant = loss.argument or loss.arguments[0]
    target = next((name for name in loss.arguments if name != meant), "")
    return ExternalLoss(
        name=loss.name,
        input=INPUTS[loss.input],
        target=base.ANY,
        call_params=(meant, target) if target else (meant,),
    )
