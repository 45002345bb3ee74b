"""Everything that a run can be told, for one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torchlosslint.contracts.declared import Declared
from torchlosslint.finding import CONFIDENCES, Confidence, Severity

FailOn = Literal["error", "warning"]
NOTHING = Declared()


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns as in a .gitignore, and the folder that they are relative to (absolute, posix)."""

    folder: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run can be told.

    select, ignore: codes, prefixes of codes ("TLL1"), names, or "ALL"; nothing selected means
    every rule that is on by default. extend_select adds to what is selected; deny takes away whatever
    is selected (an --ignore above a file). roots: further folders in which absolute imports are
    looked up. per_file_ignores: patterns, each with selectors. severities: selectors, each with the
    severity of its findings. torch: the version that the code runs on, (major, minor).
    source: the configuration file, "" for none. jobs: processes, 0 for as many as there are cores to use.
    profile: rules are timed.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    confidence: Confidence = "likely"
    format: str = "text"
    exit_zero: bool = False
    no_cache: bool = False
    verbose: bool = False
    jobs: int = 1
    profile: bool = False
    roots: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[Patterns, tuple[str, ...]], ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()
    exclude: tuple[Patterns, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    fail_on: FailOn = "warning"
    torch: tuple[int, int] | None = None
    require_reason: bool = False
    baseline: str = ""
    declared: Declared = NOTHING
    source: str = ""

    def shows(self, confidence: Confidence) -> bool:
        """Whether a finding of this confidence is reported."""
        return CONFIDENCES.index(confidence) >= CONFIDENCES.index(self.confidence)

    def fails(self, severity: Severity) -> bool:
        """Whether a finding of this severity makes the exit status 1."""
        return severity == "error" or (severity == "warning" and self.fail_on == "warning")
