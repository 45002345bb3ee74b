"""TLL503."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import LossContract, by_function, by_module
from torchlosslint.contracts.versions import REDUCTION, before
from torchlosslint.flow.values import Const, External, ExtObj, Value
from torchlosslint.rule import Event, Problem, Rule

from .constructing import bound, options


class DeprecatedArgument(Rule):
    """A loss is given size_average or reduce, an old name of a reduction, or is itself an old class.

    What it does
        Looks at every loss that is made and every loss function that is called, whether or not a
        loss is computed with it.

    Why it is bad
        torch warns, and size_average and reduce win over `reduction=` without a word: a loss that
        says `reduction="sum", size_average=True` averages.

    Example
        Wrong::

            criterion = nn.MSELoss(size_average=False)
            F.cross_entropy(scores, y, reduce=False)

        Right::

            criterion = nn.MSELoss(reduction="sum")
            F.cross_entropy(scores, y, reduction="none")

    When it is wrong to fix
        The program must run with a torch older than 0.4.1 (say so: `torch = "0.4"` in the configuration).
    """

    code = "TLL503"
    name = "deprecated-argument"
    severity = "warning"

    def check_event(self, event: Event) -> Iterable[Problem]:
        value = event.value
        if event.kind == "construct" and isinstance(value, ExtObj):
            contract = by_module(value.qual)
            given = bound(value, contract.module_params) if contract is not None else {}
        elif event.kind == "loss_function" and isinstance(value, External):
            contract, given = by_function(value.qual), event.data
        else:
            return
        if contract is None or before(event.torch, REDUCTION):
            return
        title = value.qual.rsplit(".", 1)[-1]
        if value.qual in contract.deprecated_names and title != contract.title:
            yield Problem(
                f"{title} is an old name of {contract.title}: torch warns each time one is made.",
                f"Write nn.{contract.title}; it takes inputs of any number of dimensions.",
            )
        else:
            yield from _old_arguments(contract, title, given)


def _old_arguments(contract: LossContract, title: str, given: dict[str, Value]) -> Iterable[Problem]:
    old = [name for name in contract.deprecated if name in given and _is_given(given[name])]
    reduction = given.get("reduction")
    if old:
        average, reduce = (_constant(given.get(name)) for name in ("size_average", "reduce"))
        if average is ... or reduce is ...:
            instead = "the reduction that is meant"
        else:
            mean = "mean" if average is None or average else "sum"
            instead = f"reduction='{mean if reduce is None or reduce else 'none'}'"
        are = "are" if len(old) > 1 else "is"
        over = " and overrides the reduction that is given too" if reduction is not None else ""
        yield Problem(
            f"{' and '.join(old)} of {title} {are} deprecated: torch warns{over}.",
            f"Say {instead} instead.",
        )
    elif isinstance(reduction, Const) and reduction.value == "elementwise_mean":
        yield Problem(
            "reduction='elementwise_mean' is the deprecated name of 'mean': torch warns at every call.",
            "Say reduction='mean'.",
        )


def _is_given(value: Value) -> bool:
    """Whether a setting is there and not None, as far as is known."""
    return any(isinstance(v, Const) and v.value is not None for v in options(value))


def _constant(value: Value | None) -> object:
    """The setting; None where it was left out, ... where it is not known."""
    if value is None:
        return None
    return value.value if isinstance(value, Const) else ...
