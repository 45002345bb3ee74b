"""What becomes of a loss: negative where it cannot be, cut from the graph, or never reduced."""

from __future__ import annotations

import weakref
from types import FunctionType
from typing import Any

import torch

from torchlosslint.contracts import LossContract
from torchlosslint.runtime.findings import Problem, is_broken, switch_off
from torchlosslint.runtime.inspecting import looked_at
from torchlosslint.runtime.patching import Patch, Replacement, lock, patch
from torchlosslint.runtime.session import Session
from torchlosslint.runtime.sites import Site

MOST = 256
# Losses that are below zero for nobody who keeps to the contract.
_NEVER_NEGATIVE = frozenset(
    "cross_entropy nll bce bce_with_logits multilabel_soft_margin multi_margin multilabel_margin soft_margin "
    "l1 mse smooth_l1 huber cosine_embedding triplet_margin ctc margin_ranking".split()
)
_remembered: dict[int, tuple[weakref.ref[torch.Tensor], Session, Site, bool]] = {}
_backward: list[Patch] = []  # the patch of Tensor.backward, while there is a need


def after(
    session: Session,
    site: Site,
    contract: LossContract,
    result: Any,
    slow: bool,
) -> None:
    """Called where a call was checked, and for every result that backward() may be called on in vain."""
    problems: tuple[Problem, ...] = ()
    try:
        if not isinstance(result, torch.Tensor) or type(result) is not torch.Tensor or looked_at():
            return
        cut = not result.requires_grad
        if slow:
            site.keep = result.dim() > 0
            problems = _negative(contract, site, result)
        if torch.is_grad_enabled() and (cut or result.dim()):
            while len(_remembered) >= MOST:
                _remembered.pop(next(iter(_remembered)), None)
            _remembered[id(result)] = (weakref.ref(result), session, site, cut)
            if not _backward:
                _watch_backward()
    except Exception as error:
        switch_off("results", error)
    if problems:
        session.take(site, problems)


def _negative(contract: LossContract, site: Site, result: torch.Tensor) -> tuple[Problem, ...]:
    """The tell-tale of a wrong input, where nothing else was found at this place."""
    if contract.key not in _NEVER_NEGATIVE or result.device.type != "cpu" or not result.numel():
        return ()
    if is_broken("negative") or torch._C._len_torch_dispatch_stack() or site.bad:
        return ()
    low = float(result.detach().min())
    if not low < -1e-4:
        return ()
    return (
        Problem(
            "TLL110" if contract.key == "nll" else "TLL704",
            f"{site.loss} is {low:.4g}, and cannot be below zero where input, target and weights are right.",
            "Give it log-probabilities (log_softmax)."
            if contract.key == "nll"
            else "Look at the ranges of input and target, and at the weights.",
            evidence=(("loss", f"{low:.6g}"),),
        ),
    )


def _watch_backward() -> None:
    """Look at backward() from now on: most trainings never need it."""
    with lock():
        found = None if _backward else patch(torch.Tensor.backward, "backward", _replaced)
        if found is not None:
            found.on()
            _backward.append(found)


def forget() -> None:
    """Nothing is watched any more."""
    _remembered.clear()
    with lock():
        while _backward:
            _backward.pop().off()


def _replaced(original: FunctionType) -> Replacement:
    """The replacement of Tensor.backward: only what nothing can be back-propagated from is looked at."""

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensor = args[0]
        if _remembered and (tensor.grad_fn is None or tensor.dim()):
            _judge(tensor, args[1:2] != () or kwargs.get("gradient") is not None)
        return original(*args, **kwargs)

    return Replacement(run)


def _judge(tensor: torch.Tensor, weighted: bool) -> None:
    entry = _remembered.get(id(tensor))
    if entry is None or entry[0]() is not tensor:
        return
    _, session, site, cut = entry
    if cut and tensor.grad_fn is None:
        problem = Problem(
            "TLL119",
            f"backward() on the result of {site.loss}, of which no input carries gradient: "
            + (
                "loss.requires_grad was set by hand, and nothing is learned."
                if tensor.requires_grad
                else "it raises."
            ),
            "Give the loss what the network returned: no argmax, round, comparison, .data, .detach(), numpy "
            "or no_grad in between.",
            evidence=(("loss called at", f"{site.path}:{site.line}"),),
        )
    elif tensor.numel() != 1 and not weighted:
        problem = Problem(
            "TLL506",
            f'backward() on {tensor.numel()} losses: {site.loss} was called with reduction="none".',
            "Reduce first: loss.mean().backward().",
            evidence=(("shape", tuple(tensor.shape)),),
        )
    else:
        return
    _remembered.pop(id(tensor), None)
    session.take(site, (problem,))
