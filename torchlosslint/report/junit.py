"""JUnit XML, which every CI shows: a test case for each finding, or one that passed.

Source: the schema of https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from torchlosslint.finding import Finding, Report
from torchlosslint.report.base import Options
from torchlosslint.report.display import safe
from torchlosslint.report.text import where


def render(report: Report, options: Options) -> Iterator[str]:
    """One document. Notes pass: they never change the exit status."""
    failed = [finding for finding in report.findings if finding.severity != "note"]
    counts = f'tests="{max(len(report.findings), 1)}" failures="{len(failed)}" errors="0"'
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="torchlosslint" {counts}>\n'
    yield f'  <testsuite name="torchlosslint" {counts}>\n'
    for finding in report.findings:
        yield from _case(finding)
    if not report.findings:
        files = f"{report.files_checked} files checked"
        yield f'    <testcase classname="torchlosslint" name={quoteattr(files)} />\n'
    yield "  </testsuite>\n</testsuites>\n"


def _case(finding: Finding) -> Iterator[str]:
    place = finding.location
    name = f"{finding.code} {finding.name} ({where(place)})"
    head = f"    <testcase classname={_quoted(place.path)} name={_quoted(name)} file={_quoted(place.path)} "
    yield head + f'line="{place.line}">\n'
    lines = [f"{where(place)}: {finding.message}"]
    lines += [f"{number}. {where(s.location)}: {s.note}" for number, s in enumerate(finding.flow, 1)]
    lines += [f"help: {finding.help}"] if finding.help else []
    text = escape("\n".join(map(safe, lines)))
    if finding.severity == "note":
        yield f"      <system-out>{text}</system-out>\n"
    else:
        message = _quoted(finding.message)
        yield f'      <failure type="{finding.severity}" message={message}>{text}</failure>\n'
    yield "    </testcase>\n"


def _quoted(text: str) -> str:
    return quoteattr(safe(text))
