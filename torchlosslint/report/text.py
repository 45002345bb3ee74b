"""Text for people: the culprit underlined, the way it took, and what to write instead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from torchlosslint.finding import IN_PART, Finding, Location, Report, Skipped
from torchlosslint.report.base import Options
from torchlosslint.report.display import excerpt, safe, width, wrap
from torchlosslint.report.lines import Sources

_COLORS = {"error": "31", "warning": "33", "note": "36"}
_PAINT = re.compile(r"\x1b\[\d+m")
_BOLD, _DIM, _GREEN = "1", "2", "32"


def render(report: Report, options: Options) -> Iterator[str]:
    """Every finding, then, with --verbose, what was left unjudged or skipped, then the summary."""
    printer = _Printer(options)
    for finding in report.findings:
        yield from _ended(printer.finding(finding))
        yield "\n"
    yield from _ended(printer.left_out(report))
    *further, last = printer.summary(report)
    yield from _ended(further)
    yield from _ended(_parts(last, printer.width) if options.terminal else [last])


def summary(report: Report, options: Options) -> Iterator[str]:
    """The lines of the summary."""
    return _Printer(options).summary(report)


class _Printer:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.width = max(options.width, 40)
        self.sources = Sources()

    def finding(self, finding: Finding) -> Iterator[str]:
        """One finding, without a final empty line."""
        color = _COLORS[finding.severity]
        # The gutter is as wide as the longest line number in it, so that all bars stand in line.
        places = [finding.location, *(step.location for step in finding.flow)]
        gutter = max(len(str(place.line)) for place in places)
        doubt = "" if finding.confidence == "certain" else f" ({finding.confidence})"
        yield (
            f"{self.paint(where(finding.location), _BOLD)}: {self.paint(safe(finding.code), color)} "
            f"{safe(finding.name)} {self.paint(f'[{finding.severity}]', color)}{doubt}"
        )
        yield from wrap(finding.message, self.width, "  ")
        yield from self.source(finding.location, "  ", gutter, color)
        if finding.flow:
            yield "  how the value gets there:"
        for number, step in enumerate(finding.flow, 1):
            first = f"  {number}. "
            indent = " " * len(first)
            yield from wrap(f"{where(step.location)}: {step.note}", self.width, indent, first)
            yield from self.source(step.location, indent, gutter, color)
        if finding.help:
            first, *rest = wrap(finding.help, self.width, " " * 8, "  help: ")
            yield first.replace("help:", self.paint("help:", _GREEN), 1)
            yield from rest

    def source(self, place: Location, indent: str, gutter: int, color: str) -> Iterator[str]:
        """The first line of a span, underlined; nothing if the file has changed or vanished."""
        lines = self.sources.lines(place)
        if not 0 < place.line <= len(lines):
            return
        line = lines[place.line - 1]
        if not line.strip():
            return
        end = place.end_column - 1 if place.end_line == place.line else len(line)
        room = max(self.width - len(indent) - gutter - 3, 20)
        text, carets = excerpt(line, place.column - 1, end, room)
        number, blank = str(place.line).rjust(gutter), " " * gutter
        yield f"{indent}{self.paint(number + ' |', _DIM)} {text}"
        yield f"{indent}{self.paint(blank + ' |', _DIM)} {self.paint_carets(carets, color)}"

    def left_out(self, report: Report) -> Iterator[str]:
        """What the summary only counts. Skipped paths are also told where nothing else was checked."""
        calls = report.loss_calls
        if self.options.verbose and calls.reasons:
            yield f"losses that could not be judged ({len(calls.reasons)}):"
            for path, line, reason in calls.reasons:
                yield from wrap(f"{path}:{line}: {reason}", self.width, "    ", "  ")
            yield ""
        skipped, in_part = _skipped(report)
        if in_part and self.options.verbose:
            yield f"followed in part, for their size ({len(in_part)}): losses may be missing"
            for path in in_part:
                yield f"  {safe(path)}"
            yield ""
        if skipped and (self.options.verbose or not report.files_checked):
            yield f"skipped ({len(skipped)}):"
            for skip in skipped:
                yield from wrap(f"{skip.path}: {skip.reason}", self.width, "    ", "  ")
            yield ""

    def summary(self, report: Report) -> Iterator[str]:
        """The last line: what was found, in how much, and how far the tool could see."""
        counts = Counter(finding.severity for finding in report.findings)
        found = ", ".join(_count(counts[kind], kind) for kind in ("error", "warning", "note") if counts[kind])
        if not report.files_checked and not report.findings:
            yield "nothing was checked: no Python files found"
            return
        calls = report.loss_calls
        parts = [
            self.paint(found or "no findings", _BOLD if found else _GREEN),
            f"{_count(report.files_checked, 'file')} checked",
            f"{_count(calls.seen, 'loss call')}: {calls.judged} judged, {calls.unknown} unknown"
            if calls.seen
            else "no loss calls",
        ]
        for number, what in ((report.suppressed, "suppressed"), (report.baselined, "in the baseline")):
            if number:
                parts.append(f"{number} {what}")
        skipped, in_part = _skipped(report)
        for number, what in ((len(in_part), "followed in part"), (len(skipped), "skipped")):
            if number:
                parts.append(f"{number} {what}")
        if self.options.statistics:
            yield from statistics(report)
        for (code, what), number in sorted(report.quiet.items()):
            yield f"{what}: {number} (--select {code} lists them)"
        hidden = not self.options.verbose and (calls.unknown or report.skipped)
        yield "; ".join(parts) + (" (--verbose lists them)" if hidden else "")

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.options.color else text

    def paint_carets(self, carets: str, color: str) -> str:
        """The colour starts at the first caret, not in the blank before it."""
        marks = carets.lstrip()
        return carets[: len(carets) - len(marks)] + self.paint(marks, color)


def _parts(line: str, columns: int) -> Iterator[str]:
    """The last line, broken between its parts."""
    *parts, last = line.split("; ")
    shown = ""
    for part in (*(f"{part};" for part in parts), last):
        longer = f"{shown} {part}" if shown else part
        if shown and width(_PAINT.sub("", longer)) > columns:
            yield shown
            longer = f"  {part}"
        shown = longer
    yield shown


def _skipped(report: Report) -> tuple[list[Skipped], list[str]]:
    """What was skipped, and the files that were followed in part."""
    whole = [skip for skip in report.skipped if skip.reason != IN_PART]
    return whole, [skip.path for skip in report.skipped if skip.reason == IN_PART]


def where(place: Location) -> str:
    cell = "" if place.cell is None else f"cell {place.cell}:"
    return f"{safe(place.path)}:{cell}{place.line}:{place.column}"


def statistics(report: Report) -> Iterator[str]:
    """How often each rule was broken, most often first."""
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    gutter = max((len(str(number)) for number in counts.values()), default=0)
    for (code, name), number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{number:>{gutter}}  {safe(code)}  {safe(name)}"
    if counts:
        yield ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _ended(lines: Iterable[str]) -> Iterator[str]:
    return (line + "\n" for line in lines)
