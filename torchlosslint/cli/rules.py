"""`torchlosslint rules`: the catalogue, one line a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from torchlosslint.rule import Rule


@click.command()
def rules() -> None:
    """List all rules."""
    from torchlosslint.rule import load_rules, summary

    found = load_rules()
    columns = zip(*map(_row, found), strict=True)
    widths = [max(map(len, column)) for column in columns]
    for rule in found:
        cells = "  ".join(text.ljust(size) for text, size in zip(_row(rule), widths, strict=True))
        click.echo(f"{cells}  {summary(rule)}".rstrip())


def _row(rule: Rule) -> tuple[str, str, str]:
    return rule.code, rule.name, rule.severity if rule.default else f"{rule.severity} (off)"
