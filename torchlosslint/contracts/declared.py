"""Losses, models and activations that a configuration declares, in the shape of the known ones. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from torchlosslint.contracts import base
from torchlosslint.contracts.base import Switch
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
    switches: settings of the loss (of its constructor; of the call of a function) under which it wants
    something else, the first that holds decides; their `input` is a key of INPUTS too. parameters: of
    the constructor, in order; () for its own where they are in sight.
    """

    name: str
    input: str
    arguments: tuple[str, ...] = ()
    argument: str = ""
    switches: tuple[Switch, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """The parameters that switches look at."""
        return tuple(dict.fromkeys(name for switch in self.switches for name, _ in switch.when))


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


def as_external(loss: DeclaredLoss, defaults: tuple[tuple[str, object], ...] = ()) -> ExternalLoss:
    """A declared loss as a record of another library. defaults: of the settings that switches look at,
    where they are in sight; where they are not, what is not set makes no switch hold."""
    meant = loss.argument or loss.arguments[0]
    target = next((name for name in loss.arguments if name != meant), "")
    return ExternalLoss(
        name=loss.name,
        input=INPUTS[loss.input],
        target=base.ANY,
        params=loss.settings,
        call_params=(meant, target) if target else (meant,),
        switches=tuple(Switch(switch.when, INPUTS[switch.input]) for switch in loss.switches),
        defaults=tuple({**dict.fromkeys(loss.settings), **dict(defaults)}.items()),
    )
