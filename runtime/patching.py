"""How calls of torch's losses are seen: the code of the functions themselves is replaced, and put back.

The function objects stay what they are, so names that were imported earlier, tables that are keyed
by a function, tracers and pickles see no difference. `__wrapped__` keeps the original source in
sight for torch.jit.script. While torch.compile, torch.export or script look on, the original runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from torch.compiler import is_compiling

_COMPILING = "_torchlosslint_compiling"
_lock = threading.RLock()
_patched: dict[FunctionType, Patch] = {}


# The three names are replaced by others of their own in each function that is patched.
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
    found = FunctionType(
        function.__code__, space, function.__name__, function.__defaults__, function.__closure__
    )
    found.__kwdefaults__ = function.__kwdefaults__
    return found


class Patch:
    """A function whose code is replaced. `users` counts who asked for it."""

    def __init__(self, function: FunctionType, key: str, make: Callable[[FunctionType], Run]) -> None:
        self.function, self.users = function, 0
        self.code = function.__code__
        self.original = FunctionType(
            self.code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        self.original.__kwdefaults__ = function.__kwdefaults__
        self.original.__annotations__ = function.__annotations__
        self.original.__qualname__, self.original.__doc__ = function.__qualname__, function.__doc__
        self.original.__module__ = function.__module__
        names = {
            "tll_compiling": _COMPILING,
            "tll_original": f"_torchlosslint_original_{key}",
            "tll_run": f"_torchlosslint_run_{key}",
        }
        self.globals = dict(
            zip(names.values(), (is_compiling, self.original, make(self.original)), strict=True)
        )
        template = _TEMPLATES[self.code.co_freevars]
        self.replacement = template.replace(
            co_names=tuple(names[name] for name in template.co_names), co_name=self.code.co_name
        )

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


def patch(function: Any, key: str, make: Callable[[FunctionType], Run]) -> Patch | None:
    """Make a patch, or find the one there is; None for what has no code of its own."""
    if not isinstance(function, FunctionType) or function.__code__.co_freevars not in _TEMPLATES:
        return None
    with _lock:
        if function not in _patched:
            _patched[function] = Patch(function, key, make)
        return _patched[function]


def lock() -> threading.RLock:
    return _lock
