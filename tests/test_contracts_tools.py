"""Tools of the tests of the contracts: torch's objects by name, calls with made-up tensors."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract

torch = pytest.importorskip("torch")


def resolve(name: str) -> Any:
    """The object with this qualified name."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise LookupError(name)


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(function).parameters.values() if p.name != "self"]


def names(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(p.name for p in parameters(function))


def keyword_only(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(p.name for p in parameters(function) if p.kind is p.KEYWORD_ONLY)


def scores(*shape: int) -> Any:
    """Numbers that every loss takes: within (0, 1)."""
    return torch.rand(*shape) * 0.8 + 0.1


def call(c: LossContract, x: Any, y: Any, **config: Any) -> Any:
    """The function form; further inputs are made up."""
    more = {name: scores(*x.shape) for name in c.inputs[1:]}
    first = c.function_input_arg or c.input_arg
    target = {c.target_arg: y} if c.target != b.NO_TARGET else {}
    return resolve(c.function)(**{first: x}, **more, **target, **config)


def outcome(run: Callable[[], Any]) -> str:
    """What torch does: the words of base."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            loss = run()
        except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError):
            return b.RAISE
    if any("size" in str(w.message) and "different" in str(w.message) for w in seen):
        return b.WARN
    if loss.dim():
        loss = loss.mean()
    try:
        loss.backward()
    except RuntimeError:
        return b.RAISE_BACKWARD
    return "fine"
