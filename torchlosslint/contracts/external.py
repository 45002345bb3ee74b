"""The shape of a record about another library: its losses and torch's distributions. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from torchlosslint.contracts import base
from torchlosslint.contracts.base import Switch


@dataclass(frozen=True, slots=True)
class ExternalLoss:
    """One loss of another library. Shapes: input (N, C, *), target as `target` says.

    name, aliases: qualified names of the class, or of the function where `is_function`.
    params: of the constructor; of the whole call for a function. call_params: of a call of the
        instance; the first is the input, the second the target.
    input: the word of base that the input must have; switches: where parameters change it.
    target, target_switches: the same for the target.
    one_of: some of the loss's terms always want logits; the others get probabilities only where
        one of these parameters is on.
    input_field: where the input argument is an object, its attribute that is meant.
    class_dim: the dimension of the classes, None where elementwise.
    defaults: of all parameters that have one.
    """

    name: str
    input: str
    target: str
    params: tuple[str, ...] = ()
    call_params: tuple[str, ...] = ("input", "target")
    aliases: tuple[str, ...] = ()
    is_function: bool = False
    switches: tuple[Switch, ...] = ()
    target_switches: tuple[Switch, ...] = ()
    one_of: tuple[str, ...] = ()
    input_field: str = ""
    class_dim: int | None = None
    defaults: tuple[tuple[str, object], ...] = ()

    def input_under(self, config: dict[str, object]) -> str:
        """The input word under these parameters; "any" where an unknown one decides.

        config: what the program sets; a parameter set to something unknown is mapped to Ellipsis,
        one that is not in it has its default.
        """
        full = {**dict(self.defaults), **config}
        return base.wanted(self.input, self.switches, {k: v for k, v in full.items() if v is not ...})


@dataclass(frozen=True, slots=True)
class Distribution:
    """A torch distribution that takes either `probs` or `logits`.

    name, aliases: qualified names. params: of the constructor. probs, logits: the words that
    these two arguments must have; log-probabilities are fine as logits over classes.
    """

    name: str
    params: tuple[str, ...]
    probs: str
    logits: tuple[str, ...]
    aliases: tuple[str, ...] = ()
