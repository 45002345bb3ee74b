"""`torchlosslint check PATH...`: lint, print, and say how it went by the exit status."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import click

from torchlosslint.finding import CONFIDENCES, Report
from torchlosslint.report.base import FORMATS, Options, outputs, renderer

_LIST = "Codes, prefixes (TLL1), names or ALL; comma-separated or repeated."


def _outputs(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Formats are checked before anything is linted."""
    try:
        outputs(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


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
@click.option(
    "--format",
    metavar="FORMAT[:FILE],...",
    default="text",
    show_default=True,
    callback=_outputs,
    help=f"How to print: {', '.join(FORMATS)}. Several at once: sarif:out.sarif,text.",
)
@click.option("--statistics", is_flag=True, help="Count the findings of each rule (text and concise).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although there are findings.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--verbose", is_flag=True, help="List losses that could not be judged, and skipped files.")
def check(
    paths: tuple[str, ...], select: tuple[str, ...], ignore: tuple[str, ...], statistics: bool, **options: Any
) -> int:
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
    for output in outputs(settings.format):
        pieces = renderer(output.format)(report, _display(settings.verbose, statistics))
        if output.path is None:
            _write(pieces)
        else:
            _save(output.path, pieces)
    return 0 if settings.exit_zero else exit_status(report)


def exit_status(report: Report) -> int:
    """1 if something was found that is more than advice."""
    return int(any(finding.severity != "note" for finding in report.findings))


def _display(verbose: bool, statistics: bool) -> Options:
    """Colours only for a terminal that wants them; lines as long as the terminal is wide."""
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size(fallback=(100, 24)).columns
    return Options(verbose, color, columns, statistics)


def _save(path: str, pieces: Iterable[str]) -> None:
    """To a file, as a whole or not at all."""
    target = Path(path)
    try:
        # Made beside the target, so that it can take its place in one step.
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.writelines(pieces)
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"cannot write {path}: {error}") from error


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
