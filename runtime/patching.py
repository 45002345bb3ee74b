"""How calls of torch's losses are seen: the code of the functions themselves is replaced, and put back.

The function objects stay what they are, so names that were imported earlier, tables that are keyed
by a function, tracers and pickles see no difference. `__wrapped__` keeps the original source in
sight for torch.jit.script. While torch.compile, torch.export or script look on, the original runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch.compiler import is_compiling

from torchlosslint.runtime.fast import Short, copied, named

is_dynamo_compiling = getattr(torch.compiler, "is_dynamo_compiling", is_compiling)  # says no at once
_lock = threading.RLock()
_patched: dict[FunctionType, Patch] = {}


# The names are replaced by others of their own in each function that is patched.
def _template(*args, **kwargs):  # type: ignore[no-untyped-def]
    if tll_compiling():  # type: ignore[name-defined]  # noqa: F821
        return tll_original(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821
    return tll_run(args, kwargs)  # type: ignore[name-defined]  # noqa: F821


class _Holder:
    # For functions that say super(): new code has to have the same free variables.
    def with_class(*args, **kwargs):  # type: ignore[no-untyped-def]
        if tll_compiling():  # type: ignore[name-defined]  # noqa: F821
            return tll_original(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821
        return tll_run(args, kwargs) or (__class__ and None)  # type: ignore[name-defined]  # noqa: F821


_TEMPLATES = {(): _template.__code__, ("__class__",): _Holder.with_class.__code__}
Run = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class _Direct:
    """torch.nn.functional as it is now, with the unpatched function for each that is patched: a loss
    class that was watched calls its function without being watched twice."""

    def __init__(self, module: Any) -> None:
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        known = _patched.get(found) if isinstance(found, FunctionType) else None
        return found if known is None else known.original


def direct(function: FunctionType) -> FunctionType:
    """A copy of a forward that calls unpatched functions."""
    space = dict(function.__globals__)
    if "F" in space:
        space["F"] = _Direct(space["F"])
    found: FunctionType = copied(function, function.__code__, space)
    return found


def unpatched(function: Any) -> Any:
    """A copy of a function of torch that nobody patches; other things as they are."""
    known = _patched.get(function) if isinstance(function, FunctionType) else None
    found = function if known is None else known.original
    return copied(found, found.__code__) if isinstance(found, FunctionType) else found


class Replacement(NamedTuple):
    """The long way of a call, and a short way for calls that were seen before."""

    run: Run
    short: Short | None = None
    names: dict[str, Any] = {}


Make = Callable[[FunctionType], Replacement]


class Patch:
    """A function whose code is replaced. `users` counts who asked for it."""

    def __init__(self, function: FunctionType, key: str, make: Make) -> None:
        self.function, self.users = function, 0
        self.code = function.__code__
        self.original = copied(function, self.code)
        self.original.__annotations__ = function.__annotations__
        self.original.__qualname__, self.original.__doc__ = function.__qualname__, function.__doc__
        self.original.__module__ = function.__module__
        run, short, names = make(self.original)
        names = {**names, "original": self.original, "run": run}
        if short is not None and short.possible:
            self.replacement = short.code(self.code.co_name, key)
            names["compiling"] = is_dynamo_compiling  # the long way asks the rest
        else:
            template = _TEMPLATES[self.code.co_freevars]
            names["compiling"] = is_compiling
            self.replacement = template.replace(
                co_names=tuple(named(name, key) for name in template.co_names), co_name=self.code.co_name
            )
        self.globals = {named(f"tll_{name}", key): value for name, value in names.items()}

    def on(self) -> None:
        self.users += 1
        if self.users == 1:
            self.function.__globals__.update(self.globals)
            self.function.__wrapped__ = self.original  # type: ignore[attr-defined]
            self.function.__code__ = self.replacement

    def off(self) -> None:
        self.users -= 1
        if self.users == 0:
            self.function.__code__ = self.code
            del self.function.__wrapped__  # type: ignore[attr-defined]


def patch(function: Any, key: str, make: Make) -> Patch | None:
    """Make a patch, or find the one there is; None for what has no code of its own."""
    if not isinstance(function, FunctionType) or function.__code__.co_freevars not in _TEMPLATES:
        return None
    with _lock:
        if function not in _patched:
            _patched[function] = Patch(function, key, make)
        return _patched[function]


def lock() -> threading.RLock:
    return _lock
