"""guard, guarded, install, and back. The checks are loaded when something is watched for the first time."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from torchlosslint.runtime.patching import Patch, lock, patch
from torchlosslint.runtime.session import VARIABLE, WATCHED, OnMisuse, Session, codes

M = TypeVar("M", bound=torch.nn.Module)
_classes: list[Patch] = []
_functions: list[Patch] = []
_guards: dict[tuple[Any, ...], Session] = {}  # one session for all instances with the same settings


def guard(
    criterion: M,
    on_misuse: OnMisuse = "warn",
    *,
    ignore: Iterable[str] = (),
    every: int = 0,
    sync: bool = False,
) -> M:
    """Watch this criterion: the same object comes back.

    A criterion of the project's own is watched through the torch losses that it has or calls.
    Copies and unpickled criteria are not watched. ignore: codes, or how they begin.
    every: look at the numbers of each so manieth call (0: the first three calls and powers of two).
    """
    if not isinstance(criterion, torch.nn.Module):
        raise TypeError(f"guard() takes a criterion, an instance of torch.nn.Module, not {criterion!r}")
    settings = (on_misuse, codes(ignore), every, sync, os.environ.get(VARIABLE))
    with lock():
        fresh = _guards.get(settings)
        if fresh is None:
            fresh = _guards[settings] = Session(*settings[:4])
        if fresh.off:
            return criterion
        before = [m for m in criterion.modules() if id(m) in WATCHED.instances]
        losses = [m for m in criterion.modules() if _is_loss(m)]
        for module in losses:
            WATCHED.add(module, fresh)
        if not before and losses:
            _use(_classes, _class_patches)
        if not _is_loss(criterion):
            _region(criterion, fresh)
    return criterion


def unguard(criterion: M) -> M:
    """Stop watching this criterion: it is exactly what it was before."""
    with lock():
        own = id(criterion) in WATCHED.instances and not _is_loss(criterion)
        guarded_ones = [m for m in criterion.modules() if id(m) in WATCHED.instances]
        for module in guarded_ones:
            WATCHED.drop(id(module))
        if guarded_ones and any(_is_loss(m) for m in guarded_ones):
            _drop(_classes)
        if own:
            _end_region(type(criterion))
    return criterion


@contextmanager
def guarded(
    on_misuse: OnMisuse = "warn", *, ignore: Iterable[str] = (), every: int = 0, sync: bool = False
) -> Iterator[Session]:
    """Watch every loss of torch that is called inside, in all threads. Yields what has the findings."""
    session = Session(on_misuse, ignore, every, sync)
    with lock():
        WATCHED.stack.append(session)
        if not session.off:
            _everything()
        WATCHED.renew()
    try:
        yield session
    except BaseException:
        _unwind(session)
        _tell_the_rest(session, quiet=True)
        raise
    _unwind(session)
    _tell_the_rest(session)


def _unwind(session: Session) -> None:
    with lock():
        WATCHED.stack.remove(session)
        WATCHED.renew()
        if not session.off:
            _nothing()


def _tell_the_rest(session: Session, quiet: bool = False) -> None:
    """What an accelerator has computed by now; nobody waits for it."""
    if session.sites:
        from torchlosslint.runtime.inspecting import collect

        collect(quiet)


def install(
    on_misuse: OnMisuse = "warn", *, ignore: Iterable[str] = (), every: int = 0, sync: bool = False
) -> Session:
    """Watch every loss of torch in this process, until uninstall(). A second call changes the settings."""
    session = Session(on_misuse, ignore, every, sync)
    with lock():
        before, WATCHED.installed = WATCHED.installed, session
        if not session.off and (before is None or before.off):
            _everything()
        elif session.off and before is not None and not before.off:
            _nothing()
        WATCHED.renew()
    return session


def uninstall() -> None:
    """End what install() began."""
    with lock():
        before, WATCHED.installed = WATCHED.installed, None
        if before is None:
            return
        WATCHED.renew()
        if not before.off:
            _nothing()
    _tell_the_rest(before)


def _everything() -> None:
    _use(_classes, _class_patches)
    _use(_functions, _function_patches)


def _nothing() -> None:
    _drop(_classes)
    _drop(_functions)


def _use(patches: list[Patch], make: Any) -> None:
    if not patches:
        patches += make()
    for each in patches:
        each.on()


def _drop(patches: list[Patch]) -> None:
    for each in patches:
        each.off()
    if patches is _classes and patches and not patches[0].users:
        from torchlosslint.runtime.results import forget

        forget()


def _class_patches() -> list[Patch]:
    from torchlosslint.contracts import ALL
    from torchlosslint.runtime.constructing import watch_activation, watch_constructor
    from torchlosslint.runtime.watch import watch_module

    found: list[Patch | None] = [
        patch(cls.__init__, cls.__name__, watch_activation)
        for cls in (torch.nn.Softmax, torch.nn.LogSoftmax, torch.nn.Softmin)
    ]
    for contract in ALL:
        cls = _resolve(contract.module)
        if cls is not None and "forward" in vars(cls):
            found.append(patch(cls.forward, f"{contract.key}_forward", watch_module(contract)))
        for made in filter(None, (cls, *map(_resolve, contract.deprecated_names))):
            init = made.__init__
            found.append(patch(init, f"{init.__qualname__.replace('.', '_')}", watch_constructor))
    found = list(dict.fromkeys(found))
    return [each for each in found if each is not None]


def _function_patches() -> list[Patch]:
    from torchlosslint.contracts import ALL
    from torchlosslint.runtime.watch import watch_function

    found = [
        patch(_resolve(contract.function), contract.key, watch_function(contract))
        for contract in ALL
        if contract.function
    ]
    return [each for each in found if each is not None]


def _resolve(name: str) -> Any:
    """The object of this name; None where this torch has no such loss."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None) if module else None
    except ImportError:
        return None


def _is_loss(module: torch.nn.Module) -> bool:
    from torchlosslint.contracts import by_module

    return any(by_module(f"{c.__module__}.{c.__qualname__}") is not None for c in type(module).__mro__)


# Criteria of a project's own: while their forward runs, the torch losses that it calls are watched.

_regions: dict[type, tuple[Any, bool, int]] = {}  # class -> (its forward, whether it is its own, instances)


def _region(criterion: torch.nn.Module, session: Session) -> None:
    if id(criterion) in WATCHED.instances:
        WATCHED.add(criterion, session)
        return
    WATCHED.add(criterion, session)
    _use(_functions, _function_patches)
    _use(_classes, _class_patches)
    cls = type(criterion)
    forward, own, count = _regions.get(cls, (cls.forward, "forward" in vars(cls), 0))
    if not count:
        cls.forward = _with_region(forward)
    _regions[cls] = (forward, own, count + 1)


def _end_region(cls: Any) -> None:
    forward, own, count = _regions.pop(cls)
    _drop(_functions)
    _drop(_classes)
    if count > 1:
        _regions[cls] = (forward, own, count - 1)
    elif own:
        cls.forward = forward
    else:
        del cls.forward


def _with_region(forward: Any) -> Any:
    @functools.wraps(forward)
    def inside(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return forward(self, *args, **kwargs)
        entry = WATCHED.instances.get(id(self))
        if entry is None or entry[1].off:
            return forward(self, *args, **kwargs)
        local = WATCHED.local
        outer = getattr(local, "session", None)
        local.session = entry[1]
        with WATCHED.lock:
            WATCHED.regions += 1
        try:
            return forward(self, *args, **kwargs)
        finally:
            with WATCHED.lock:
                WATCHED.regions -= 1
            local.session = outer

    return inside
