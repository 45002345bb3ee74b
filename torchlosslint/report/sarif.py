"""SARIF 2.1.0, for code scanning: findings with their flow, rules with their documentation.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub reads of it:
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from torchlosslint import __version__
from torchlosslint.finding import Finding, Location, Report
from torchlosslint.report.base import Options
from torchlosslint.report.lines import fingerprints
from torchlosslint.rule import Rule, load_rules, summary

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "note": "note"}
# How much a reader should trust a finding, in the words of code scanning.
_PRECISION = {"certain": "very-high", "likely": "high", "possible": "medium"}


def render(report: Report, options: Options) -> Iterator[str]:
    """One log with one run."""
    yield json.dumps(document(report), indent=2)
    yield "\n"


def document(report: Report) -> dict[str, Any]:
    """The log as plain data."""
    rules = load_rules()
    index = {rule.code: number for number, rule in enumerate(rules)}
    names = fingerprints(report.findings)
    results = [_result(f, name, index) for f, name in zip(report.findings, names, strict=True)]
    told = [{"level": "note", "message": {"text": f"{skip.path}: {skip.reason}"}} for skip in report.skipped]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "torchlosslint",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"ROOT": {"uri": Path(os.getcwd()).as_uri() + "/"}},
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": told}],
                "results": results,
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    text = inspect.getdoc(type(rule)) or ""
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": summary(rule) or rule.name},
        "fullDescription": {"text": text.split("\n\n", 1)[0] or rule.name},
        "help": {"text": text or rule.name, "markdown": f"```text\n{text}\n```"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity], "enabled": rule.default},
        "properties": {"tags": ["pytorch", "loss", "correctness"], "precision": "high"},
    }


def _result(finding: Finding, fingerprint: str, index: dict[str, int]) -> dict[str, Any]:
    text = f"{finding.message}\n{finding.help}" if finding.help else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [_location(finding.location)],
        "partialFingerprints": {"torchlosslint/v1": fingerprint},
        "properties": {"confidence": finding.confidence, "precision": _PRECISION[finding.confidence]},
    }
    if finding.code in index:
        result["ruleIndex"] = index[finding.code]
    if finding.flow:
        steps = [{"location": {**_location(s.location), "message": {"text": s.note}}} for s in finding.flow]
        end = {"location": {**_location(finding.location), "message": {"text": finding.message}}}
        result["codeFlows"] = [{"threadFlows": [{"locations": [*steps, end]}]}]
    return result


def _location(place: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(place.path)}
    if place.cell is not None:
        # Lines count within the cell, and are no lines of the notebook's file.
        name = f"cell {place.cell}, line {place.line}"
        return {"physicalLocation": physical, "logicalLocations": [{"name": name, "kind": "module"}]}
    physical["region"] = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    return {"physicalLocation": physical}


def _artifact(path: str) -> dict[str, str]:
    if PurePath(path).is_absolute():
        return {"uri": "file://" + _quoted(path)}
    return {"uri": _quoted(path), "uriBaseId": "ROOT"}


def _quoted(path: str) -> str:
    try:
        return quote(os.fsencode(path))
    except UnicodeEncodeError:  # no name of a file on this system
        return quote(path.encode("utf-8", "replace"))
