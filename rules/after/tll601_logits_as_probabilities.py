"""TLL601."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import LOGITS
from torchlosslint.flow.domain import SCORES, UNIT
from torchlosslint.flow.values import Const, Place, Tensor, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule


class LogitsAsProbabilities(Rule):
    """Raw scores are compared with 0.5, or rounded, as if they were probabilities.

    What it does
        Looks for scores that the program's own loss takes for logits (BCEWithLogitsLoss, cross-entropy,
        MultiLabelSoftMarginLoss) and that are elsewhere compared with a number between 0 and 1, or
        rounded. A sigmoid of log-probabilities that is compared with 0.5 is found too.

    Why it is bad
        A logit of 0.5 is a probability of 0.62: every sample between 0.5 and 0.62 is counted on the wrong
        side, and rounded logits are no classes at all. The reported accuracy is wrong, and so are the
        predictions that are shipped.

    Example
        Wrong::

            loss = nn.BCEWithLogitsLoss()(scores, y)
            predicted = scores > 0.5

        Right::

            predicted = scores > 0                     # the same as sigmoid(scores) > 0.5
            predicted = torch.sigmoid(scores) > 0.5

    When it is wrong to fix
        The threshold was tuned on raw scores.
    """

    code = "TLL601"
    name = "logits-as-probabilities"
    severity = "error"
    watches = frozenset({"threshold"})

    def check_event(self, event: Event) -> Iterable[Problem]:
        value = event.value
        if event.kind != "threshold" or not isinstance(value, Tensor):
            return
        dom, limit = value.dom, event.data.get("limit")
        if dom.kind != UNIT or dom.base is None or dom.base.kind == SCORES or dom.flags - {"numpy"}:
            return
        if limit is None or (
            isinstance(limit, Const) and isinstance(limit.value, float) and limit.value >= 0.5
        ):
            yield Problem(
                f"The {dom.how} of {dom.base.how or 'log-probabilities'} is never above 0.5: this is the "
                "same for every sample.",
                "Use exp() to get from log-probabilities to probabilities, or take sigmoid of raw scores.",
                tensor=value,
            )

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        events = [
            e for e in history.of("threshold") if isinstance(e.value, Tensor) and e.value.dom.kind == SCORES
        ]
        losses: dict[Place, list[LossUse]] = {}
        for use in history.losses if events else ():
            if (place := _layer(use.input)) is not None:
                losses.setdefault(place, []).append(use)
        for event in events:
            place = _layer(event.value)
            uses = losses.get(place, []) if place is not None else []
            # A network that has losses of its own is not judged by those of another one of its class.
            uses = [u for u in uses if _of_one(u.input, event.value)] or uses
            uses = [u for u in uses if u.contract.input == LOGITS]
            if uses:
                yield event, _problem(event, uses[0])


def _layer(value: object) -> Place | None:
    """Where the layer was made whose raw output this is, with no arithmetic in between."""
    if not isinstance(value, Tensor) or value.dom.kind != SCORES or value.origin is None:
        return None
    made = value.origin.dom
    return value.origin.place if made is not None and made.how and made.how == value.dom.how else None


def _of_one(mine: Value, other: Value) -> bool:
    """Whether two outputs are known to be of one network."""
    if not isinstance(mine, Tensor) or not isinstance(other, Tensor) or mine.origin is None:
        return False
    if mine.origin.layer is not None and other.origin is not None and mine.origin.layer is other.origin.layer:
        return True
    return any(root[0] == "module" for root in mine.roots & other.roots)


def _problem(event: Event, use: LossUse) -> Problem:
    limit = event.data.get("limit")
    what = f"compared with {limit.value}" if isinstance(limit, Const) else "rounded"
    sigmoid = use.contract.activation == "sigmoid"
    right = "compare with 0, or take sigmoid first" if sigmoid else "take softmax first, or the argmax"
    return Problem(
        f"Raw scores are {what} as if they were probabilities; {use.name} gets the same scores as logits, "
        "which run from minus to plus infinity: the decision falls at the wrong place.",
        right[0].upper() + right[1:] + ".",
        tensor=event.value if isinstance(event.value, Tensor) else None,
    )
