"""What becomes of a loss: negative where it cannot be, cut from the graph, or never reduced.

Results are remembered while somebody may call backward() on them in vain: those without gradient, those
that nobody reduced, and every result of a call that was checked anyway. Only then is Tensor.backward
looked at; a training that goes well leaves it alone after a few steps.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import torch

from torchlosslint.contracts import LossContract
from torchlosslint.runtime import steps
from torchlosslint.runtime.checks.measure import pack
from torchlosslint.runtime.findings import LIKELY, PROVED, LossMisuseError, Problem, is_broken, switch_off
from torchlosslint.runtime.inspecting import collect, looked_at, undisturbed
from torchlosslint.runtime.patching import Patch, Replacement, lock, patch
from torchlosslint.runtime.pending import PENDING, Later, is_lost
from torchlosslint.runtime.session import Session
from torchlosslint.runtime.sites import Site, came_from_of

MOST = 256  # results that are remembered at a time
ENOUGH = 64  # results without gradient at one place that nobody calls backward on
QUIET = 8  # calls of backward() with nothing to remember, after which nobody looks at it
DEEP = 64  # nodes of a sum that are looked at
# Losses that are below zero for nobody who keeps to the contract.
_NEVER_NEGATIVE = frozenset(
    "cross_entropy nll bce bce_with_logits multilabel_soft_margin multi_margin multilabel_margin soft_margin "
    "l1 mse smooth_l1 huber cosine_embedding triplet_margin ctc margin_ranking".split()
)
_SUMS = ("AddBackward0", "SubBackward0", "MulBackward0", "DivBackward0")
CARRIES, CUT, NO_GRAD = "carries gradient", "no argument carries gradient", "computed under no_grad"


@dataclass(slots=True)
class Result:
    """ref: the tensor, as long as somebody has it. number: its value, where it is one and on the CPU;
    copy: the same storage without the graph."""

    ref: weakref.ref[torch.Tensor]
    session: Session
    site: Site
    kind: str
    number: float | None
    copy: torch.Tensor | None


_remembered: dict[int, Result] = {}
_numbers: list[Result] = []  # single numbers that checked calls gave since the last backward(), in order
_backward: list[Patch] = []  # the patch of Tensor.backward, while there is a need
_quiet = [0]


def after(
    session: Session, site: Site, contract: LossContract, result: Any, slow: bool, measured: bool = False
) -> None:
    """Called where a call was checked, and for every result that backward() may be called on in vain.
    measured: the numbers of this call were looked at."""
    problems: tuple[Problem, ...] = ()
    try:
        if not isinstance(result, torch.Tensor) or type(result) is not torch.Tensor or looked_at():
            return
        number = None
        if slow:
            site.keep = result.dim() > 0
            low = _lowest(result)
            number = low if result.numel() == 1 else None
            if low is not None:
                problems = _negative(contract, site, low)
            elif measured:
                _negative_later(contract, session, site, result)
        kind = CARRIES if result.requires_grad else CUT if torch.is_grad_enabled() else NO_GRAD
        if kind == CUT:
            site.cuts += 1
        if slow or (kind == CUT and site.cuts <= ENOUGH) or (kind == CARRIES and result.dim()):
            if kind == CUT and number is None and result.dim() == 0:
                number = _lowest(result)
            alone = not result.dim() and not torch._C._len_torch_dispatch_stack()
            copy = result.detach() if alone and (slow or number is not None) else None
            _remember(result, Result(weakref.ref(result), session, site, kind, number, copy))
    except Exception as error:
        if not is_lost(error):
            switch_off("results", error)
    if problems:
        session.take(site, problems)


def _remember(result: torch.Tensor, entry: Result) -> None:
    key = id(result)

    def gone(_: Any) -> None:
        _remembered.pop(key, None)

    entry.ref = weakref.ref(result, gone)
    while len(_remembered) >= MOST:
        _remembered.pop(next(iter(_remembered)), None)
    _remembered[key] = entry
    if entry.copy is not None:
        _numbers.append(entry)
        del _numbers[:-DEEP]
    _quiet[0] = 0
    if not _backward:
        _watch_backward()
    if entry.kind == CARRIES:
        steps.look(entry.session, entry.site)


def _lowest(result: torch.Tensor) -> float | None:
    """The smallest number of a loss; None where reading it would have to wait or is nobody's business."""
    if result.device.type != "cpu" or not result.numel() or torch._C._len_torch_dispatch_stack():
        return None
    return float(result.detach().min())


