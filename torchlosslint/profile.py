"""Where the time of a run went, by phase and by rule."""

from __future__ import annotations

from collections.abc import Iterator

from torchlosslint.finding import Report

# In the order of the way of a file through the tool; what else is in the times are codes of rules.
PHASES = {
    "discovery": "rules loaded, folders walked",
    "screen": "bytes looked at, imports resolved, the cache asked",
    "parse": "source to syntax trees, and their lowering",
    "flow": "the interpreter",
    "locate": "positions of what was found",
}


def lines(report: Report) -> Iterator[str]:
    """The times as a table: CPU seconds, summed over processes; of rules, those that took any."""
    times = report.times
    rules = {code: seconds for code, seconds in times.items() if code not in PHASES}
    yield f"{'phase':12}{'CPU s':>8}"
    for phase, about in PHASES.items():
        yield f"{phase:12}{times.get(phase, 0.0):8.2f}  {about}"
    yield f"{'rules':12}{sum(rules.values()):8.2f}  their questions to what the interpreter saw"
    for code, seconds in sorted(rules.items(), key=lambda item: (-item[1], item[0])):
        if seconds < 0.005:
            break
        yield f"  {code:10}{seconds:8.2f}"
