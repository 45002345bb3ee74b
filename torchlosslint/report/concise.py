"""One line a finding, for editors, grep and long logs."""

from __future__ import annotations

from collections.abc import Iterator

from torchlosslint.finding import Report
from torchlosslint.report.base import Options
from torchlosslint.report.display import safe
from torchlosslint.report.text import summary, where


def render(report: Report, options: Options) -> Iterator[str]:
    """`path:line:column: CODE [severity] message`, then the summary."""
    for finding in report.findings:
        place, code, message = where(finding.location), safe(finding.code), safe(finding.message)
        yield f"{place}: {code} [{finding.severity}] {message}\n"
    for line in summary(report, options):
        yield line + "\n"
