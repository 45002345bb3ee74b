"""The code quality report of GitLab: findings in the merge request.

Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from torchlosslint.finding import Location, Report
from torchlosslint.report.base import Options
from torchlosslint.report.lines import fingerprints

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def render(report: Report, options: Options) -> Iterator[str]:
    """One JSON array."""
    yield json.dumps(
        [
            {
                "description": f"{finding.code}: {_cell(finding.location)}{finding.message}",
                "check_name": finding.name,
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[finding.severity],
                "location": {
                    "path": finding.location.path,
                    "positions": _positions(finding.location),
                },
            }
            for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
        ],
        indent=2,
    )
    yield "\n"


def _cell(place: Location) -> str:
    return "" if place.cell is None else f"cell {place.cell}, line {place.line}: "


def _positions(place: Location) -> dict[str, dict[str, int]]:
    """Where it is in the file. Lines of a notebook's cell are none of its file, and one has to be named."""
    if place.cell is not None:
        return {"begin": {"line": 1, "column": 1}, "end": {"line": 1, "column": 1}}
    return {
        "begin": {"line": place.line, "column": place.column},
        "end": {"line": place.end_line, "column": place.end_column},
    }
