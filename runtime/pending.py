"""Numbers that an accelerator still computes: read when they are there anyway, never waited for.

They are copied into pinned memory behind the work that is queued; an event says when they are there. Where
the device was lost meanwhile (an assertion in a kernel), what had arrived before can still be read: the last
number of each tensor tells. That is often what names the call which broke the device.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from torchlosslint.runtime.checks.measure import ARRIVED
from torchlosslint.runtime.findings import Problem, is_broken, switch_off
from torchlosslint.runtime.sites import Site

if TYPE_CHECKING:
    from torchlosslint.runtime.session import Session

MOST = 64  # results in flight; more are not started
Judge = Callable[[dict[str, float]], Iterable[Problem]]


@dataclass(slots=True, eq=False)
class Later:
    """Measured numbers, and who judges them: nothing here keeps a tensor of the training alive.

    call, came_from: of the call that they were measured at. lost: the device answers no more.
    """

    judge: Judge
    names: tuple[str, ...]
    packed: torch.Tensor
    labels: torch.Tensor | None
    session: Session
    site: Site
    call: int
    came_from: str = ""
    event: Any = None
    lost: bool = False

    def read(self) -> tuple[Problem, ...]:
        """Judges the numbers; waits for them where they are still on the accelerator."""
        *numbers, arrived = self.packed.tolist()
        if arrived != ARRIVED:
            return ()  # the device was lost before
        if self.labels is not None:
            self._count(self.labels)
        return tuple(self.judge(dict(zip(self.names, numbers, strict=True))))

    def _count(self, labels: torch.Tensor) -> None:
        site = self.site
        # Not as part of somebody's inference_mode: what is made there cannot be added to later.
        with torch.inference_mode(False), torch.no_grad():
            if site.counts is None or site.counts.shape != labels.shape:
                site.counts, site.counted = torch.zeros(labels.shape, dtype=torch.int64, device="cpu"), 0
            site.counts += labels.cpu()
            site.counted += 1

    def arrived(self) -> bool:
        """Whether reading waits for nothing."""
        if self.event is None:
            return False  # a device without streams: read by report()
        try:
            return bool(self.event.query())
        except Exception:
            self.lost = True
            return True

    def wait(self) -> None:
        try:
            if self.event is not None and not self.lost:
                self.event.synchronize()
        except Exception:
            self.lost = True


class _Pending:
    def __init__(self) -> None:
        self.waiting: list[Later] = []
        self._lock = threading.Lock()
        self._at_exit = False

    def full(self) -> bool:
        return len(self.waiting) >= MOST

    def put(self, later: Later) -> None:
        """Start the copy to pinned memory; the event says when it is done."""
        if self.full():
            return
        device = later.packed.device
        module = torch.get_device_module(device)
        if hasattr(module, "current_stream"):
            # The labels first: the end of `packed` is what arrives last.
            if later.labels is not None:
                later.labels = _copy(later.labels)
            later.packed = _copy(later.packed)
            later.event = _event(module, device)
        with self._lock:
            self.waiting.append(later)
            if not self._at_exit:
                atexit.register(self.at_exit)
                self._at_exit = True

    def waits_at(self, site: Site) -> bool:
        """Whether numbers of this place are on their way."""
        return any(later.site is site for later in self.waiting)

    def collect(self, wait: bool = False, quiet: bool = False) -> None:
        """Tell what has arrived. quiet: warn where "raise" was asked for, because something else is going on.

        All is told before the first exception of a session (or of its callback) goes up."""
        with self._lock:
            done = [later for later in self.waiting if wait or later.arrived()]
            self.waiting = [later for later in self.waiting if later not in done]
        raised: Exception | None = None
        for later in done:
            problems: tuple[Problem, ...] = ()
            try:
                if wait:
                    later.wait()
                if not is_broken("values"):
                    problems = later.read()
            except Exception as error:
                if not is_lost(error):
                    switch_off("values", error)
                continue
            try:
                later.session.take(later.site, problems, later.call, later.came_from, quiet)
            except Exception as error:
                raised = raised or error
        if raised is not None:
            raise raised

    def at_exit(self) -> None:
        """The program ends, perhaps because the device was lost: tell what has arrived."""
        with suppress(Exception):
            self.collect(quiet=True)


def is_lost(error: BaseException) -> bool:
    """Whether an exception says that the accelerator failed, at whatever call that came up."""
    kinds: Any = getattr(torch, "AcceleratorError", ())
    return isinstance(error, kinds) or (
        type(error) is RuntimeError and str(error).startswith(("CUDA error", "HIP error"))
    )


def _event(module: Any, device: torch.device) -> Any:
    event = module.Event()
    event.record(module.current_stream(device))
    return event


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return _room(tensor).copy_(tensor, non_blocking=True)


def _room(tensor: torch.Tensor) -> torch.Tensor:
    """Room for the same numbers, which an accelerator can write to by itself. Zeros: not ARRIVED yet."""
    return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=True)


PENDING = _Pending()
