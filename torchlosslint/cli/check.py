"""`torchlosslint check PATH...`: lint, print, and say how it went by the exit status."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import Any, cast

import click

from torchlosslint.finding import CONFIDENCES, Report
from torchlosslint.report.base import FORMATS, Options, renderer

_LIST = "Codes, prefixes (TLL1), names or ALL; comma-separated or repeated."


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option("--select", multiple=True, metavar="RULES", help=f"Report only these. {_LIST}")
@click.option("--ignore", multiple=True, metavar="RULES", help="Do not report these; written likewise.")
@click.option(
    "--confidence",
    type=click.Choice(CONFIDENCES),
    default="likely",
    show_default=True,
    help="Report findings at least this sure.",
)
@click.option("--format", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although there are findings.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--verbose", is_flag=True, help="List losses that could not be judged, and skipped files.")
def check(paths: tuple[str, ...], select: tuple[str, ...], ignore: tuple[str, ...], **options: Any) -> int:
    """Check files and folders (the working directory if there is no PATH)."""
    # Imported here: the engine brings the parser along, which --help has no need of.
    from torchlosslint.config import ConfigError, Settings
    from torchlosslint.engine import lint
    from torchlosslint.sources.discovery import DiscoveryError

    settings = Settings(select=select, ignore=ignore, **options)
    try:
        report = lint(paths or (".",), settings)
    except (ConfigError, DiscoveryError) as error:
        raise click.UsageError(str(error)) from error
    _write(renderer(settings.format)(report, _display(settings.verbose)))
    return 0 if settings.exit_zero else exit_status(report)


def exit_status(report: Report) -> int:
    """1 if something was found that is more than advice."""
    return int(any(finding.severity != "note" for finding in report.findings))


def _display(verbose: bool) -> Options:
    """Colours only for a terminal that wants them; lines as long as the terminal is wide."""
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Options(verbose, color, width=shutil.get_terminal_size(fallback=(100, 24)).columns)


def _write(pieces: Iterable[str]) -> None:
    """To standard output, whatever its encoding; a reader that had enough (`| head`) is no failure."""
    out = cast(Any, sys.stdout)
    if hasattr(out, "reconfigure"):
        out.reconfigure(errors="backslashreplace")
    try:
        for piece in pieces:
            out.write(piece)
        out.flush()
    except BrokenPipeError:
        # Python flushes once more at exit and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
