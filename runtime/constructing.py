"""The making of a loss: tensors where settings belong, old names of a reduction, lists as weights."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch

from torchlosslint.contracts import LossContract, by_module
from torchlosslint.runtime.findings import Problem, switch_off
from torchlosslint.runtime.patching import Replacement
from torchlosslint.runtime.session import WATCHED
from torchlosslint.runtime.sites import find


def watch_constructor(original: FunctionType) -> Replacement:
    """The replacement of the __init__ of a loss class, or of one that several inherit."""

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        session = WATCHED.top
        if session is not None:
            try:
                cls, contract = _loss(type(args[0]), original)
                problems: tuple[Problem, ...] = ()
                if contract is not None:
                    given = {**dict(zip(contract.module_params, args[1:], strict=False)), **kwargs}
                    if cls or any(value is not None for value in given.values()):
                        site = find(sys._getframe(1), session.sites, f"{contract.title}()")
                        problems = tuple(_check(contract, cls, args[1:], given, site.path, site.line))
            except Exception as error:
                switch_off("constructor", error)
            else:
                if problems:
                    session.take(site, problems)
        return original(*args, **kwargs)

    return Replacement(run)


_FUNCTIONS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Softmin": "softmin"}


def watch_activation(original: FunctionType) -> Replacement:
    """The replacement of the __init__ of an activation, which may be given scores where a dim belongs."""

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        session = WATCHED.top
        if session is not None and any(isinstance(v, torch.Tensor) for v in (*args[1:], *kwargs.values())):
            try:
                title = next(c.__name__ for c in type(args[0]).__mro__ if c.__name__ in _FUNCTIONS)
                site = find(sys._getframe(1), session.sites, f"{title}()")
                problem = Problem(
                    "TLL501",
                    f"The constructor of {title} gets a tensor, which the instance wants.",
                    f"Say {title}(dim=1)(scores), or F.{_FUNCTIONS[title]}(scores, dim=1).",
                )
            except Exception as error:
                switch_off("constructor", error)
            else:
                session.take(site, (problem,))
        return original(*args, **kwargs)

    return Replacement(run)


def _loss(made: type, original: FunctionType) -> tuple[str, LossContract | None]:
    """The contract of what is made, and its name where that is an old one; nothing where this is not
    its own constructor, but one that it calls."""
    if getattr(made.__init__, "__wrapped__", None) is not original:  # type: ignore[misc]
        return "", None
    for cls in made.__mro__:
        name = f"{cls.__module__}.{cls.__qualname__}"
        contract = by_module(name)
        if contract is not None:
            return (cls.__name__ if name in contract.deprecated_names else ""), contract
    return "", None


def _check(
    contract: LossContract, old_class: str, args: tuple[Any, ...], given: dict[str, Any], path: str, line: int
) -> Iterator[Problem]:
    tensors = [name for name, value in given.items() if isinstance(value, torch.Tensor)]
    taken = {p.name for p in contract.parameters}
    call = contract.forward_params
    if (len(args) >= 2 and isinstance(args[0], torch.Tensor) and set(tensors) - taken) or set(tensors) & set(
        call
    ):
        # The name of the class at the call says which of the two mistakes it is.
        if contract.title in linecache.getline(path, line):
            yield Problem(
                "TLL501",
                f"The constructor of {contract.title} gets predictions and target, which the instance wants.",
                f"Say {contract.title}()(predictions, target).",
                evidence=(("tensors given as", ", ".join(tensors)),),
            )
        else:
            yield Problem(
                "TLL502",
                f"The criterion is the class {contract.title} itself, and is called with predictions "
                "and target.",
                f"Make an instance: criterion = {contract.title}().",
                evidence=(("tensors given as", ", ".join(tensors)),),
            )
        return
    old = [name for name in contract.deprecated if given.get(name) is not None]
    if old:
        yield Problem(
            "TLL503",
            f"{contract.title} is given {' and '.join(old)}, an old name of a reduction.",
            'Say reduction="mean", "sum" or "none".',
        )
    if given.get("reduction") == "elementwise_mean" or old_class:
        yield Problem(
            "TLL503",
            f"{old_class or 'elementwise_mean'} is an old name.",
            f"Say {contract.title}." if old_class else 'Say reduction="mean".',
        )
    for p in contract.parameters:
        value = given.get(p.name)
        if p.module and value is not None and not isinstance(value, torch.Tensor):
            yield Problem(
                "TLL403",
                f"`{p.name}` of {contract.title} is a {type(value).__name__}, and has to be a tensor.",
                f"Say {p.name}=torch.tensor(...).",
            )
