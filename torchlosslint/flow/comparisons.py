"""Comparisons: what they decide, and what they say of an unknown where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlosslint.flow.facts import at_least, choose, contains, equals
from torchlosslint.flow.ops import binary as tensor_binary
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.tables import compared
from torchlosslint.flow.values import (
    FALSE,
    TRUE,
    Choice,
    ClassV,
    Const,
    DictV,
    External,
    ExtObj,
    Func,
    Obj,
    Place,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


from torchlosslint.flow.operators import constants, op_call


def from_outcomes(outcomes: list[tuple[Any, bool]]) -> Value:
    return choose([(g, TRUE if b else FALSE) for g, b in outcomes])


def compare(m: Machine, op: str, left: Value, right: Value, place: Place, frame: Frame) -> Value:
    """One comparison of two plain values."""
    if (type(left) is ExtObj or type(right) is ExtObj) and op not in ("is", "is not", "in", "not in"):
        column = compared(left, right, place)
        if column is not None:
            return column
    if op in ("is", "is not", "==", "!="):
        negative = op in ("is not", "!=")
        equal = _equal(m, left, right, op in ("is", "is not"))
        if isinstance(equal, bool):
            return FALSE if equal is negative else TRUE
        if isinstance(equal, Choice):
            return from_outcomes([(g, (v is TRUE) is not negative) for g, v in equal.alts])
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return tensor_binary(op, left, right, op_call(m, place, frame))
        return m.unknown("a comparison")
    if op in ("in", "not in"):
        inside = _contains(m, left, right)
        if isinstance(inside, bool):
            return TRUE if inside is (op == "in") else FALSE
        if isinstance(inside, Choice):
            return inside if op == "in" else from_outcomes([(g, v is not TRUE) for g, v in inside.alts])
        return Unknown("a comparison", config=isinstance(left, Unknown) and left.config)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return tensor_binary(op, left, right, op_call(m, place, frame))
    if isinstance(left, Const) and isinstance(right, Const):
        return constants(m, op, left.value, right.value)
    if isinstance(left, SymInt) and isinstance(right, SymInt) and left.base == right.base:
        return constants(m, op, left.offset, right.offset)
    if isinstance(left, Const) and isinstance(right, Unknown):
        left, right, op = right, left, _FLIPPED.get(op, op)
    if isinstance(left, Unknown) and isinstance(right, Const) and isinstance(right.value, (int, float)):
        strict, negative = _STRICT[op]
        options = [(at_least(left, strict, right.value, p), p is not negative) for p in (True, False)]
        live = [(g, b) for g, b in options if m.consistent(g)]
        return from_outcomes(live) if live else m.unknown("a comparison")
    return Unknown("a comparison", None, isinstance(left, Unknown) and left.config)


_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
# An ordered comparison as a strict one and whether it is that one's negation.
_STRICT = {"<": ("<", False), ">": (">", False), "<=": (">", True), ">=": ("<", True)}


def _equal(m: Machine, left: Value, right: Value, identity: bool) -> bool | Choice | None:
    if isinstance(left, Unknown) and isinstance(right, Const):
        yes, no = equals(left, right.value, True), equals(left, right.value, False)
        if not m.consistent(yes):
            return False
        if not m.consistent(no):
            return True
        return Choice(((yes, TRUE), (no, FALSE)))
    if isinstance(right, Unknown) and isinstance(left, Const):
        return _equal(m, right, left, identity)
    if isinstance(left, Const) and isinstance(right, Const):
        return left.value == right.value if not identity or left.value is not None else right.value is None
    if isinstance(left, SymInt) and isinstance(right, SymInt) and left.base == right.base:
        return left.offset == right.offset
    if (
        isinstance(left, Unknown)
        or isinstance(right, Unknown)
        or isinstance(left, SymInt)
        or isinstance(right, SymInt)
    ):
        return None
    if isinstance(left, Const) or isinstance(right, Const):
        other = right if isinstance(left, Const) else left
        constant = left if isinstance(left, Const) else right
        if isinstance(constant, Const) and constant.value is None:
            return False  # what is a thing is not None
        return None if isinstance(other, Tensor) else False
    if isinstance(left, (ClassV, External, Func)) and isinstance(right, (ClassV, External, Func)):
        return left == right
    if identity and isinstance(left, Obj) and isinstance(right, Obj):
        return left is right
    return None


def _contains(m: Machine, left: Value, right: Value) -> bool | Choice | None:
    from torchlosslint.flow.iteration import content

    if (
        isinstance(left, Const)
        and isinstance(right, Const)
        and isinstance(right.value, str)
        and isinstance(left.value, str)
    ):
        return left.value in right.value
    if (
        isinstance(right, Unknown)
        and right.config
        and isinstance(left, Const)
        and isinstance(left.value, str)
    ):
        has, lacks = contains(right, left.value, True), contains(right, left.value, False)
        if not m.consistent(has):
            return False
        return Choice(((has, TRUE), (lacks, FALSE))) if m.consistent(lacks) else True
    if isinstance(right, DictV):
        if isinstance(left, Const):
            if ("k", left.value) in right.attrs:
                return True
            return None if "open" in right.attrs else False
        return None
    held = content(m, right)
    if isinstance(held, TupleV) and all(isinstance(v, Const) for v in held.items):
        if isinstance(left, Const):
            return left in held.items
        if isinstance(left, Unknown) and len(held.items) <= 6:
            options: list[tuple[Any, Value]] = []
            none: frozenset[Any] = frozenset()
            for item in held.items:
                assert isinstance(item, Const)
                yes = equals(left, item.value, True)
                none = none | equals(left, item.value, False)
                if m.consistent(yes):
                    options.append((yes, TRUE))
            if m.consistent(none):
                options.append((none, FALSE))
            result = Choice(tuple(options)) if len(options) > 1 else choose(options)
            return result if isinstance(result, Choice) else result is TRUE
    return None
