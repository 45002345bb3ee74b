"""Who is watched, with which settings, and where what was seen is kept."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from torchlosslint.runtime.fast import HOT
from torchlosslint.runtime.findings import Finding, Problem, make, tell
from torchlosslint.runtime.sites import Site, came_from_of

OnMisuse = str | Callable[[Finding], Any]
WORDS = ("warn", "raise", "log")
VARIABLE = "TORCHLOSSLINT_GUARD"
MOST = 10_000  # findings that are kept
KEPT = 64  # sessions that are kept for the report


class Session:
    """One guard: its settings, the places it saw, what it found.

    every: how often the numbers are looked at: 0 for the first three calls and powers of two,
    else each so manieth call. sync: whether an accelerator may be waited for.
    """

    def __init__(
        self,
        on_misuse: OnMisuse = "warn",
        ignore: Iterable[str] = (),
        every: int = 0,
        sync: bool = False,
        first: int = 3,
    ) -> None:
        if not callable(on_misuse) and on_misuse not in WORDS:
            raise ValueError(f"on_misuse is one of {', '.join(WORDS)} or a function, not {on_misuse!r}")
        word = os.environ.get(VARIABLE, "")
        if word not in ("", "off", "warn", "raise"):
            raise ValueError(f"{VARIABLE} is off, warn or raise, not {word!r}")
        self.off = word == "off"
        self.on_misuse: OnMisuse = word if word in ("warn", "raise") else on_misuse
        self.ignore, self.every, self.sync, self.first = codes(ignore), every, sync, first
        self.sites: dict[Any, Site] = {}
        self.findings: list[Finding] = []
        self.told: set[tuple[int, str, int, str]] = set()
        self._lock = threading.Lock()
        SESSIONS.append(self)
        if len(SESSIONS) > KEPT:
            oldest = next((s for s in SESSIONS[:-1] if not WATCHED.uses(s)), None)
            if oldest is not None:
                SESSIONS.remove(oldest)

    def next_due(self, calls: int) -> int:
        """The number of the next call whose values are looked at, after this one."""
        if self.every:
            return calls + self.every
        return calls + 1 if calls < self.first else 1 << calls.bit_length()

    def take(
        self,
        site: Site,
        problems: tuple[Problem, ...],
        call: int = 0,
        came_from: str | None = None,
        quiet: bool = False,
    ) -> None:
        """Report the problems of a call: each code once a place, except that "raise" raises every time.

        call, came_from: of an earlier call, where its numbers came late. quiet: "raise" warns.
        """
        site.bad = site.bad or bool(problems)
        for problem in problems:
            if problem.code.startswith(self.ignore) and self.ignore:
                continue
            key = (id(site.code), site.path, site.line, problem.code)
            with self._lock:
                new = key not in self.told
                self.told.add(key)
            if not new and self.on_misuse != "raise":
                continue
            through = came_from_of(site) if came_from is None else came_from
            finding = make(problem, site.loss, site.place, call or site.calls, through)
            if new and len(self.findings) < MOST:
                self.findings.append(finding)
            if new or (finding.severity == "error" and finding.certainty == "proved"):
                tell(finding, "warn" if quiet and self.on_misuse == "raise" else self.on_misuse)


def codes(ignore: Iterable[str]) -> tuple[str, ...]:
    """One code is meant as one, not as its letters."""
    return (ignore,) if isinstance(ignore, str) else tuple(ignore)


SESSIONS: list[Session] = []


class _Watched:
    """What the wrappers ask at every call. Plain attributes: reading one is all that a call costs."""

    def __init__(self) -> None:
        self.instances: dict[int, tuple[weakref.ref[Any], Session]] = {}
        self.stack: list[Session] = []  # guarded() blocks, innermost last
        self.installed: Session | None = None
        self.top: Session | None = None  # innermost block, else what install() set
        self.regions = 0  # own criteria that are running in some thread
        self.local = threading.local()
        self.lock = threading.RLock()

    def uses(self, session: Session) -> bool:
        """Whether calls may still be seen by this one."""
        instances = list(self.instances.values())
        return session is self.installed or session in self.stack or any(s is session for _, s in instances)

    def renew(self) -> None:
        top = self.stack[-1] if self.stack else self.installed
        self.top = None if top is None or top.off else top
        HOT.clear()

    def add(self, module: Any, session: Session) -> None:
        number = id(module)

        def gone(_: Any) -> None:
            self.drop(number)

        self.instances[number] = (weakref.ref(module, gone), session)
        HOT.clear()

    def drop(self, number: int) -> None:
        """The instance with this id() is not watched any more."""
        self.instances.pop(number, None)
        HOT.clear()

    def region(self) -> Session | None:
        """Where a guarded criterion of the project's own runs in this thread."""
        return getattr(self.local, "session", None) if self.regions else None


WATCHED = _Watched()
