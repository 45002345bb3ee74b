"""What standard output can show."""

from __future__ import annotations

import os
import shutil
import sys

from torchlosslint.report.base import Options


def display(verbose: bool = False, statistics: bool = False) -> Options:
    """Colours only for a terminal that wants them; lines as long as the terminal is wide."""
    terminal = sys.stdout.isatty()
    color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size(fallback=(100, 24)).columns
    return Options(verbose, color, columns, statistics, terminal)
