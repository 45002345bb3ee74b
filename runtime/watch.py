"""What happens at a call of a loss: a look-up where all was seen before, checks where something is new."""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import itemgetter
from time import perf_counter
from types import FunctionType
from typing import Any

import torch

from torchlosslint.contracts import LossContract
from torchlosslint.runtime import inspecting, results
from torchlosslint.runtime.findings import switch_off
from torchlosslint.runtime.patching import Run
from torchlosslint.runtime.session import WATCHED, Session
from torchlosslint.runtime.sites import Site, find

_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})
_CONSTANTS = (int, float, bool, str, type(None))
_INSIDE = frozenset(
    {"torch.nn.modules.loss", "torch.nn.modules.adaptive", "torch.nn.functional", "torch.nn.modules.linear"}
)


def watch_module(contract: LossContract) -> Callable[[FunctionType], Run]:
    """The replacement of a loss class's forward."""
    scalars = tuple(
        name
        for name in contract.module_params
        if name in dict(contract.defaults) and name not in _tensors(contract)
    )
    config_of: Callable[[dict[str, Any]], Any] = itemgetter(*scalars) if scalars else lambda _: ()
    buffers = tuple(p.name for p in contract.parameters if p.module)
    loss = contract.title

    def make(original: FunctionType) -> Run:
        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            session = WATCHED.of(args[0])
            if session is None or session.off:
                return original(*args, **kwargs)
            start = perf_counter()
            try:
                state = args[0].__dict__
                config = config_of(state)
                for name in buffers:
                    weight = state["_buffers"][name]
                    if weight is not None:
                        config = (config, weight.shape, weight.dtype, weight.device)
            except Exception:  # an odd subclass: its attributes are read with care, when they are needed
                config = None
            return _call(contract, loss, session, original, args[0], args, args[1:], kwargs, config, start)

        return run

    return make


def watch_function(contract: LossContract) -> Callable[[FunctionType], Run]:
    """The replacement of a function of torch.nn.functional."""
    loss = f"F.{contract.function.rpartition('.')[2]}"

    def make(original: FunctionType) -> Run:
        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            session = WATCHED.top
            if session is None:
                session = WATCHED.region() if WATCHED.regions else None
            if session is None or session.off or sys._getframe(2).f_globals.get("__name__") in _INSIDE:
                return original(*args, **kwargs)
            return _call(contract, loss, session, original, None, args, args, kwargs, (), perf_counter())

        return run

    return make


def _tensors(contract: LossContract) -> set[str]:
    return {p.name for p in contract.parameters} | {"device", "dtype", "options"}


def _call(
    contract: LossContract,
    loss: str,
    session: Session,
    original: FunctionType,
    module: Any,
    args: tuple[Any, ...],
    given: tuple[Any, ...],
    kwargs: dict[str, Any],
    config: Any,
    start: float,
) -> Any:
    """given: the arguments without `self`."""
    site: Site | None = None
    slow = False
    try:
        site = find(sys._getframe(2), session.sites, loss)
        site.calls += 1
        signature = _signature(given, kwargs, config, contract.autocast_safe)
        problems = site.seen.get(signature)
        slow = problems is None or site.calls >= site.due
        if not slow and not problems:
            result = None
        else:
            before = perf_counter()
            if slow:
                site.look = before - start if not site.look else min(site.look, before - start)
                problems = inspecting.before(session, site, contract, module, given, kwargs, signature)
    except Exception as error:
        switch_off("signature", error)
        problems = None
    if problems and site is not None:
        session.take(site, problems)
    if slow and site is not None:
        site.slow += perf_counter() - before
    try:
        result = original(*args, **kwargs)
    except Exception as error:
        if site is not None:
            inspecting.explain(session, site, contract, module, given, kwargs, error)
        raise
    if site is not None and (slow or site.keep or not _needs_grad(result)):
        results.after(session, site, contract, given, result, slow, module, kwargs)
    return result


def _needs_grad(result: Any) -> bool:
    try:
        return bool(result.requires_grad)
    except AttributeError:  # AdaptiveLogSoftmaxWithLoss gives a tuple
        return True


def _signature(given: tuple[Any, ...], kwargs: dict[str, Any], config: Any, autocast_safe: bool) -> Any:
    """What metadata checks depend on. `config` None: nothing to go by, so nothing is remembered."""
    mode = None if autocast_safe else (torch.is_autocast_enabled("cuda"), torch.is_autocast_enabled("cpu"))
    if len(given) == 2 and not kwargs:
        x, y = given
        if type(x) in _PLAIN and type(y) in _PLAIN:
            return (
                *(x.shape, x.dtype, x.device, x.requires_grad, type(x.grad_fn)),
                *(y.shape, y.dtype, y.device, y.requires_grad, type(y.grad_fn), config, mode),
            )
    parts = [_part(value) for value in given]
    parts += [(name, _part(value)) for name, value in kwargs.items()]
    return (tuple(parts), config, mode)


def _part(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return (
            type(value),
            *(value.shape, value.dtype, value.device, value.requires_grad, type(value.grad_fn)),
        )
    if isinstance(value, _CONSTANTS):
        return value
    return (type(value), len(value)) if isinstance(value, (tuple, list)) else type(value)
