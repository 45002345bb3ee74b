"""Steps of an optimizer that change nothing: none of its parameters got a gradient from the loss.

torch calls a hook before every step; it is set only for a few steps after a loss call was checked, and
as long as an optimizer is under suspicion.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from torchlosslint.runtime.findings import LIKELY, PROVED, LossMisuseError, Problem, is_broken, switch_off
from torchlosslint.runtime.session import Session
from torchlosslint.runtime.sites import Site

FEW = 8  # steps that are looked at after a loss call was checked
IN_A_ROW = 2  # idle steps of one optimizer, while no other steps
ALL_IN_ALL = 32  # idle steps among others: an optimizer may have nothing to do for a while


@dataclass(slots=True)
class _State:
    handle: Any = None
    left: int = 0
    session: Session | None = None
    site: Site | None = None
    backs: int = 0  # calls of backward() that were seen
    last: int = 0  # the optimizer that stepped last, by id()


_state = _State()
# optimizer -> idle steps in a row, idle steps, calls of backward() before the last of them
_idle: weakref.WeakKeyDictionary[torch.optim.Optimizer, tuple[int, int, int]] = weakref.WeakKeyDictionary()


def look(session: Session, site: Site) -> None:
    """A loss that carries gradient was called: look at the next steps."""
    _state.session, _state.site, _state.left = session, site, FEW
    if _state.handle is None and not is_broken("steps"):
        _state.handle = register_optimizer_step_pre_hook(_before_step)


def went_back() -> None:
    """backward() was called on something with a graph."""
    _state.backs += 1


def suspects() -> bool:
    """Whether an optimizer is under suspicion."""
    return bool(_idle)


def forget() -> None:
    if _state.handle is not None:
        _state.handle.remove()
    _state.handle, _state.session, _state.site, _state.backs = None, None, None, 0
    _idle.clear()


def _before_step(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    if torch.compiler.is_compiling():
        return
    try:
        _judge(optimizer, len(args) > 1 or kwargs.get("closure") is not None)  # the first is the optimizer
    except LossMisuseError:
        raise
    except Exception as error:
        switch_off("steps", error)
        forget()


def _judge(optimizer: torch.optim.Optimizer, closure: bool) -> None:
    session, site = _state.session, _state.site
    same, _state.last = _state.last == id(optimizer), id(optimizer)
    trained = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    if closure or not trained or any(p.grad is not None for p in trained):
        _idle.pop(optimizer, None)
    elif session is not None and site is not None:
        row, among, backs = _idle.get(optimizer, (0, 0, 0))
        if _state.backs > backs:
            row, among = (row + 1 if same else 1), among + 1
            _idle[optimizer] = row, among, _state.backs
        if row == IN_A_ROW or among == ALL_IN_ALL:
            session.take(site, (_problem(optimizer, trained, row, among),))
            _idle.pop(optimizer, None)
    _state.left -= 1
    if _state.left <= 0 and not _idle:
        forget()


def _problem(optimizer: torch.optim.Optimizer, trained: list[Any], row: int, among: int) -> Problem:
    kind = type(optimizer).__name__
    return Problem(
        "TLL507",
        f"{kind} steps after backward(), but none of its {len(trained)} parameters has a gradient: the step "
        "changes nothing.",
        "Give the optimizer the parameters of the model that the loss is computed from, detach nothing on "
        "the way, and call zero_grad() before backward(), not after it.",
        PROVED if row >= IN_A_ROW else LIKELY,
        (("optimizer", kind), ("steps without any gradient", among)),
    )
