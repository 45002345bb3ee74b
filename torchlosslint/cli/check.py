"""`torchlosslint check PATH...`: lint, print, and say how it went by the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import click

from torchlosslint.cli import adopt, complete
from torchlosslint.cli.help import Check
from torchlosslint.cli.progress import progress
from torchlosslint.cli.terminal import display
from torchlosslint.finding import Report
from torchlosslint.report.base import FORMATS, outputs, renderer

STDIN = "-"
_LIST = "Codes, prefixes (TLL1), names or ALL; comma-separated or repeated."


def _outputs(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Formats are checked before anything is linted."""
    try:
        outputs(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.command(cls=Check, short_help="Check files and folders.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option(
    "--select",
    multiple=True,
    metavar="RULES",
    shell_complete=complete.rules,
    help=f"Report only these. {_LIST}",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="RULES",
    shell_complete=complete.rules,
    help="Do not report these; written likewise.",
)
@adopt.options
@click.option(
    "--format",
    metavar="FORMAT[:FILE],...",
    default="text",
    show_default=True,
    callback=_outputs,
    shell_complete=complete.formats,
    help=f"How to print: {', '.join(FORMATS)}. Several at once: sarif:out.sarif,text.",
)
@click.option("--statistics", is_flag=True, help="Count the findings of each rule (text and concise).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although there are findings.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option(
    "--jobs",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Processes to work with.  [default: the cores there are to use]",
)
@click.option("--profile", is_flag=True, help="Say where the time went, on standard error.")
@click.option("--verbose", is_flag=True, help="List losses that could not be judged, and skipped files.")
@click.option(
    "--project",
    default="",
    metavar="FOLDER",
    help="Read this folder along with the PATHs, and report only what touches a PATH.",
)
@click.option("--stdin-filename", metavar="NAME", help="Where the program that - reads belongs.")
@click.option("--watch", is_flag=True, help="Check again whenever a file changes.")
def check(
    paths: tuple[str, ...], watch: bool, stdin_filename: str | None, statistics: bool, **options: Any
) -> int:
    """Check files and folders (the working directory if there is no PATH); - reads a program from
    standard input."""
    if STDIN not in paths:
        if stdin_filename is not None:
            raise click.UsageError("--stdin-filename says where the program of - belongs: give - as the PATH")
        paths = paths or (".",)
        if watch:
            for name in adopt.INSTEAD:
                if options[name]:
                    raise click.UsageError(f"--watch and --{name.replace('_', '-')} cannot be had together")
            from torchlosslint.cli.watch import watching

            return watching(paths, lambda: _run(paths, statistics, dict(options)))
        return _run(paths, statistics, options)
    if len(paths) > 1:
        raise click.UsageError("- stands alone: other PATHs cannot be had beside it")
    if watch or options["add_ignores"]:
        raise click.UsageError(f"{'--watch' if watch else '--add-ignores'} needs files, not standard input")
    from torchlosslint.sources.decode import instead

    name = stdin_filename or "<stdin>"
    if os.path.isdir(name):
        raise click.UsageError(f"--stdin-filename names a folder: {name}")
    with instead(name, sys.stdin.buffer.read()):
        # Other processes would read the file.
        return _run((name,), statistics, {**options, "jobs": 1})


def _run(paths: tuple[str, ...], statistics: bool, options: dict[str, Any]) -> int:
    """Check once."""
    # Imported here: the engine brings the parser along, which --help has no need of.
    from torchlosslint.cache import default_folder
    from torchlosslint.config import ConfigError, Configuration, Settings
    from torchlosslint.engine import lint
    from torchlosslint.rule import load_rules
    from torchlosslint.sources.discovery import DiscoveryError

    project = options.pop("project")
    do = {name: options.pop(name) for name in adopt.INSTEAD}
    try:
        adopt.contradictions({**do, "baseline": options["baseline"]})
        rules = load_rules()
        isolated = options.pop("isolated")
        table = adopt.flag_table(options, rules)
        adopt.something_left(table, rules)
        configuration = Configuration(table, Settings(**options), rules, isolated)
        if do["show_files"] or do["show_settings"]:
            show = adopt.show_files if do["show_files"] else adopt.show_settings
            show(paths, configuration)
            return 0
        settings = configuration.of("")
        if do["write_baseline"]:
            settings = replace(settings, baseline="")
        cache = "" if settings.no_cache else default_folder()
        shown = progress()
        try:
            report = lint(paths, settings, configuration, cache, project, shown, rules)
        finally:
            if shown is not None:
                shown.end()
    except (ConfigError, DiscoveryError) as error:
        # Without the usage of the command: the mistake is in a file, or plain from the message.
        raise click.ClickException(str(error)) from error
    _tell(report, settings.profile)
    if do["write_baseline"]:
        adopt.write_baseline(do["write_baseline"], report)
        return 0
    if do["add_ignores"]:
        return 0 if adopt.add_ignores(do["add_ignores"], report) or settings.exit_zero else 1
    for output in outputs(settings.format):
        pieces = renderer(output.format)(report, display(settings.verbose, statistics))
        if output.path is None:
            _write(pieces)
        else:
            _save(output.path, pieces)
    return 0 if settings.exit_zero else exit_status(report)


def _tell(report: Report, profile: bool) -> None:
    """What is no finding, on standard error."""
    for note in report.notes:
        click.echo(f"torchlosslint: {note}", err=True)
    if profile:
        from torchlosslint.profile import lines

        for line in lines(report):
            click.echo(line, err=True)


def exit_status(report: Report) -> int:
    """1 if something was found that is more than advice (or whatever the run's settings say)."""
    if report.fails is not None:
        return int(report.fails)
    return int(any(finding.severity != "note" for finding in report.findings))


def _save(path: str, pieces: Iterable[str]) -> None:
    """To a file, as a whole or not at all."""
    from torchlosslint.sources.write import write_atomically

    try:
        write_atomically(path, "".join(pieces).encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error  # which would name the draft
        raise click.ClickException(f"cannot write {path}: {why}") from error


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
