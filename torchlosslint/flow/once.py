"""Attributes that a class uses only on the call that converts them.

if self.weight.type() != x.type():
    self.weight = self.weight.type_as(x)
    loss = loss * self.weight            # never again: the types are equal from now on
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchlosslint.syntax import ir

_CONVERSIONS = frozenset("type_as to type cuda cpu float half double".split())
_ASKED = frozenset("type device dtype is_cuda get_device".split())


def used_once(cls: ir.ClassDef) -> Iterator[tuple[str, ir.Expr]]:
    """(attribute, the expression that should be outside the test), for each such attribute of a class."""
    methods = [s for s in cls.body if isinstance(s, ir.FuncDef)]
    for method in methods:
        if method.name == "__init__":
            continue
        for test in _ifs(method.body):
            attr = _asked(test.test)
            if not attr or test.orelse:
                continue
            converts = uses = None
            for stmt in test.body:
                if isinstance(stmt, ir.Assign) and len(stmt.targets) == 1:
                    target = stmt.targets[0]
                    if _own(target) == attr and _converted(stmt.value, attr):
                        converts = stmt
                    elif isinstance(target, ir.Name) and converts and _scales(stmt.value, target.id, attr):
                        uses = stmt.value
            if uses is None:
                continue
            inside = sum(1 for e in _nodes([test.test, *test.body]) if _own(e) == attr)
            everywhere = sum(
                1 for m in methods if m.name != "__init__" for e in _nodes(m.body) if _own(e) == attr
            )
            if inside == everywhere:
                yield attr, uses


def _ifs(body: list[ir.Stmt]) -> Iterator[ir.If]:
    for stmt in body:
        if isinstance(stmt, ir.If):
            yield stmt
        for name in ("body", "orelse", "final"):
            inner = getattr(stmt, name, None)
            if isinstance(inner, list):
                yield from _ifs(inner)


def _asked(test: ir.Expr) -> str:
    """The attribute of self whose type or device is found to differ."""
    if not isinstance(test, ir.Compare) or test.ops != ["!="]:
        return ""
    for side in (test.left, *test.rights):
        if isinstance(side, ir.Call):
            side = side.func
        if isinstance(side, ir.Attr) and side.attr in _ASKED and _own(side.value):
            return _own(side.value)
    return ""


def _converted(value: ir.Expr, attr: str) -> bool:
    return (
        isinstance(value, ir.Call)
        and isinstance(value.func, ir.Attr)
        and value.func.attr in _CONVERSIONS
        and _own(value.func.value) == attr
    )


def _scales(value: ir.Expr, name: str, attr: str) -> bool:
    """Whether a running value is multiplied by the attribute: `x = x * self.attr`."""
    if not isinstance(value, ir.BinOp):
        return False
    found = list(_nodes([value]))
    return any(isinstance(e, ir.Name) and e.id == name for e in found) and any(_own(e) == attr for e in found)


def _own(expr: object) -> str:
    """x of `self.x`."""
    if isinstance(expr, ir.Attr) and isinstance(expr.value, ir.Name) and expr.value.id == "self":
        return expr.attr
    return ""


def _nodes(start: Sequence[object]) -> Iterator[object]:
    stack: list[object] = list(start)
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
            continue
        fields = getattr(item, "__struct_fields__", ())
        if fields:
            yield item
        for name in fields:
            value = getattr(item, name)
            if not isinstance(value, (str, int, float, bool)) and value is not None:
                stack.append(value)