def _host(result: torch.Tensor) -> bool:
    """Whether no accelerator computes this."""
    return result.device.type in ("cpu", "meta")


def _negative_later(contract: LossContract, session: Session, site: Site, result: torch.Tensor) -> None:
    """The same on an accelerator, which is not waited for."""
    if contract.key not in _NEVER_NEGATIVE or _host(result) or not result.numel():
        return
    if PENDING.full() or not undisturbed():
        return

    def judge(numbers: dict[str, float]) -> tuple[Problem, ...]:
        return _negative(contract, site, numbers["loss"])

    with torch.no_grad():
        packed = pack({"loss": result.detach().amin()})
    PENDING.put(Later(judge, ("loss",), packed, None, session, site, site.calls, came_from_of(site)))


def _negative(contract: LossContract, site: Site, low: float) -> tuple[Problem, ...]:
    """The tell-tale of a wrong input, where nothing else was found at this place."""
    if contract.key not in _NEVER_NEGATIVE or is_broken("negative") or site.bad or not low < -1e-4:
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
    """Look at backward() from now on."""
    with lock():
        found = None if _backward else patch(torch.Tensor.backward, "backward", _replaced)
        if found is not None:
            found.on()
            _backward.append(found)


def _leave_backward() -> None:
    with lock():
        while _backward:
            _backward.pop().off()


def forget() -> None:
    """Nothing is watched any more."""
    _remembered.clear()
    _numbers.clear()
    _leave_backward()
    steps.forget()


def _replaced(original: FunctionType) -> Replacement:
    """The replacement of Tensor.backward."""

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            _judge(args[0], args[1:2] != () or kwargs.get("gradient") is not None)
        except LossMisuseError:
            raise
        except Exception as error:
            switch_off("backward", error)
        try:
            return original(*args, **kwargs)
        except Exception as error:
            if is_lost(error):  # at whatever call, perhaps of a loss
                collect(quiet=True)
            raise

    return Replacement(run)


def _judge(tensor: torch.Tensor, weighted: bool) -> None:
    numbers = _numbers[:]
    _numbers.clear()
    if tensor.grad_fn is not None:
        steps.went_back()
    if not _remembered and not numbers and not steps.suspects():
        _quiet[0] += 1
        if _quiet[0] >= QUIET:
            _leave_backward()
        return
    if type(tensor) is not torch.Tensor or looked_at() or is_broken("backward"):
        return
    entry = _remembered.get(id(tensor))
    if entry is not None and entry.ref() is not tensor:
        entry = None
    if tensor.grad_fn is None:
        found = _of_a_leaf(tensor, entry, numbers)
    elif entry is not None and tensor.numel() != 1 and not weighted:
        found = entry, _unreduced(tensor, entry)
    else:
        found = _of_a_sum(tensor, numbers)
    if found is not None:
        _remembered.pop(id(tensor), None)
        found[0].session.take(found[0].site, (found[1],))


def _unreduced(tensor: torch.Tensor, entry: Result) -> Problem:
    return Problem(
        "TLL506",
        f'backward() on {tensor.numel()} losses: {entry.site.loss} was called with reduction="none".',
        "Reduce first: loss.mean().backward().",
        evidence=(("shape", tuple(tensor.shape)),),
    )


