"""What happens at a call of a loss: a look-up where all was seen before, checks where something is new.

`run` is the price of every call of a loss; it is laid out for speed, and nothing in it is done twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import itemgetter
from time import perf_counter
from types import FrameType, FunctionType
from typing import Any

import torch
from torch.compiler import is_compiling

from torchlosslint.contracts import LossContract
from torchlosslint.runtime import inspecting, results
from torchlosslint.runtime.fast import After, Explain, Short
from torchlosslint.runtime.findings import is_broken, switch_off
from torchlosslint.runtime.patching import Make, Replacement, direct, unpatched
from torchlosslint.runtime.session import WATCHED, Session
from torchlosslint.runtime.sites import Site, find

_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})
_CONSTANTS = (int, float, bool, str, type(None))
# Who calls a function of a loss that was called, and watched, before: other losses; the default device and
# subclasses of tensors, which pass on what they intercept.
_INSIDE = frozenset(
    "torch.nn.modules.loss torch.nn.modules.adaptive torch.nn.functional torch.nn.modules.linear "
    "torch.utils._device torch._tensor".split()
)
_CLEAN: tuple[()] = ()  # what `seen` has for a signature without problems


def watch_module(contract: LossContract) -> Make:
    """The replacement of a loss class's forward."""
    config_of = _config(contract)
    slow = _slow(contract, contract.title)
    loss, safe, plain = contract.title, contract.autocast_safe, not contract.loss_attr
    instances, frame_at, signature_of = WATCHED.instances, sys._getframe, _signature

    def make(patched: FunctionType) -> Replacement:
        original = direct(patched)
        short = Short(contract, patched, True)

        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if is_compiling():
                return original(*args, **kwargs)
            entry = instances.get(id(args[0]))
            if entry is not None:
                session = entry[1]
            elif WATCHED.top is not None:
                session = WATCHED.top
            else:
                session = WATCHED.region()
            if session is None or session.off:
                return original(*args, **kwargs)
            site, signature = None, None
            try:
                # run, the replaced forward, _call_impl, _wrapped_call_impl, the caller.
                frame = _frame(4)
                if frame is not None:
                    site = session.sites.get((id(frame.f_code), frame.f_lasti, loss))
                if site is None:
                    site = find(frame_at(1), session.sites, loss)
                site.left -= 1
                config = config_of(args[0].__dict__)
                signature = signature_of(args[1:], kwargs, config, safe)
                quick = site.seen.get(signature) == _CLEAN and site.left >= 0 and plain
                if quick and short.possible and not kwargs and (entry is not None or WATCHED.top is not None):
                    site.session = session
                    short.remember(site, args)
            except Exception as error:
                switch_off("signature", error)
                quick = False
            if not quick:
                return slow(session, site, signature, original, args[0], args, args[1:], kwargs)
            try:
                result = original(*args, **kwargs)
            except Exception as error:
                inspecting.explain(session, site, contract, args[0], args[1:], kwargs, error)
                raise
            if site.keep or not result.requires_grad:  # type: ignore[union-attr]
                results.after(session, site, contract, result, False)
            return result

        function = unpatched(getattr(torch.nn.functional, short.function, None))
        return Replacement(run, short, short.names(function, *_outcome(contract, True)))

    return make


def watch_function(contract: LossContract) -> Make:
    """The replacement of a function of torch.nn.functional."""
    loss = f"F.{contract.function.rpartition('.')[2]}"
    slow, safe, frame_at = _slow(contract, loss), contract.autocast_safe, sys._getframe

    def make(original: FunctionType) -> Replacement:
        short = Short(contract, original, False)

        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if is_compiling():
                return original(*args, **kwargs)
            session = WATCHED.top
            if session is None:
                session = WATCHED.region()
            if session is None or session.off:
                return original(*args, **kwargs)
            frame = frame_at(2)
            if frame.f_globals.get("__name__") in _INSIDE:  # called by another loss, which was watched
                return original(*args, **kwargs)
            site, signature = None, None
            try:
                site = session.sites.get((id(frame.f_code), frame.f_lasti, loss))
                if site is None:
                    site = find(frame, session.sites, loss)
                site.left -= 1
                signature = _signature(args, kwargs, (), safe)
                quick = site.seen.get(signature) == _CLEAN and site.left >= 0
                if quick and short.possible and not kwargs and WATCHED.top is not None:
                    site.session = session
                    short.remember(site, args)
            except Exception as error:
                switch_off("signature", error)
                quick = False
            if not quick:
                return slow(session, site, signature, original, None, args, args, kwargs)
            try:
                result = original(*args, **kwargs)
            except Exception as error:
                inspecting.explain(session, site, contract, None, args, kwargs, error)
                raise
            if site.keep or not result.requires_grad:  # type: ignore[union-attr]
                results.after(session, site, contract, result, False)
            return result

        return Replacement(run, short, short.names(original, *_outcome(contract, False)))

    return make


