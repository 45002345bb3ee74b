"""`torchlosslint rules`: the catalogue, one line a rule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from torchlosslint.rule import Rule


@click.command()
@click.option(
    "--format",
    "how",
    type=click.Choice(("text", "markdown", "json")),
    default="text",
    show_default=True,
    help="How to print.",
)
def rules(how: str) -> None:
    """List all rules, those of installed plugins too.

    "(off)" marks a rule that runs only where it is selected by its code or name.
    """
    from torchlosslint.report.explain import record
    from torchlosslint.rule import load_rules, summary

    found = load_rules()
    if how == "json":
        click.echo(json.dumps([record(rule, full=False) for rule in found], indent=2))
        return
    if how == "markdown":
        click.echo("\n".join(table(found)))
        return
    columns = zip(*map(_row, found), strict=True)
    widths = [max(map(len, column)) for column in columns]
    from torchlosslint.cli.terminal import display
    from torchlosslint.report.display import wrap

    options = display()
    room = options.width - sum(widths) - 2 * len(widths)
    if options.terminal and any(len(summary(rule)) > room for rule in found):
        for rule in found:
            code, name, kind = _row(rule)
            click.echo(f"{code} {name} [{kind}]")
            for line in wrap(summary(rule), options.width, "    "):
                click.echo(line)
        return
    for rule in found:
        cells = "  ".join(text.ljust(size) for text, size in zip(_row(rule), widths, strict=True))
        click.echo(f"{cells}  {summary(rule)}".rstrip())


def table(found: list[Rule]) -> list[str]:
    """The rules as the lines of a Markdown table."""
    from torchlosslint.rule import summary

    rows = [f"| {code} | {name} | {kind} |" for code, name, kind in map(_row, found)]
    rows = [f"{row} {summary(rule)} |" for row, rule in zip(rows, found, strict=True)]
    return ["| code | name | severity | what it finds |", "| --- | --- | --- | --- |", *rows]


def _row(rule: Rule) -> tuple[str, str, str]:
    return rule.code, rule.name, rule.severity if rule.default else f"{rule.severity} (off)"
