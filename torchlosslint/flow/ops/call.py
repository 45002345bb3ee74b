"""What an operation of torch (or numpy) is given when the interpreter meets it.

A handler takes an `OpCall` and returns a `Value`. It never sees a `Choice` at the top
level: the interpreter distributes alternatives over tensor operations. It may see one
inside a list; `plain` turns it into an unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torchlosslint.flow.domain import Domain
from torchlosslint.flow.values import (
    GROWN,
    Choice,
    Const,
    ListV,
    Obj,
    Place,
    StarV,
    Step,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)

Handler = Callable[["OpCall"], Value]


class OpCall:
    """One call of a known operation.

    args, kwargs: evaluated arguments; for a tensor method the tensor itself comes first.
    layer: for the call of an nn.Module, the module (an ExtObj); None otherwise.
    place: where the call stands. training: the mode of the layer. no_grad: inside torch.no_grad().
    emit: reports an event (kind, tensor, place, further values by name) to the rules.
    """

    __slots__ = ("args", "kwargs", "layer", "place", "training", "no_grad", "emit")

    def __init__(
        self,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        place: Place,
        layer: Obj | None = None,
        training: bool = True,
        no_grad: bool = False,
        emit: Callable[..., None] | None = None,
    ) -> None:
        self.args = args if type(args) is list else list(args)
        self.kwargs = kwargs
        self.layer = layer
        self.place = place
        self.training = training
        self.no_grad = no_grad
        self.emit = emit

    def arg(self, position: int, name: str, default: Value | None = None) -> Value | None:
        """An argument by position or keyword."""
        if 0 <= position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def init(self, position: int, name: str, default: Value | None = None) -> Value | None:
        """An argument that the layer was constructed with."""
        layer = self.layer
        args: tuple[Value, ...] = getattr(layer, "args", ())
        kwargs: dict[str, Value] = getattr(layer, "kwargs", {})
        return args[position] if 0 <= position < len(args) else kwargs.get(name, default)

    def tensor(self, position: int = 0, name: str = "input") -> Tensor | None:
        """An argument where it is a tensor."""
        value = self.arg(position, name)
        return value if isinstance(value, Tensor) else None

    def step(self, before: Value | None, note: str) -> Step:
        """The trail of `before`, one step longer."""
        return Step(getattr(before, "trail", None), self.place, note)

    def made(self, before: Tensor, dom: Domain, note: str, **changes: object) -> Tensor:
        """`before` with other numbers: a new identity, a longer trail."""
        return before.with_(
            dom=dom, trail=Step(before.trail, self.place, note, dom), uid=fresh_uid(), of=None, **changes
        )

    def same(self, before: Tensor, **changes: object) -> Tensor:
        """`before` after a shape-only operation: same numbers, same identity."""
        return before.with_(**changes)


def const(value: Value | None) -> object:
    """The Python constant behind a value; None also where it is not known."""
    return value.value if isinstance(value, Const) else None


def integer(value: Value | None) -> int | None:
    """The value as an int, where it is one (of a size that a dimension may have)."""
    found = const(value)
    return found if type(found) is int and abs(found) < 1 << 62 else None


def number(value: Value | None) -> float | None:
    """The value as a float, where it is a number."""
    found = const(value)
    try:
        return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None
    except OverflowError:
        return None


def plain(value: Value | None) -> Value | None:
    """The value, or an unknown where it is several alternatives."""
    return Unknown("several alternatives") if isinstance(value, Choice) else value


def items(value: Value | None) -> list[Value] | None:
    """The elements of a tuple or of a list of known length, else None."""
    if isinstance(value, ListV):
        value = value.attrs.get("items") if GROWN not in value.attrs else None
    if isinstance(value, TupleV) and not any(isinstance(v, StarV) for v in value.items):
        return [p for v in value.items if (p := plain(v)) is not None]
    return None
