"""Names: scopes outward, then the module, then Python's builtins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.ops import normalise
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.values import Const, External, Unknown, Value

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

BUILTINS = frozenset(
    (
        "abs all any bool bytes callable dict dir enumerate eval exec filter float format frozenset "
        "getattr globals hasattr hash id input int isinstance issubclass iter len list locals map max "
        "min next object open ord print range repr reversed round set setattr slice sorted str sum super "
        "tuple type vars zip Exception ValueError NotImplementedError TypeError RuntimeError KeyError "
        "AttributeError ImportError AssertionError"
    ).split()
)


def lookup(m: Machine, name: str, frame: Frame) -> Value:
    """The value of a name, or an unknown."""
    value: Value
    scope: Scope | None = frame.scope
    if name not in frame.globals_:
        own = frame.scope.names
        while scope is not None:
            names = scope.names
            if name in names:
                value = names[name]
                if m.outside is not None and names is not own:
                    m.outside.append((names, name, value))
                return value
            scope = scope.parent
    names = frame.module.globals
    if name in names:
        value = names[name]
        if m.outside is not None:
            m.outside.append((names, name, value))
        return value
    if name in BUILTINS:
        return External("builtins." + name)
    if name == "__name__":
        return Const(frame.module.name)
    star = names.get("*libraries")
    if isinstance(star, External):
        return External(normalise(f"{star.qual}.{name}"))
    return Unknown(f"name {name} is not defined here")
