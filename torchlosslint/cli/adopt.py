"""What `check` does besides printing findings: baselines, suppressions, what would be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from torchlosslint.config import ConfigError, Configuration
from torchlosslint.config.show import settings_text
from torchlosslint.finding import CONFIDENCES, Report


def options(command: Any) -> Any:
    """The options of `check` about configuration, suppressions and the baseline."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--confidence",
        type=click.Choice(CONFIDENCES),
        help="Report findings at least this sure.  [default: likely]",
    ),
    click.option(
        "--fail-on",
        type=click.Choice(("error", "warning")),
        help="The least severity that makes the exit status 1.  [default: warning]",
    ),
    click.option(
        "--config",
        multiple=True,
        metavar="KEY=VALUE",
        help="A key of the configuration, above all files; repeatable.",
    ),
    click.option("--isolated", is_flag=True, help="Read no configuration file."),
    click.option("--force-exclude", is_flag=True, help="Leave out excluded files even if named one by one."),
    click.option("--require-reason", is_flag=True, help="Suppressions that give no reason hide nothing."),
    click.option("--add-ignores", metavar="REASON", help="Write a suppression for each finding."),
    click.option("--baseline", metavar="FILE", help="Known findings, which are not reported."),
    click.option("--write-baseline", metavar="FILE", help="Write what is found as a baseline."),
    click.option("--show-settings", is_flag=True, help="Print the settings of the files, and check nothing."),
    click.option("--show-files", is_flag=True, help="Print the files to check, and check nothing."),
)


# What `check` does instead of printing findings.
INSTEAD = ("write_baseline", "add_ignores", "show_settings", "show_files")


def flag_table(options: dict[str, Any], rules: Sequence[Any]) -> dict[str, Any]:
    """The flags (taken out of `options`) and `--config` as a file would say them."""
    from torchlosslint.config.configuration import flag_table as parsed

    table = parsed(options.pop("config"), rules)
    for name in ("select", "ignore", "confidence", "fail_on", "baseline"):
        value = options.pop(name)
        if value:
            table[name.replace("_", "-")] = value
    for name in ("force_exclude", "require_reason"):
        if options.pop(name):
            table[name.replace("_", "-")] = True
    return table


def contradictions(asked: dict[str, Any]) -> None:
    """Flags that cannot be had together; ConfigError."""
    given = ["--" + name.replace("_", "-") for name in INSTEAD if asked[name]]
    if len(given) > 1:
        raise ConfigError(f"{given[0]} and {given[1]} cannot be had together")
    if asked["baseline"] and asked["write_baseline"]:
        raise ConfigError("--write-baseline writes all that is found: leave --baseline out")
    if asked["add_ignores"] is not None and not asked["add_ignores"].strip():
        raise ConfigError('--add-ignores wants a reason: --add-ignores "known, see issue 12"')


def something_left(table: dict[str, Any], rules: Sequence[Any]) -> None:
    """ConfigError where --select and --ignore leave no rule: finding nothing would say nothing."""
    from torchlosslint.config import Settings, selection
    from torchlosslint.config.keys import listed
    from torchlosslint.config.selection import ALWAYS, split

    select, ignore = (listed(table.get(name, ())) for name in ("select", "ignore"))
    if not ignore or not (select or "ALL" in (each.upper() for each in split(ignore))):
        return
    if not selection(Settings(select=select, ignore=ignore), rules).codes - {ALWAYS}:
        said = f"--select {','.join(select)} and " if select else ""
        raise ConfigError(f"{said}--ignore {','.join(ignore)}: no rule is left")


def show_files(paths: Sequence[str], configuration: Configuration) -> None:
    """Print the files that would be checked."""
    from torchlosslint.engine import discovered

    for path in discovered(paths, configuration)[0].files:
        click.echo(path)


def show_settings(paths: Sequence[str], configuration: Configuration) -> None:
    """Print the settings of the files that would be checked, once for each configuration."""
    from torchlosslint.engine import discovered

    found = discovered(paths, configuration)[0]
    groups: dict[Any, list[str]] = {}
    for path in found.files:
        groups.setdefault(configuration.of_file(path), []).append(path)
    for settings, files in groups.items() or {configuration.of(""): []}.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        click.echo(f"# {files[0] if files else 'no file'}{more}")
        click.echo(settings_text(settings))


def write_baseline(path: str, report: Report) -> None:
    """Write the findings of a report as a baseline, and say so."""
    from torchlosslint import baseline

    findings = [f for f in report.findings if f.code != "TLL002"]
    try:
        count = baseline.write(path, findings)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror or error}") from error
    click.echo(f"{path}: {_count(count, 'finding')}, which --baseline {path} will not report again")


def add_ignores(reason: str, report: Report) -> bool:
    """Write suppressions for the findings of a report, and say so; whether all of them have one now."""
    from torchlosslint.ignores import add

    added = add(report.findings, " ".join(reason.split()))
    click.echo(f"suppressed {_count(added.findings, 'finding')} in {_count(added.files, 'file')}")
    for where, why in added.left:
        cell = f"cell {where.cell}:" if where.cell is not None else ""
        click.echo(f"left: {where.path}:{cell}{where.line}: {why}")
    return not added.left


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
