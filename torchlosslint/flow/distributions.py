"""torch.distributions with `probs` and `logits`: what they are given, and what they give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.contracts.base import PROBS as WANTS_PROBS
from torchlosslint.contracts.distributions import by_name
from torchlosslint.flow.domain import LOGPROBS, LOGUNIT, PROBS, UNIT, Domain
from torchlosslint.flow.losses import bind
from torchlosslint.flow.values import (
    Const,
    ExtObj,
    Place,
    Step,
    Tensor,
    Unknown,
    Value,
    fresh_uid,
)

if TYPE_CHECKING:
    from torchlosslint.contracts.external import Distribution
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

PACKAGE = "torch.distributions."
# Their log_prob is the log of a density, which has no upper bound.
_DENSITIES = ("Relaxed", "Continuous")


def construct(
    m: Machine, qual: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> ExtObj:
    """A distribution is made; the rules are shown what of."""
    record = by_name(qual)
    obj = ExtObj(record.name if record is not None else qual, tuple(args), kwargs, place)
    if record is not None:
        for name, value in _given(record, obj).items():
            title = Const(record.name.rsplit(".", 1)[-1])
            m.sink.event(m, "distribution", m.read(value), place, frame, parameter=Const(name), name=title)
    return obj


def _given(record: Distribution, obj: ExtObj) -> dict[str, Value]:
    """`probs` or `logits`, whichever was given."""
    bound = bind(list(obj.args), obj.kwargs, record.params)
    return {
        name: bound[name]
        for name in ("probs", "logits")
        if name in bound and not (isinstance(bound[name], Const) and not bound[name].value)  # type: ignore[attr-defined]
    }


def attribute(obj: ExtObj, name: str, place: Place) -> Value | None:
    """`.probs` and `.logits`; None for others."""
    record = by_name(obj.qual)
    if record is None or name not in ("probs", "logits"):
        return None
    title = record.name.rsplit(".", 1)[-1]
    over_classes = record.probs == WANTS_PROBS
    if name == "probs":
        return _made(
            record,
            obj,
            Domain(PROBS if over_classes else UNIT, title, dim=-1 if over_classes else None),
            place,
        )
    if over_classes:
        return _made(record, obj, Domain(LOGPROBS, f"{title}.logits", dim=-1), place)
    return Unknown(f"the logits of {title}")


def _made(record: Distribution, obj: ExtObj, dom: Domain, place: Place) -> Tensor:
    value = next(iter(_given(record, obj).values()), None)
    if not isinstance(value, Tensor):
        return Tensor(dom, "float32")
    note = f"{dom.how} gives {'log-probabilities' if dom.kind in (LOGPROBS, LOGUNIT) else 'probabilities'}"
    return value.with_(dom=dom, trail=Step(value.trail, place, note, dom), uid=fresh_uid(), of=None)


def method(obj: ExtObj, name: str, place: Place) -> Value:
    """A method of a distribution."""
    record = by_name(obj.qual)
    if record is not None:
        title = record.name.rsplit(".", 1)[-1]
        if name == "log_prob" and not title.startswith(_DENSITIES):
            dom = Domain(LOGUNIT, f"{title}.log_prob", flags=frozenset({"picked"}))
            return _made(record, obj, dom, place).with_(shape=None)
        if name == "expand":
            return obj
    return Unknown(f"a method of a distribution: {name}")
