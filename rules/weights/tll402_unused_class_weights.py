"""TLL402."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import Const, ExtObj, Tensor, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import CHOOSING, size_of_classes, unweighted, weights

_INTENDED = ("weight", "balance")  # a tensor that nothing reads tells by its name alone what it was for


class UnusedClassWeights(Rule):
    """Class weights, or a criterion that was given some, never reach a loss.

    What it does
        Looks at criteria with weights that no loss is computed with, at computed class weights and tensors
        of one number a class that nothing reads while the loss over these classes has no weights, and at
        weights that a loss of the project's own applies only on the call that converts them.

    Why it is bad
        The imbalance was seen and dealt with, but the training does not know: it optimises the plain
        loss.

    Example
        Wrong::

            weights = torch.tensor([0.1, 0.9])
            criterion = nn.CrossEntropyLoss()

        Right::

            weights = torch.tensor([0.1, 0.9])
            criterion = nn.CrossEntropyLoss(weight=weights)

    When it is wrong to fix
        The weights belong to an experiment that is over: delete them.
    """

    code = "TLL402"
    name = "unused-class-weights"
    severity = "error"
    watches = frozenset({"unused", "loss", "backward"})

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        used = {use.made for use in history.losses}
        # A criterion that is left over in a script that only evaluates does no harm.
        trains = bool(history.of("backward"))
        for event in history.of("unused"):
            what, name = _text(event.data["what"]), _text(event.data["called"])
            value = event.value
            if what == "once":
                yield (
                    event,
                    Problem(
                        f"self.{name} is applied only inside the test that converts it: after the first call "
                        "the test is false, and the loss goes on without it.",
                        f"Convert self.{name} inside the test, and multiply by it after the test.",
                    ),
                )
            elif what == "criterion" and isinstance(value, ExtObj):
                if event.place in used or not trains:
                    continue
                title = value.qual.rsplit(".", 1)[-1]
                yield (
                    event,
                    Problem(
                        f"{name} is a {title} with class weights, and no loss is ever computed with it: the "
                        "weights have no effect.",
                        f"Train with {name}, or delete it.",
                    ),
                )
            elif what == "parameter":
                inner = _inside(history, event)
                if inner is None:
                    continue
                yield (
                    event,
                    Problem(
                        f"{_text(event.data['owner'])} is given {name} and never reads it: {inner.name} "
                        "inside is computed without weights.",
                        f"Hand {name} on to the loss inside: weight={name}.",
                    ),
                )
            elif what in ("literal", "computed"):
                plain = _plain_loss(history, value if what == "literal" else None)
                if plain is None or (what == "literal" and not any(w in name.lower() for w in _INTENDED)):
                    continue
                yield (
                    event,
                    Problem(
                        f"{name} holds class weights that nothing reads, and {plain.name} is computed "
                        "without weights: every class counts the same.",
                        f"Hand them to the loss: weight={name}, on the device of the scores.",
                    ),
                )


def _plain_loss(history: History, given: Value | None) -> LossUse | None:
    """A loss over classes that is given no weights; over as many classes as there are weights."""
    length = given.shape[0] if isinstance(given, Tensor) and given.shape else None
    for use in history.losses:
        if use.contract.key in CHOOSING and not use.no_grad and unweighted(use):
            if given is None or size_of_classes(use) in (None, length):
                return use
    return None


def _inside(history: History, event: Event) -> LossUse | None:
    """A loss without weights that the class itself computes, where none that it computes has weights."""
    path, first, last = (event.data[key] for key in ("path", "first", "last"))
    if not (isinstance(first, Const) and isinstance(last, Const)):
        return None
    found = [
        use
        for use in history.losses
        if use.place is not None
        and use.place.path == _text(path)
        and int(str(first.value)) <= use.place.o <= int(str(last.value))
        and "weight" in weights(use.contract)
    ]
    return found[0] if found and all(unweighted(use) for use in found) else None


def _text(value: Value) -> str:
    return str(value.value) if isinstance(value, Const) else ""
