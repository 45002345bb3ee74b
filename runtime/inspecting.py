"""The checks of one call, each on its own: one that fails is switched off, and the rest goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch.utils._device import DeviceContext

from torchlosslint.contracts import LossContract
from torchlosslint.runtime.call import Call, bind
from torchlosslint.runtime.checks import metadata, sequences, values
from torchlosslint.runtime.checks.activation import activation
from torchlosslint.runtime.checks.measure import Facts, counts, facts_of, masked, measure, pack, weighed
from torchlosslint.runtime.checks.trail import trail
from torchlosslint.runtime.fast import HOT
from torchlosslint.runtime.findings import LossMisuseError, Problem, is_broken, switch_off
from torchlosslint.runtime.pending import PENDING, Later, is_lost
from torchlosslint.runtime.session import Session
from torchlosslint.runtime.sites import MOST_SIGNATURES, Site, came_from_of

Check = Callable[[Call], Iterable[Problem]]
METADATA: tuple[tuple[str, Check], ...] = (
    ("settings", metadata.settings),
    ("devices", metadata.devices),
    ("target", metadata.target),
    ("weight", metadata.weight),
    ("activation", activation),
)
_busy = threading.local()
_PLAIN = (torch.Tensor, torch.nn.Parameter)


def before(
    session: Session,
    site: Site,
    contract: LossContract,
    module: Any,
    given: tuple[Any, ...],
    kwargs: dict[str, Any],
    signature: Any,
) -> tuple[Problem, ...]:
    """The problems of a call that is new, or due. What numbers show is not remembered by signature."""
    if looked_at() or getattr(_busy, "now", False):
        return ()
    _busy.now = True
    try:
        due = site.left < 0
        if due and site.resumed():  # only to read what is there now
            due = False
            if PENDING.waits_at(site):
                site.soon()
            known: tuple[Problem, ...] | None = site.seen.get(signature)
            if known is not None:
                return known
        call = bind(contract, module, given, kwargs)
        if due:
            always = session.sync and not session.every and not _on_cpu(call)
            site.next(site.calls + 1 if always else session.next_due(site.calls))
            site.checked += 1
        found: tuple[Problem, ...] | None = site.seen.get(signature)
        if found is None or due:
            found = _run(METADATA, call)
            if len(site.seen) < MOST_SIGNATURES and signature is not None:
                site.seen[signature] = found
            if found:
                HOT.clear()
        if due:
            found = _unique((*found, *_values(session, site, call)))
        return found
    finally:
        _busy.now = False


def explain(
    session: Session,
    site: Site,
    contract: LossContract,
    module: Any,
    given: tuple[Any, ...],
    kwargs: dict[str, Any],
    error: Exception,
) -> None:
    """torch raised: all checks, whatever is due, so that the finding says why."""
    if isinstance(error, LossMisuseError) or looked_at() or getattr(_busy, "now", False):
        return
    _busy.now = True
    try:
        call = bind(contract, module, given, kwargs)
        found = _run(METADATA, call)
        if not found and _on_cpu(call):
            found = _values(session, site, call)
        late = not found and not _on_cpu(call)
    except Exception as problem:
        switch_off("explain", problem)
        return
    finally:
        _busy.now = False
    session.take(site, found)
    if late:  # the device may have failed at an earlier call
        PENDING.collect()


def collect(quiet: bool = False) -> None:
    """Tell what an accelerator has computed meanwhile, where nobody would notice that it is read."""
    if PENDING.waiting and not looked_at() and undisturbed() and not getattr(_busy, "now", False):
        PENDING.collect(quiet=quiet)


# CUDA graphs: an event may not even be asked about while one is recorded.
_MODULES: list[tuple[Any, str]] = [
    (torch.cuda, "_CudaStreamBase"),
    (getattr(torch, "xpu", None), "_XpuStreamBase"),
]
_DEVICES = [
    module
    for module, base in _MODULES
    if hasattr(torch._C, base) and hasattr(module, "is_current_stream_capturing")
]


def _recorded() -> bool:
    """Whether the work of this thread is recorded into a graph of an accelerator instead of being done."""
    for module in _DEVICES:
        try:
            if module.is_initialized() and module.is_current_stream_capturing():
                return True
        except Exception as error:  # another stream is recorded, or the device was lost
            return "captur" in str(error)
    return False


def looked_at() -> bool:
    """Whether somebody traces, transforms or records operations: then no number may be touched,
    and what metadata shows belongs to them."""
    return (
        _recorded()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._get_tracing_state() is not None
        or torch.compiler.is_compiling()
    )


def undisturbed() -> bool:
    """Whether nobody intercepts operations, but for the default device."""
    modes = torch._C._len_torch_function_stack()
    if modes:
        stack: list[Any] = torch.overrides._get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        modes -= sum(type(mode) is DeviceContext for mode in stack)
    return not modes and torch._C._len_torch_dispatch_stack() == 0


def _run(checks: tuple[tuple[str, Check], ...], call: Call) -> tuple[Problem, ...]:
    found: list[Problem] = []
    for name, check in checks:
        if is_broken(name):
            continue
        try:
            found += check(call)
        except Exception as error:
            switch_off(name, error)
    return _unique(tuple(found))


def _unique(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """One a code: the first says most."""
    return tuple({p.code: p for p in reversed(problems)}.values())[::-1]


def readable(call: Call) -> bool:
    """Whether numbers may be looked at: plain tensors with storage, and nobody who intercepts operations."""
    tensors = [
        v for v in (*call.args.values(), *(w for _, _, w in call.weights())) if isinstance(v, torch.Tensor)
    ]
    return (
        isinstance(call.input, torch.Tensor)
        and all(type(t) in _PLAIN and t.layout == torch.strided and not t.is_meta for t in tensors)
        and undisturbed()
    )


def _on_cpu(call: Call) -> bool:
    return isinstance(call.input, torch.Tensor) and call.input.device.type == "cpu"


def _values(session: Session, site: Site, call: Call) -> tuple[Problem, ...]:
    if is_broken("values") or not readable(call):
        return ()
    found: tuple[Problem, ...] = ()
    try:
        found = _run((("ctc", sequences.ctc),), call)
        wait = _on_cpu(call) or session.sync or (site.calls <= session.first and _may_wait(session, call))
        if not wait and PENDING.full():
            return found
        facts = facts_of(call, trail(call.input, call.class_dim).kind)
        with torch.no_grad(), torch.autocast(call.input.device.type, enabled=False):
            numbers = measure(call)
            if not numbers:
                return found
            masked(call, numbers)
            labels = counts(call)
            if labels is not None:
                weighed(call, labels, numbers)
            packed = pack(numbers)
        judge = partial(_judge, facts, site)
        later = Later(judge, tuple(numbers), packed, labels, session, site, site.calls)
        if wait:
            return (*found, *later.read())
        later.came_from = came_from_of(site)
        PENDING.put(later)
        site.soon()
    except Exception as error:
        if not is_lost(error):  # then the training ends by itself, and no check is to blame
            switch_off("values", error)
    return found


def _judge(facts: Facts, site: Site, numbers: dict[str, float]) -> tuple[Problem, ...]:
    facts.numbers = numbers
    return tuple(values.judge(facts, site.streak))


def _may_wait(session: Session, call: Call) -> bool:
    """Whether the first calls wait for an accelerator, to be first where "raise" was asked for. Not where
    somebody looks for what waits."""
    if session.on_misuse != "raise":
        return False
    return call.input.device.type != "cuda" or torch.cuda.get_sync_debug_mode() == 0