def _of_a_leaf(
    tensor: torch.Tensor, entry: Result | None, numbers: list[Result]
) -> tuple[Result, Problem] | None:
    """backward() on what no operation with gradient made: it raises, or ends where it begins."""
    certainty, help_ = PROVED, "Call backward() on the loss itself, without .detach(), .data or no_grad."
    if entry is not None and entry.kind == CUT:
        what = f"the result of {entry.site.loss}, of which no input carries gradient"
        help_ = (
            "Give the loss what the network returned: no argmax, round, comparison, .data, .detach(), numpy "
            "or no_grad in between."
        )
    elif entry is not None:
        how = "was computed under no_grad" if entry.kind == NO_GRAD else "was cut off the graph"
        what = f"the result of {entry.site.loss}, which {how}"
    elif (entry := _same_storage(tensor, numbers)) is not None:
        what = f"a copy of the result of {entry.site.loss} that .detach() or .data cut off the graph"
    elif (entry := _same_number(tensor, numbers)) is not None:
        certainty, help_ = LIKELY, "Add up the losses themselves; take .item() only for what is printed."
        what = f"a new tensor made of the number that {entry.site.loss} gave"
    else:
        return None
    end = "requires_grad was set by hand, and nothing is learned." if tensor.requires_grad else "it raises."
    return entry, Problem("TLL119", f"backward() on {what}: {end}", help_, certainty, _where(entry))


def _same_storage(tensor: torch.Tensor, numbers: list[Result]) -> Result | None:
    start = tensor.data_ptr()
    same = (e for e in numbers if start and e.copy is not None and e.copy.data_ptr() == start)
    return next(same, None)


def _same_number(tensor: torch.Tensor, numbers: list[Result]) -> Result | None:
    """The last of the results whose number, sum or mean this tensor is."""
    total = _lowest(tensor) if tensor.numel() == 1 else None
    values: list[float] = []
    for entry in reversed(numbers):
        values.append(entry.number or 0.0)
        if total and (_close(total, sum(values)) or _close(total, sum(values) / len(values))):
            return numbers[-1]
    return None


def _close(left: float, right: float, tolerance: float = 1e-6) -> bool:
    return math.isclose(left, right, rel_tol=tolerance)


def _of_a_sum(tensor: torch.Tensor, numbers: list[Result]) -> tuple[Result, Problem] | None:
    """A term without gradient: in the graph, where it was made a leaf by hand, or by the numbers."""
    if not any(e.kind == CUT for e in (*_remembered.values(), *numbers)):
        return None
    leaves, constant = _summed(tensor.grad_fn)
    for leaf in leaves:
        entry = _remembered.get(id(leaf))
        if entry is not None and entry.kind == CUT and entry.ref() is leaf:
            return entry, _term(entry, "requires_grad was set by hand", PROVED)
    entry = _missing(tensor, numbers) if constant else None
    return None if entry is None else (entry, _term(entry, "it adds a number, and no gradient", LIKELY))


def _term(entry: Result, why: str, certainty: str) -> Problem:
    return Problem(
        "TLL119",
        f"In the sum that backward() is called on, nothing is learned from {entry.site.loss}, of which no "
        f"input carries gradient: {why}.",
        "Give that loss what the network returned, or leave it out of the sum.",
        certainty,
        _where(entry),
    )


def _where(entry: Result) -> tuple[tuple[str, object], ...]:
    return (("loss called at", f"{entry.site.path}:{entry.site.line}"),)


def _summed(node: Any) -> tuple[list[torch.Tensor], bool]:
    """The leaves of a sum, through scaling, and whether something without gradient was added."""
    leaves: list[torch.Tensor] = []
    constant, waiting, seen = False, [node], 0
    while waiting and seen < DEEP:
        node, seen = waiting.pop(), seen + 1
        name = node.name()
        if name == "torch::autograd::AccumulateGrad":
            leaves.append(node.variable)
        elif name in _SUMS:
            inputs = [each for each, _ in node.next_functions]
            constant = constant or (None in inputs and name in _SUMS[:2])
            waiting += [each for each in inputs if each is not None]
    return leaves, constant


def _missing(tensor: torch.Tensor, numbers: list[Result]) -> Result | None:
    """The result without gradient that, times a round number, is what the sum has beside the others."""
    total = _lowest(tensor) if tensor.numel() == 1 else None
    carried = [e.number for e in numbers if e.kind == CARRIES and e.number is not None]
    if total is None:
        return None
    for entry in numbers:
        for rest in {total - sum(carried), *(total - number for number in carried)}:
            if entry.kind == CUT and entry.number and carried and _round(rest / entry.number):
                return entry
    return None


def _round(factor: float) -> bool:
    """A weight that people write: 1, 0.5, 0.1, 10."""
    written = float(f"{factor:.0e}")
    return written > 0 and _close(factor, written, 2e-5)
