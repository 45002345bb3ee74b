"""The shape of a record about another library: its losses and torch's distributions. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torchlosslint.contracts import base
from torchlosslint.contracts.base import LossContract, Switch

EXTERNAL = "external"
"""The key of the contracts that are made of records of other libraries."""


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


@lru_cache(maxsize=512)
def as_contract(loss: ExternalLoss) -> LossContract:
    """The record in the shape of torch's own losses.

    What the record does not say (target dtypes, shapes that broadcast) is left empty: no rule about
    these applies. `input` is the word without switches; `ExternalLoss.input_under` has the other.
    """
    title = loss.name.rsplit(".", 1)[-1]
    return LossContract(
        key=EXTERNAL,
        title=title,
        module="" if loss.is_function else loss.name,
        function=loss.name if loss.is_function else "",
        input=loss.input,
        target=base.ANY,
        doc="",
        module_params=() if loss.is_function else loss.params,
        function_params=loss.params if loss.is_function else (),
        forward_params=loss.call_params,
        input_arg=loss.call_params[0],
        target_arg=loss.call_params[1] if len(loss.call_params) > 1 else "",
        inputs=loss.call_params[:1],
        class_dim=loss.class_dim,
        raises_on_size="",
        on_broadcast="",
        integer_target="",
        bool_target="",
        double_target="",
        deprecated=(),
        defaults=loss.defaults,
    )


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