def _outcome(contract: LossContract, of_module: bool) -> tuple[Explain, After]:
    """What the short way says to an exception of torch, and to a result without gradient."""

    def explain(site: Site, args: tuple[Any, ...], error: Exception) -> None:
        module, given = (args[0], args[1:]) if of_module else (None, args)
        inspecting.explain(site.session, site, contract, module, given, {}, error)

    def after(site: Site, result: Any) -> None:
        results.after(site.session, site, contract, result, False)

    return explain, after


def _frame(depth: int) -> FrameType | None:
    """None where the stack is not that deep: forward() called by a script itself."""
    try:
        return sys._getframe(depth + 1)
    except ValueError:
        return None


def _slow(contract: LossContract, loss: str) -> Callable[..., Any]:
    """A call that is new, due, or known to be wrong. given: the arguments without `self`."""

    def slow(
        session: Session,
        site: Site | None,
        signature: Any,
        original: FunctionType,
        module: Any,
        args: tuple[Any, ...],
        given: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if site is None:
            return original(*args, **kwargs)
        start = perf_counter()
        inspecting.collect()
        problems = site.seen.get(signature)
        fresh, checked = problems is None, site.checked
        try:
            if (fresh or site.left < 0) and not is_broken("call"):
                problems = inspecting.before(session, site, contract, module, given, kwargs, signature)
                site.look = _look(session, site, loss, given, kwargs, contract)
        except Exception as error:
            switch_off("call", error)
        site.slow += perf_counter() - start
        if problems:
            session.take(site, problems)
        try:
            result = original(*args, **kwargs)
        except Exception as error:
            inspecting.explain(session, site, contract, module, given, kwargs, error)
            raise
        measured = site.checked != checked
        results.after(session, site, contract, result, fresh or measured, measured)
        return result

    return slow


def _look(
    session: Session, site: Site, loss: str, given: tuple[Any, ...], kwargs: Any, contract: LossContract
) -> float:
    """The seconds of one look-up, measured where something is slow anyway."""
    start = perf_counter()
    find(sys._getframe(1), session.sites, loss)
    site.seen.get(_signature(given, kwargs, (), contract.autocast_safe))
    spent = perf_counter() - start
    return min(spent, site.look) if site.look else spent


def _config(contract: LossContract) -> Callable[[dict[str, Any]], Any]:
    """What is part of a signature besides the arguments: settings of the instance, and its weights."""
    tensors = {p.name for p in contract.parameters} | {"device", "dtype", "options"}
    defaults = dict(contract.defaults)
    scalars = [name for name in contract.module_params if name in defaults and name not in tensors]
    scalars_of: Callable[[dict[str, Any]], Any] = itemgetter(*scalars) if scalars else lambda _: ()
    buffers = tuple(p.name for p in contract.parameters if p.module)

    def config(state: dict[str, Any]) -> Any:
        try:
            found = scalars_of(state)
            for name in buffers:
                weight = state["_buffers"][name]
                if weight is not None:
                    found = (found, weight.shape, weight.dtype)
        except (KeyError, AttributeError):  # a subclass that keeps them elsewhere
            return None
        return found

    return config


def _signature(given: tuple[Any, ...], kwargs: dict[str, Any], config: Any, safe: bool) -> Any:
    """What the checks of metadata depend on, less the devices: torch itself raises where they differ."""
    mode = None if safe else (torch.is_autocast_enabled("cuda"), torch.is_autocast_enabled("cpu"))
    if len(given) == 2 and not kwargs:
        x, y = given
        if type(x) in _PLAIN and type(y) in _PLAIN:
            return (
                x.shape,
                x.dtype,
                type(x.grad_fn),
                x.requires_grad,
                y.shape,
                y.dtype,
                y.requires_grad,
                config,
                mode,
            )
    parts = [_part(value) for value in given]
    parts += [(name, _part(value)) for name, value in kwargs.items()]
    return (tuple(parts), config, mode)


def _part(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return (
            type(value),
            value.shape,
            value.dtype,
            value.requires_grad,
            type(value.grad_fn),
        )
    if isinstance(value, _CONSTANTS):
        return value
    return (type(value), len(value)) if isinstance(value, (tuple, list)) else type(value)
