"""TLL501."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import by_module
from torchlosslint.flow.values import ExtObj
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .constructing import by_its_name, mistaken_for_a_function, taken_for_the_loss


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
    watches = frozenset({"construct", "backward"})

    def check_event(self, event: Event) -> Iterable[Problem]:
        made = event.value
        if event.kind != "construct" or not isinstance(made, ExtObj):
            return
        # A class kept in a variable is TLL502's.
        if by_its_name(event, made):
            how = mistaken_for_a_function(made)
            if how:
                yield _problem(made, how)

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        """A loss module on which backward() is called was taken for the loss that it computes."""
        for event, made in taken_for_the_loss(history):
            if by_its_name(event, made):
                yield event, _problem(made, "tensors")


def _problem(made: ExtObj, how: str) -> Problem:
    title = made.qual.rsplit(".", 1)[-1]
    contract = by_module(made.qual)
    end = "it raises" if how == "raises" else "it raises, or a module comes back that is no tensor"
    if contract is not None:
        function = contract.function.rsplit(".", 1)[-1]
        return Problem(
            f"{title} is given the tensors when it is made: nothing is computed; {end}.",
            f"Make it once, then call it: criterion = nn.{title}(...); criterion(output, target)"
            + (f". Or call F.{function}(output, target)." if function else "."),
        )
    return Problem(
        f"{title} is given its input when it is made: nothing is computed; {end}.",
        f"Call the layer that was made: nn.{title}(...)(x), or the function of torch of that name.",
    )
