"""TLL402."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import Const, ExtObj, Tensor, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import CHOOSING, size_of_classes, unweighted, weights

# `how` of tensors that came of counting the classes.
_COUNTED = frozenset({"bincount", "compute_class_weight"})


class UnusedClassWeights(Rule):
    """Class weights, or a criterion that was given some, never reach a loss.

    What it does
        Looks at criteria with weights that no loss is computed with, at weights computed from the counts
        of the classes that nothing reads while the loss has none, at a number for each class (or computed
        weights) that a loss of the project's own is given and never reads, and at weights that such a
        loss applies only on the call that converts them.

    Why it is bad
        The imbalance was seen and dealt with, but the training does not know: it optimises the plain
        loss.

    Example
        Wrong::

            weights = 1 / torch.bincount(labels)
            criterion = nn.CrossEntropyLoss()

        Right::

            weights = 1 / torch.bincount(labels)
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
                        f"{_text(event.data['owner'])} is given a number for each class as {name} and never "
                        f"reads it: {inner.name} inside is computed without weights.",
                        f"Hand {name} on to the loss inside: weight={name}.",
                    ),
                )
            elif what in ("computed", "counted"):
                plain = next((u for u in history.losses if _plain(u)), None)
                if plain is None:
                    continue
                held = f"The class weights in {name}"
                if what == "counted":
                    held = f"The weights made of {name}, the counts of the classes,"
                yield (
                    event,
                    Problem(
                        f"{held} never reach a loss, and {plain.name} is computed without weights: every "
                        "class counts the same.",
                        "Hand them to the loss as weight=..., on the device of the scores.",
                    ),
                )


def _plain(use: LossUse) -> bool:
    """Whether this is a loss over classes that is given no weights."""
    return use.contract.key in CHOOSING and not use.no_grad and unweighted(use)


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
    if not found or not all(unweighted(use) for use in found):
        return None
    value = event.value
    if isinstance(value, Tensor) and value.dom.how in _COUNTED:
        return found[0]
    length = value.shape[0] if isinstance(value, Tensor) and value.shape else None
    return next((use for use in found if length is not None and size_of_classes(use) == length), None)


def _text(value: Value) -> str:
    return str(value.value) if isinstance(value, Const) else ""
