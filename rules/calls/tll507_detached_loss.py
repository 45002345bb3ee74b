"""TLL507."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import NO_ROOTS, Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import loss_step


class DetachedLoss(Rule):
    """A step that changes nothing, or a term of the loss that trains nothing: the graph is cut.

    What it does
        Follows what backward() leads through (modules, around detach() and no_grad) and compares it with
        the modules whose parameters the optimizer got. Also finds sums of losses that are back-propagated
        where one loss came through detach(), item() or torch.tensor(), and is nowhere back-propagated
        itself. Silent where any of this is not known.

    Why it is bad
        The step changes nothing, or repeats what an old gradient says. The classic: the generator's loss
        is computed on `discriminator(fake.detach())`, so it trains the discriminator's gradients and
        never the generator. A detached term of a sum is counted in the report, and optimized by nobody.

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
        The gradients are written by hand, in a way that the linter does not see; the term is there for the
        report only.
    """

    code = "TLL507"
    name = "detached-loss"
    severity = "error"
    watches = frozenset({"idle", "severed", "backward"})

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
        ends = NO_ROOTS.union(*(e.roots for e in history.of("backward")))
        for event in history.of("severed") if ends else ():
            losses = {("loss", place) for kind, place in event.roots if kind == "was"}
            if ("severed", event.place) in ends and losses.isdisjoint(ends):
                cut = event.value.cut if isinstance(event.value, Tensor) else ""
                yield (
                    event,
                    Problem(
                        f"{cut} cut this loss from its graph: in the sum that is back-propagated it is a "
                        "constant, and nothing is trained to make it smaller.",
                        "Add the loss itself; take its number for the report only.",
                        cause=loss_step(event.value),
                    ),
                )
