"""The checks of one call, each on its own: one that fails is switched off, and the rest goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch

from torchlosslint.contracts import LossContract
from torchlosslint.runtime.call import Call, bind
from torchlosslint.runtime.checks import metadata, sequences
from torchlosslint.runtime.checks.activation import activation
from torchlosslint.runtime.checks.measure import counts, facts_of, masked, measure, pack, weighed
from torchlosslint.runtime.checks.trail import trail
from torchlosslint.runtime.fast import HOT
from torchlosslint.runtime.findings import LossMisuseError, Problem, is_broken, switch_off
from torchlosslint.runtime.pending import PENDING, Later
from torchlosslint.runtime.session import Session
from torchlosslint.runtime.sites import MOST_SIGNATURES, Site

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
        if due or PENDING.waiting:
            found = _unique((*found, *PENDING.ready(session, site)))
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
    except Exception as problem:
        switch_off("explain", problem)
        return
    finally:
        _busy.now = False
    session.take(site, found)


def looked_at() -> bool:
    """Whether somebody traces, transforms or intercepts operations: then no number may be touched,
    and what metadata shows belongs to them."""
    return (
        torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._get_tracing_state() is not None
        or torch.compiler.is_compiling()
    )


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
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._len_torch_function_stack() == 0
    )


def _on_cpu(call: Call) -> bool:
    return isinstance(call.input, torch.Tensor) and call.input.device.type == "cpu"


def _values(session: Session, site: Site, call: Call) -> tuple[Problem, ...]:
    if is_broken("values") or not readable(call):
        return ()
    try:
        found = _run((("ctc", sequences.ctc),), call)
        kind = trail(call.input, call.class_dim).kind
        facts = facts_of(call, kind)
        device = call.input.device.type
        with torch.no_grad(), torch.autocast(device if device != "cpu" else "cpu", enabled=False):
            numbers = measure(call)
            masked(call, numbers)
            labels = counts(call)
            if labels is not None:
                weighed(call, labels, numbers)
            if not numbers:
                return found
            packed = pack(numbers)
        later = Later(facts, tuple(numbers), packed, labels, site)
        first = session.on_misuse == "raise" and site.calls <= session.first
        wait = device == "cpu" or session.sync or first
        if wait:
            return (*found, *later.judge())
        PENDING.put(later)
    except Exception as error:
        switch_off("values", error)
        return ()
    return found
