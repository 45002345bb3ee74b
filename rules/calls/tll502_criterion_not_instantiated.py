"""TLL502."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import by_function
from torchlosslint.flow.values import External, ExtObj
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .constructing import (
    by_its_name,
    called_as,
    like_a_call,
    mistaken_for_a_function,
    taken_for_the_loss,
)


class CriterionNotInstantiated(Rule):
    """A criterion is a loss class that was never made an instance, or a loss function called too early.

    What it does
        Follows loss classes through variables and arguments to where they are called with tensors,
        and looks at loss functions that are called without any.

    Why it is bad
        `criterion = nn.MSELoss` binds the class. `criterion(output, target)` then makes an instance with the
        tensors as settings, which raises; so does `criterion = F.cross_entropy()`.

    Example
        Wrong::

            criterion = nn.MSELoss
            loss = criterion(output, target)

        Right::

            criterion = nn.MSELoss()
            loss = criterion(output, target)

    When it is wrong to fix
        Never seen.
    """

    code = "TLL502"
    name = "criterion-not-instantiated"
    severity = "error"
    watches = frozenset({"construct", "backward"})

    def check_event(self, event: Event) -> Iterable[Problem]:
        if event.kind == "construct":
            yield from self._construct(event)
        elif event.kind == "loss_function":
            yield from self._function(event)

    def _construct(self, event: Event) -> Iterable[Problem]:
        made = event.value
        if not isinstance(made, ExtObj):
            return
        title, name = made.qual.rsplit(".", 1)[-1], called_as(event)
        if name not in (title, "__init__", "") and mistaken_for_a_function(made):
            yield _problem(name, title)

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        """Where backward() is called on what one such call made, all of its kind are meant so."""
        meant = {
            (made.qual, called_as(event))
            for event, made in taken_for_the_loss(history)
            if not by_its_name(event, made)
        }
        for event in history.of("construct") if meant else ():
            made, name = event.value, called_as(event)
            if isinstance(made, ExtObj) and (made.qual, name) in meant and name and like_a_call(made):
                yield event, _problem(name, made.qual.rsplit(".", 1)[-1])

    def _function(self, event: Event) -> Iterable[Problem]:
        value = event.value
        contract = by_function(value.qual) if isinstance(value, External) else None
        if contract is None or not isinstance(value, External) or "**" in event.data:
            return
        target = contract.function_target_arg or contract.target_arg
        tensors = {contract.function_input_arg or contract.input_arg, target, *contract.inputs}
        if tensors & event.data.keys():
            return
        name = value.qual.rsplit(".", 1)[-1]
        yield Problem(
            f"{name} is a function and computes at once: called without its tensors, it raises.",
            f"Keep the function itself (criterion = F.{name}), or make an instance of {contract.title}.",
        )


def _problem(name: str, title: str) -> Problem:
    return Problem(
        f"{name} is the class {title}, not an instance: calling it with tensors makes another "
        "instance with these as settings, which raises; no loss is computed.",
        f"Make the instance where the class is chosen: nn.{title}().",
    )
