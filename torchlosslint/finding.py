"""What a rule reports, in the shape that every output format reads."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Severity = Literal["error", "warning", "note"]
Confidence = Literal["certain", "likely", "possible"]
CONFIDENCES: tuple[Confidence, ...] = ("possible", "likely", "certain")


class Location(Struct, frozen=True, array_like=True):
    """A span of source. Lines and columns count from 1, columns in code points; `cell` is the
    number of the notebook cell, or None."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    cell: int | None = None


class FlowStep(Struct, frozen=True, array_like=True):
    """One step from the cause to the loss."""

    location: Location
    note: str


class Edit(Struct, frozen=True, array_like=True):
    """Replace the span by `text`."""

    location: Location
    text: str


class Fix(Struct, frozen=True, array_like=True):
    """A mechanical change. `safety` is "safe", "unsafe" or "display"."""

    safety: str
    description: str
    edits: tuple[Edit, ...]


class Finding(Struct, frozen=True, array_like=True):
    """One finding. `message` says what is wrong and why it hurts, `help` what to write instead."""

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: str
    help: str
    location: Location
    flow: tuple[FlowStep, ...] = ()
    fix: Fix | None = None


# The reason of a Skipped: the file was followed, but not all of it.
IN_PART = "too large to follow to the end: losses may be missing"


class Skipped(Struct, frozen=True, array_like=True):
    """A file, or a part of the work on it, that was left out, and why."""

    path: str
    reason: str


class LossCalls(Struct, array_like=True):
    """How many loss calls were seen, judged, and left unknown; `reasons` lists the unknown ones
    as (path, line, reason)."""

    seen: int = 0
    judged: int = 0
    unknown: int = 0
    reasons: list[tuple[str, int, str]] = []


class Report(Struct, array_like=True):
    """The outcome of a run: what every format prints. suppressed, baselined: findings that a comment
    or the baseline hides. fails: whether the exit status is 1, where the run has decided that.
    times: seconds by phase, and by the codes of rules. notes: what else the user should know of the run."""

    findings: list[Finding] = []
    files_checked: int = 0
    files_parsed: int = 0
    skipped: list[Skipped] = []
    loss_calls: LossCalls = field(default_factory=LossCalls)
    quiet: dict[tuple[str, str], int] = {}  # (code, what): notes that are not shown
    suppressed: int = 0
    baselined: int = 0
    fails: bool | None = None
    times: dict[str, float] = {}
    notes: list[str] = []
