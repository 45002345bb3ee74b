"""JSON for other tools. Keys and their order are an interface; "version" changes when they do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from torchlosslint.finding import Finding, Fix, FlowStep, Report
from torchlosslint.report.base import Options


def render(report: Report, options: Options) -> Iterator[str]:
    """The report as one JSON document, in ASCII, so that no terminal or pipe can spoil it."""
    whole = document(report)
    try:
        # json's own way of indenting is written in Python, and ten times as slow.
        yield msgspec.json.format(json.dumps(whole), indent=2)
    except msgspec.DecodeError:  # the name of a file is not text: half of a surrogate pair stands for a byte
        yield json.dumps(whole, indent=2)
    yield "\n"


def document(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "version": 1,
        "findings": [finding_data(finding) for finding in report.findings],
        "summary": summary_data(report),
    }


def summary_data(report: Report) -> dict[str, Any]:
    """The summary as plain data."""
    calls = report.loss_calls
    by_code = Counter(finding.code for finding in report.findings)
    return {
        "files_checked": report.files_checked,
        "files_parsed": report.files_parsed,
        "findings": len(report.findings),
        "by_code": dict(sorted(by_code.items())),
        "skipped": [{"path": skip.path, "reason": skip.reason} for skip in report.skipped],
        "loss_calls": {"seen": calls.seen, "judged": calls.judged, "unknown": calls.unknown},
    }


def finding_data(finding: Finding) -> dict[str, Any]:
    where = finding.location
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "path": where.path,
        "line": where.line,
        "column": where.column,
        "end_line": where.end_line,
        "end_column": where.end_column,
        "cell": where.cell,
        "flow": [_step(step) for step in finding.flow],
        "fix": None if finding.fix is None else _fix(finding.fix),
    }


def _step(step: FlowStep) -> dict[str, Any]:
    where = step.location
    return {
        "path": where.path,
        "line": where.line,
        "column": where.column,
        "cell": where.cell,
        "note": step.note,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "safety": fix.safety,
        "description": fix.description,
        "edits": [
            {
                "path": edit.location.path,
                "line": edit.location.line,
                "column": edit.location.column,
                "end_line": edit.location.end_line,
                "end_column": edit.location.end_column,
                "text": edit.text,
            }
            for edit in fix.edits
        ],
    }
