"""The same module in less memory: equal names, ordinals and empty lists are one object."""

from __future__ import annotations

from sys import intern
from typing import Any

import msgspec

from torchlosslint.syntax import ir

_FIELDS: dict[type, tuple[str, ...]] = {
    kind: kind.__struct_fields__
    for kind in vars(ir).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
}
# Every module counts its nodes from 0, so that all modules can share the numbers.
_NUMBERS: list[int] = list(range(1000))
MAX_NUMBERS = 200_000
_EMPTY: list[Any] = []  # nobody changes a list of the IR once it is lowered


def compact(module: ir.Module) -> ir.Module:
    """Change a module in place, and return it. Lists lose the room that they grew into."""
    count = min(module.nodes, MAX_NUMBERS)
    _NUMBERS.extend(range(len(_NUMBERS), count))
    numbers = _NUMBERS
    fields, empty = _FIELDS, _EMPTY
    stack: list[Any] = [module]
    pop, push = stack.pop, stack.append
    while stack:
        node = pop()
        for name in fields[type(node)]:
            value = getattr(node, name)
            kind = type(value)
            if kind is str:
                setattr(node, name, intern(value))
            elif kind is int:
                if name == "o" and 0 <= value < count:
                    node.o = numbers[value]
            elif kind is list:
                if not value:
                    setattr(node, name, empty)
                    continue
                value = value[:]
                setattr(node, name, value)
                if type(value[0]) is str:
                    value[:] = map(intern, value)
                elif type(value[0]) is not int:
                    stack.extend([each for each in value if each is not None])
            elif kind in fields:
                push(value)
    return module
