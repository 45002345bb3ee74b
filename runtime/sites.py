"""Where a loss is called: the first frame of the stack that is neither torch's nor the guard's."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Any

import torch

from torchlosslint.runtime.findings import Problem

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep
_INNER: dict[int, CodeType] = {}  # code objects of torch and of the guard: kept, so that no id is used twice
MOST_SITES = 4096  # code that is made anew all the time shares one place from here on
MOST_SIGNATURES = 512
SOON = 4  # calls, after which an accelerator may be done


class Site:
    """A place that calls a loss, and what was seen there.

    seen: problems by signature, () where all is well. due: the number of the next call whose
    values are looked at; left: how many calls come before it. keep: whether results are remembered
    until backward. session: whose place this is. resume: the next call whose values are looked at, where
    one comes before it that only reads what an accelerator had to compute.
    """

    __slots__ = (
        *("code", "path", "line", "function", "loss", "left", "checked", "due", "seen", "keep"),
        *("counts", "counted", "slow", "look", "streak", "bad", "session", "cuts", "resume"),
    )

    def __init__(self, code: CodeType, path: str, line: int, function: str, loss: str) -> None:
        self.code = code
        self.path, self.line, self.function, self.loss = path, line, function, loss
        self.session: Any = None
        self.checked = self.left = self.cuts = 0  # cuts: results without gradient, where one could be
        self.due, self.resume = 1, 0
        self.seen: dict[Any, tuple[Problem, ...]] = {}
        self.keep = False
        self.bad = False  # a problem was found here
        self.counts: torch.Tensor | None = None  # labels by class, over the calls that were counted
        self.counted = 0
        self.slow = self.look = 0.0  # seconds
        self.streak: dict[str, tuple[int, float]] = {}  # what several batches in a row had in common

    @property
    def calls(self) -> int:
        """How many there were: counted down to the next check, so that one number serves for both."""
        return self.due - 1 - self.left

    def next(self, due: int) -> None:
        """The number of the next call whose values are looked at."""
        calls = self.calls
        self.due, self.left = due, due - 1 - calls

    def soon(self) -> None:
        """Come back before the next call that is due, to read what an accelerator computes."""
        back = self.calls + SOON
        if back < (self.resume or self.due):
            self.resume = self.resume or self.due
            self.next(back)

    def resumed(self) -> bool:
        """At a call that is due: whether it is so only to read, and the call to be looked at comes later."""
        if self.resume <= self.calls:
            self.resume = 0
            return False
        self.next(self.resume)
        self.resume = 0
        return True

    @property
    def place(self) -> tuple[str, int, str]:
        return self.path, self.line, self.function

    @property
    def seconds(self) -> float:
        """Spent in the guard here: measured where it checked, estimated where it only looked up."""
        return self.slow + self.look * self.calls


def find(frame: FrameType | None, sites: dict[Any, Site], loss: str) -> Site:
    """The site above `frame`, made where it is new."""
    while frame is not None:
        code = frame.f_code
        number = id(code)
        if number not in _INNER:
            site = sites.get((number, frame.f_lasti, loss))
            if site is not None:
                return site
            if not is_inner(code):
                break
            _INNER[number] = code
        frame = frame.f_back
    if frame is None or len(sites) >= MOST_SITES:
        code = frame.f_code if frame else find.__code__
        return sites.setdefault(("many", loss), Site(code, "<many places>", 0, "<many>", loss))
    code = frame.f_code
    site = Site(code, code.co_filename, frame.f_lineno, code.co_name, loss)
    return sites.setdefault((id(code), frame.f_lasti, loss), site)


def is_inner(code: CodeType) -> bool:
    """Whether code belongs to torch or to the guard."""
    path = code.co_filename
    return path.startswith((_TORCH, _OURS, "<frozen ", "<torch"))


def came_from_of(site: Site) -> str:
    """Where the user's code is at this call, if the place itself is in an installed library."""
    return users_frame() if is_library(site.path) else ""


def users_frame() -> str:
    """ "path:line" of the nearest frame outside of installed libraries; "" where that is the call itself."""
    frame: FrameType | None = sys._getframe(1)
    first = True
    while frame is not None:
        path = frame.f_code.co_filename
        if not is_inner(frame.f_code):
            if not is_library(path):
                return "" if first else f"{path}:{frame.f_lineno}"
            first = False
        frame = frame.f_back
    return ""


def is_library(path: str) -> bool:
    return f"{os.sep}site-packages{os.sep}" in path or f"{os.sep}dist-packages{os.sep}" in path
