"""TLL501."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import by_module
from torchlosslint.flow.values import ExtObj
from torchlosslint.rule import Event, Problem, Rule

from .constructing import called_as, mistaken_for_a_function


class LossConstructorCalledWithTensors(Rule):
    """The constructor of a loss or an activation is given the tensors that the instance wants.

    What it does
        Looks at every loss and activation layer that is made: at arguments that are tensors where
        the constructor wants a setting, and at arguments that the constructor does not have.

    Why it is bad
        `nn.CrossEntropyLoss(output, target)` takes `output` for the weight and `target` for a setting.
        Nothing is computed: torch raises "Boolean value of Tensor with more than one value is ambiguous", or
        a module comes back that fails where it is used as a tensor.

    Example
        Wrong::

            loss = nn.MSELoss(output, target)
            probabilities = nn.Softmax(scores, dim=1)

        Right::

            loss = nn.MSELoss()(output, target)
            probabilities = torch.softmax(scores, dim=1)

    When it is wrong to fix
        Never seen.
    """

    code = "TLL501"
    name = "loss-constructor-called-with-tensors"
    severity = "error"

    def check_event(self, event: Event) -> Iterable[Problem]:
        made = event.value
        if event.kind != "construct" or not isinstance(made, ExtObj):
            return
        title = made.qual.rsplit(".", 1)[-1]
        if called_as(event) not in (title, "__init__"):
            return  # a class kept in a variable: TLL502
        how = mistaken_for_a_function(made)
        if not how:
            return
        contract = by_module(made.qual)
        end = "it raises" if how == "raises" else "it raises, or a module comes back that is no tensor"
        if contract is not None:
            function = contract.function.rsplit(".", 1)[-1]
            yield Problem(
                f"{title} is given the tensors when it is made: nothing is computed; {end}.",
                f"Make it once, then call it: criterion = nn.{title}(...); criterion(output, target)"
                + (f". Or call F.{function}(output, target)." if function else "."),
            )
        else:
            yield Problem(
                f"{title} is given its input when it is made: nothing is computed; {end}.",
                f"Call the layer that was made: nn.{title}(...)(x), or the function of torch of that name.",
            )
