"""The code quality report of GitLab: findings in the merge request.

Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from torchlosslint.finding import Report
from torchlosslint.report.base import Options
from torchlosslint.report.lines import fingerprints

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def render(report: Report, options: Options) -> Iterator[str]:
    """One JSON array."""
    yield json.dumps(
        [
            {
                "description": f"{finding.code}: {finding.message}",
                "check_name": finding.name,
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[finding.severity],
                "location": {
                    "path": finding.location.path,
                    "positions": {
                        "begin": {"line": finding.location.line, "column": finding.location.column},
                        "end": {"line": finding.location.end_line, "column": finding.location.end_column},
                    },
                },
            }
            for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
        ],
        indent=2,
    )
    yield "\n"
