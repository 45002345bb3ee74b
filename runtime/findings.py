"""What the guard reports, and how the user is told."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from torchlosslint.runtime.catalogue import CODES

PROVED = "proved"
LIKELY = "likely"

_LOG = logging.getLogger("torchlosslint.runtime")
_lock = threading.Lock()
_broken: set[str] = set()


class LossMisuseWarning(UserWarning):
    """A loss of torch is misused. Given once per call site and code."""


class LossMisuseError(ValueError):
    """A loss of torch is misused, under on_misuse="raise". `finding` has the facts."""

    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check says about a call: the code, what is wrong, what to write instead, the figures."""

    code: str
    message: str
    help: str
    certainty: str = PROVED
    evidence: tuple[tuple[str, object], ...] = ()
    severity: str = ""  # "" where it is that of the code


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and its place. `call` counts from 1 at this place; `rank` is of torch.distributed."""

    code: str
    name: str
    severity: str
    certainty: str
    message: str
    help: str
    loss: str
    path: str
    line: int
    function: str
    call: int
    evidence: dict[str, object] = field(default_factory=dict)
    rank: int | None = None
    called_from: str = ""

    def __str__(self) -> str:
        facts = ", ".join(f"{key} {value}" for key, value in self.evidence.items())
        rank = "" if self.rank is None else f" [rank {self.rank}]"
        through = f", reached from {self.called_from}" if self.called_from else ""
        return (
            f"{self.path}:{self.line}: {self.code} {self.name} [{self.severity}, {self.certainty}]{rank}\n"
            f"  {self.message}\n  help: {self.help}\n"
            f"  seen at call {self.call} of {self.loss} in {self.function}{through}"
            + (f": {facts}" if facts else "")
        )

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        keys = (
            "code name severity certainty message help loss path line function call rank called_from".split()
        )
        return {key: getattr(self, key) for key in keys} | {
            "evidence": {key: str(value) for key, value in self.evidence.items()}
        }


def rank() -> int | None:
    """This process's rank, where torch.distributed runs."""
    dist = torch.distributed
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else None


def make(problem: Problem, loss: str, place: tuple[str, int, str], call: int, called_from: str) -> Finding:
    """The finding of a problem at (path, line, function)."""
    name, severity = CODES[problem.code]
    path, line, function = place
    return Finding(
        code=problem.code,
        name=name,
        severity=problem.severity or severity,
        certainty=problem.certainty,
        message=problem.message,
        help=problem.help,
        loss=loss,
        path=path,
        line=line,
        function=function,
        call=call,
        evidence=dict(problem.evidence),
        rank=rank(),
        called_from=called_from,
    )


def tell(finding: Finding, on_misuse: str | Callable[[Finding], Any]) -> None:
    """Tell the user. "raise" raises for proved errors; the rest is a warning then."""
    if callable(on_misuse):
        on_misuse(finding)
    elif on_misuse == "raise" and finding.severity == "error" and finding.certainty == PROVED:
        error = LossMisuseError(str(finding))
        error.finding = finding
        raise error
    elif on_misuse == "log":
        _LOG.log(logging.ERROR if finding.severity == "error" else logging.WARNING, "%s", finding)
    else:
        warnings.warn_explicit(str(finding), LossMisuseWarning, finding.path, finding.line)


def is_broken(check: str) -> bool:
    """Whether a check was switched off because it failed itself."""
    return check in _broken


def broken() -> list[str]:
    """The checks that were switched off."""
    return sorted(_broken)


def switch_off(check: str, error: BaseException) -> None:
    """A check failed: say so once, and never run it again. Training goes on."""
    with _lock:
        if check in _broken:
            return
        _broken.add(check)
    _LOG.warning(
        "the check %r of the loss guard failed and is switched off: %r", check, error, exc_info=error
    )


def switch_on_again() -> None:
    """For tests."""
    _broken.clear()
