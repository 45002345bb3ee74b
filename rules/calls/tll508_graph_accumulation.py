"""TLL508."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.values import NO_ROOTS, Const, Roots, Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import loss_step

_YES = Const(True)


class GraphAccumulation(Rule):
    """Losses are added up, or kept in a list, together with their graphs.

    What it does
        Finds `total += loss`, `total = total + loss` and `losses.append(loss)` that happen again and
        again on a loss with a graph, where that sum or list is never back-propagated itself.

    Why it is bad
        The sum holds on to every iteration's graph. backward() frees the large buffers but not the
        nodes, so memory grows with each batch and the epoch slows down; `plt.plot(losses)` raises on
        tensors that require a gradient.

    Example
        Wrong::

            for x, y in loader:
                loss = criterion(model(x), y)
                loss.backward()
                total += loss

        Right::

            total += loss.item()          # or loss.detach(), which does not wait for the GPU

    When it is wrong to fix
        The sum itself is what is back-propagated later, in a way that cannot be followed from here.
    """

    code = "TLL508"
    name = "graph-accumulation"
    severity = "warning"
    watches = frozenset({"accumulate", "backward", "return", "escape"})

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        backward = history.of("backward")
        propagated: Roots = NO_ROOTS.union(*(e.roots for e in backward))
        ends = [*history.of("return"), *history.of("escape")]
        out_of_sight: Roots = NO_ROOTS.union(*(e.roots for e in ends))
        grown = history.of("accumulate")
        sums = {("sum", event.place) for event in grown}
        for event in grown:
            own = ("sum", event.place)
            if own in propagated or not (sums - {own}) & event.roots <= propagated:
                continue  # meant; or a sum of sums, where the first one is to be mended
            losses = frozenset(root for root in event.roots if root[0] == "loss")
            same_run = [e for e in backward if e.entry == event.entry and e.data.get("retain_graph") != _YES]
            propagated_here = event.data.get("propagated") == _YES or any(losses & e.roots for e in same_run)
            if propagated_here and event.data.get("between") != _YES:
                continue  # the terms of one loss, gathered for a report
            if propagated_here:
                # Back-propagated in the same run: it has a graph for certain, and needs no second backward.
                grows = (
                    "until the sum is begun anew"
                    if event.data.get("reset") == _YES
                    else "all through the loop"
                )
                yield event, _problem(event, f"and backward does not let it go: memory grows {grows}")
            elif (
                isinstance(event.value, Tensor)
                and event.value.grad
                and losses
                and not losses & propagated
                and own not in out_of_sight
                and event.data.get("batches") == _YES  # not over the heads of one forward pass
                and not event.uncalled
            ):
                problem = _problem(
                    event, "and no backward frees it: memory grows by a whole forward pass each time"
                )
                problem.severity = "error"
                yield event, problem


def _problem(event: Event, why: str) -> Problem:
    return Problem(
        f"The loss is kept together with its graph in every iteration, {why}.",
        "Keep the number: loss.item(), or loss.detach() to stay on the device; where nothing is trained, "
        "put the loop under torch.no_grad().",
        cause=loss_step(event.value),
    )
