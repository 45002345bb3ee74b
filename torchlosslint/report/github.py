"""Workflow commands of GitHub Actions: findings as annotations on the changed lines.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from collections.abc import Iterator

from torchlosslint.finding import Finding, Report
from torchlosslint.report.base import Options
from torchlosslint.report.display import safe

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def render(report: Report, options: Options) -> Iterator[str]:
    """`::error file=...,line=...::message`, a line each."""
    for finding in report.findings:
        place = finding.location
        fields = {"title": f"{finding.code} {finding.name}", "file": place.path}
        if place.cell is None:  # lines of a notebook's cell are none of its file
            fields |= {"line": str(place.line), "endLine": str(place.end_line)}
            if place.line == place.end_line:
                fields |= {"col": str(place.column), "endColumn": str(place.end_column)}
        given = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
        yield f"::{_LEVELS[finding.severity]} {given}::{_data(_text(finding))}\n"


def _text(finding: Finding) -> str:
    place = finding.location
    where = "" if place.cell is None else f"cell {place.cell}, line {place.line}: "
    lines = [where + finding.message]
    for number, step in enumerate(finding.flow, 1):
        at = step.location
        cell = "" if at.cell is None else f"cell {at.cell}:"
        lines.append(f"{number}. {at.path}:{cell}{at.line}: {step.note}")
    if finding.help:
        lines.append(f"help: {finding.help}")
    return "\n".join(map(safe, lines))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(safe(text)).replace(":", "%3A").replace(",", "%2C")
