"""What the rules are told when a loss or an activation is made, or a loss function is called.

This happens where the call stands, whether or not the thing made is ever used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.contracts import LossContract, by_module
from torchlosslint.contracts.activations import ACTIVATIONS
from torchlosslint.flow.values import Const, External, ExtObj, Place, StarV, Value
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

CONSTRUCT = "construct"
LOSS_FUNCTION = "loss_function"


def made(m: Machine, obj: ExtObj, place: Place, frame: Frame) -> None:
    """An instance of a library class was made: told where it is a loss or an activation.

    The event's data: "called", the last part of the name that was called ("MSELoss", "criterion").
    """
    if obj.qual in ACTIVATIONS or by_module(obj.qual) is not None:
        m.sink.event(m, CONSTRUCT, obj, place, frame, called=Const(_called_as(m.calling)))


def called(
    m: Machine,
    contract: LossContract,
    qual: str,
    args: list[Value],
    given: dict[str, Value],
    place: Place,
    frame: Frame,
) -> None:
    """A loss function was called. The event's data: the arguments by name, as far as they are known;
    "**" where further ones may have been spread."""
    params = contract.params_of(qual)
    data = {name: given[name] for name in params if name in given}
    if "**" in given or any(isinstance(a, StarV) for a in args):
        data["**"] = Const(True)
    m.sink.event(m, LOSS_FUNCTION, External(qual), place, frame, **data)


def _called_as(callee: ir.Expr | None) -> str:
    if isinstance(callee, ir.Attr):
        return callee.attr
    return callee.id if isinstance(callee, ir.Name) else ""
