"""What may have happened to an object before a method is called on it by nobody knows whom: lists that
its methods fill are no longer empty, and what they count is no longer zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.values import (
    GROWN,
    TRUE,
    ClassV,
    Const,
    Instance,
    ListV,
    TupleV,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

_EMPTY = TupleV(())


def used(m: Machine, obj: Instance, inner: bool = True) -> None:
    """An object that other methods have been called on, and the objects in it."""
    counted: set[str] | None = None
    for name, value in list(obj.attrs.items()):
        if isinstance(value, ListV):
            if value.attrs.get("items") == _EMPTY and GROWN not in value.attrs:
                m.write(value.attrs, GROWN, TRUE)
        elif isinstance(value, Const):
            if type(value.value) in (int, float):
                if counted is None:
                    counted = _counted(obj)
                if name in counted:
                    m.write(obj.attrs, name, m.unknown("changes from call to call"))
        elif inner and isinstance(value, Instance):
            used(m, value, False)


def _counted(obj: Instance) -> set[str]:
    """Attributes that some method but the constructor counts: `self.step += 1`."""
    found: set[str] = set()
    for cls in obj.cls.mro:
        for stmt in cls.node.body if isinstance(cls, ClassV) else ():
            if isinstance(stmt, ir.FuncDef) and stmt.name != "__init__" and stmt.params:
                _walk(stmt.body, stmt.params[0].name, found)
    return found


def _walk(body: list[ir.Stmt], own: str, found: set[str]) -> None:
    for stmt in body:
        kind = type(stmt)
        if kind is ir.AugAssign:
            target = stmt.target  # type: ignore[union-attr]
            if type(target) is ir.Attr and type(target.value) is ir.Name and target.value.id == own:
                found.add(target.attr)
        elif isinstance(stmt, (ir.If, ir.For, ir.While)):
            _walk(stmt.body, own, found)
            _walk(stmt.orelse, own, found)
        elif isinstance(stmt, (ir.With, ir.Try)):
            _walk(stmt.body, own, found)


__all__ = ["used"]
