"""JSON lines: each finding on a line of its own, the summary last. For streams and for grep."""

from __future__ import annotations

import json
from collections.abc import Iterator

from torchlosslint.finding import Report
from torchlosslint.report.base import Options
from torchlosslint.report.json import finding_data, summary_data


def render(report: Report, options: Options) -> Iterator[str]:
    """{"type": "finding", ...} for each, in the shape of the JSON format; then {"type": "summary", ...}."""
    for finding in report.findings:
        yield json.dumps({"type": "finding", **finding_data(finding)}) + "\n"
    yield json.dumps({"type": "summary", "version": 1, **summary_data(report)}) + "\n"
