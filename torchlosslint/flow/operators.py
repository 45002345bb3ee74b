"""Arithmetic between any two values; tensors go to `ops`, objects to their special methods."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torchlosslint.flow import averages
from torchlosslint.flow.ops import binary as tensor_binary
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.values import (
    Choice,
    ClassV,
    Const,
    DictV,
    ListV,
    Obj,
    Place,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


_NUMERIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def binary(m: Machine, op: str, left: Value, right: Value, place: Place, frame: Frame) -> Value:
    """`left op right` for any two values."""
    if isinstance(left, Choice) or isinstance(right, Choice):
        return m.distribute([left, right], lambda vs: binary(m, op, vs[0], vs[1], place, frame))
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        result = tensor_binary(op, left, right, op_call(m, place, frame))
        if op == "/":
            averages.divided(m, left, right, place, frame)
        return averages.scaled(result, right if isinstance(left, Tensor) else left) if op in "*/" else result
    if isinstance(left, Const) and isinstance(right, Const):
        return constants(m, op, left.value, right.value)
    if isinstance(left, SymInt) and isinstance(right, Const) and isinstance(right.value, int):
        if op in "+-":
            return SymInt(left.base, left.offset + (right.value if op == "+" else -right.value))
    if op == "+" and isinstance(right, (ListV, TupleV)) and isinstance(left, (ListV, TupleV)):
        from torchlosslint.flow.iteration import content

        a, b = content(m, left), content(m, right)
        if isinstance(a, TupleV) and isinstance(b, TupleV):
            joined = TupleV(a.items + b.items)
            if isinstance(left, TupleV):
                return joined
            out = ListV(place)
            m.write(out.attrs, "items", joined)
            return out
    if op == "*" and isinstance(left, (ListV, TupleV)):
        return _repeated(m, left, right, place)
    method = _DUNDER.get(op)
    if method is not None and isinstance(left, Obj) and not isinstance(left, (ListV, DictV, ClassV)):
        from torchlosslint.flow.attributes import find_special

        func = find_special(left, method)
        if func is not None:
            return m.call(func, [right], {}, place, frame)
    return m.unknown("arithmetic on unknown values", left if isinstance(left, Unknown) else right)


_DUNDER = {"+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "@": "__matmul__"}


def _repeated(m: Machine, left: Value, right: Value, place: Place) -> Value:
    from torchlosslint.flow.iteration import content

    held = content(m, left)
    if isinstance(held, TupleV):
        if (
            isinstance(right, Const)
            and isinstance(right.value, int)
            and 0 <= right.value * len(held.items) <= 64
        ):
            repeated = TupleV(held.items * right.value)
        else:
            repeated = TupleV((StarV(held.items),) if held.items else ())
        if isinstance(left, TupleV):
            return repeated
        out = ListV(place)
        m.write(out.attrs, "items", repeated)
        return out
    return m.unknown("a repeated sequence")


def constants(m: Machine, op: str, a: Any, b: Any) -> Value:
    if op == "**":
        if isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(b) <= 64 and abs(a) <= 1e6:
            try:
                value = a**b
            except (ArithmeticError, ValueError):
                return m.unknown("arithmetic")
            return (
                Const(value)
                if isinstance(value, (int, float)) and abs(value) < 1e18
                else m.unknown("a number")
            )
        return m.unknown("arithmetic")
    func = _NUMERIC.get(op)
    if (
        func is None
        or (op == "*" and (isinstance(a, str) or isinstance(b, str)))
        or (op == "%" and isinstance(a, str))
    ):
        return m.unknown("arithmetic")
    try:
        value = func(a, b)
    except (ArithmeticError, TypeError, ValueError):
        return m.unknown("arithmetic")
    return constant(m, value)


MAX_TEXT = 10_000  # characters of a string that is computed
MAX_NUMBER = 1 << 256


def constant(m: Machine, value: str | int | float) -> Value:
    """A computed constant; squares of squares and texts of texts end as unknowns."""
    if isinstance(value, str):
        return Const(value) if len(value) <= MAX_TEXT else m.unknown("a long string")
    if isinstance(value, int) and not -MAX_NUMBER < value < MAX_NUMBER:
        return m.unknown("a very large number")
    return Const(value)


def op_call(m: Machine, place: Place, frame: Frame) -> OpCall:
    def emit(kind: str, tensor: Tensor, at: Place, **data: Value) -> None:
        m.sink.event(m, kind, tensor, at, frame, **data)

    return OpCall([], {}, place, None, True, frame.no_grad, emit)
