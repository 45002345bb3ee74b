"""TLL507."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import loss_step


class DetachedLoss(Rule):
    """An optimizer steps after a backward that leads through none of its parameters.

    What it does
        Follows what backward() leads through (modules, around detach() and no_grad) and compares it with
        the modules whose parameters the optimizer got. Silent where any of this is not known.

    Why it is bad
        The step changes nothing, or repeats what an old gradient says. The classic: the generator's loss
        is computed on `discriminator(fake.detach())`, so it trains the discriminator's gradients and
        never the generator.

    Example
        Wrong::

            loss_g = criterion(netD(fake.detach()), real_label)
            loss_g.backward()
            optimizer_g.step()

        Right::

            loss_g = criterion(netD(fake), real_label)
            loss_g.backward()
            optimizer_g.step()

    When it is wrong to fix
        The gradients are written by hand, in a way that the linter does not see.
    """

    code = "TLL507"
    name = "detached-loss"
    severity = "error"
    watches = frozenset({"idle"})

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        for event in history.of("idle"):
            yield (
                event,
                Problem(
                    "The gradient of this loss leads through none of the modules of the optimizer that steps "
                    "next: the step changes nothing, and what it was meant to train is not trained.",
                    "Do not detach what the optimizer shall train, or step the optimizer of what this loss "
                    "trains.",
                    cause=loss_step(event.value),
                ),
            )
