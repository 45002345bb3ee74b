"""`torchlosslint explain CODE`: what a rule finds, why it matters, and what to do."""

from __future__ import annotations

import click


@click.command()
@click.argument("rule")
def explain(rule: str) -> None:
    """Explain a RULE, given by its code or name."""
    from torchlosslint.config import ConfigError, find_rule
    from torchlosslint.rule import lines, load_rules

    rules = load_rules()
    try:
        code = find_rule(rule, rules)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    chosen = next(each for each in rules if each.code == code)
    default = "" if chosen.default else ", off unless selected"
    click.echo(f"{chosen.code} {chosen.name} ({chosen.severity}{default})\n")
    for line in lines(chosen):
        click.echo(line)
