"""What a program asks of an unknown, as a guard: that it is a constant, is true, is larger, has a part."""

from __future__ import annotations

from collections.abc import Callable

from torchlosslint.flow.values import Const, Fact, Guard, Unknown, Value

TRUTH = ("truth",)
# What is asked of a text.
QUESTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}


def source(value: Unknown) -> tuple[str, object]:
    """The source of facts about an unknown: "C" for a choice by configuration, "D" for data."""
    return ("C" if value.config else "D", value.key)


def is_config(fact: Fact) -> bool:
    """Whether the fact is a choice of whoever runs the program, not one on data."""
    return isinstance(fact[0], tuple) and fact[0][0] == "C"


def at_least(value: Unknown, op: str, bound: float, polarity: bool) -> Guard:
    """The guard that an unknown is (or is not) `<` or `>` a number."""
    return frozenset(((source(value), (op, bound), polarity),))


def contains(value: Unknown, part: str, polarity: bool) -> Guard:
    """The guard that an unknown text has (or has not) a part."""
    return frozenset(((source(value), ("contains", part), polarity),))


def equals(value: Unknown, constant: object, polarity: bool) -> Guard:
    """The guard that an unknown equals (or does not equal) a constant."""
    return frozenset(((source(value), ("=", constant), polarity),))


def present(value: Value) -> Guard:
    """That an unknown is not None, and nothing that it was taken from is."""
    found: set[Fact] = set()
    if isinstance(value, Unknown):
        kind, key = source(value)
        while True:
            found.add(((kind, key), ("=", None), False))
            if not (isinstance(key, tuple) and key[0] in ("attr", "item", "method")):
                break
            key = key[1]
    return frozenset(found)


def truthy(value: Unknown, polarity: bool) -> Guard:
    """The guard that an unknown is true (or false); of `x.startswith("a")`, one on `x`."""
    key = value.key
    if value.config and isinstance(key, tuple) and len(key) == 4 and key[0] == "method":
        _, text, name, args = key
        if name in QUESTIONS and len(args) == 1 and isinstance(args[0], Const):
            if isinstance(args[0].value, str):
                return frozenset(((("C", text), (name, args[0].value), polarity),))
    return frozenset(((source(value), TRUTH, polarity),))
