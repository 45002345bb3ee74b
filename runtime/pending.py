"""Numbers that an accelerator still computes: read when they are there anyway, never waited for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from torchlosslint.runtime.checks import values
from torchlosslint.runtime.checks.measure import Facts
from torchlosslint.runtime.findings import Problem, switch_off
from torchlosslint.runtime.sites import Site

if TYPE_CHECKING:
    from torchlosslint.runtime.session import Session

MOST = 64  # results in flight; more are not started


@dataclass(slots=True)
class Later:
    """Measured numbers and what is needed to judge them."""

    facts: Facts
    names: tuple[str, ...]
    packed: torch.Tensor
    labels: torch.Tensor | None
    site: Site
    event: Any = None

    def judge(self) -> tuple[Problem, ...]:
        """Reads the numbers: on an accelerator only after they have arrived."""
        self.facts.numbers = dict(zip(self.names, self.packed.tolist(), strict=True))
        site = self.site
        if self.labels is not None:
            if site.counts is None or site.counts.shape != self.labels.shape:
                site.counts, site.counted = torch.zeros_like(self.labels, device="cpu"), 0
            site.counts += self.labels.cpu()
            site.counted += 1
        return tuple(values.judge(self.facts, site.streak))


class _Pending:
    def __init__(self) -> None:
        self.waiting: list[Later] = []
        self._lock = threading.Lock()

    def put(self, later: Later) -> None:
        """Start the copy to pinned memory; the event says when it is done."""
        if len(self.waiting) >= MOST:
            return
        device = later.packed.device
        module = torch.get_device_module(device)
        later.packed = _copy(later.packed)
        if later.labels is not None:
            later.labels = _copy(later.labels)
        later.event = module.Event()
        later.event.record(module.current_stream(device))
        with self._lock:
            self.waiting.append(later)

    def ready(self, session: Session, site: Site, wait: bool = False) -> tuple[Problem, ...]:
        """Judge what has arrived. Problems of other places are reported at once, those of `site` returned."""
        if not self.waiting:
            return ()
        with self._lock:
            done = [later for later in self.waiting if wait or later.event.query()]
            self.waiting = [later for later in self.waiting if later not in done]
        found: tuple[Problem, ...] = ()
        for later in done:
            try:
                if wait:
                    later.event.synchronize()
                problems = later.judge()
            except Exception as error:
                switch_off("values", error)
                continue
            if later.site is site:
                found += problems
            else:
                session.take(later.site, problems)
        return found


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    target = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=True)
    return target.copy_(tensor, non_blocking=True)


PENDING = _Pending()
