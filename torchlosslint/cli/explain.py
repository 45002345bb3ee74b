"""`torchlosslint explain RULE`: what a rule finds, why it matters, and what to do."""

from __future__ import annotations

import json

import click

from torchlosslint.cli import complete


@click.command()
@click.argument("rule", shell_complete=complete.rules)
@click.option(
    "--format",
    "how",
    type=click.Choice(("text", "markdown", "json")),
    default="text",
    show_default=True,
    help="How to print.",
)
def explain(rule: str, how: str) -> None:
    """Explain a RULE, given by its code or name.

    Says what the rule finds, why it hurts, wrong and right code, and when to leave the code as it is.
    """
    from torchlosslint.cli.terminal import display
    from torchlosslint.config import ConfigError, find_rule
    from torchlosslint.report.explain import markdown, record, text
    from torchlosslint.report.guarded import of_the_guard
    from torchlosslint.rule import load_rules

    rules = [*load_rules(), *of_the_guard()]
    try:
        code = find_rule(rule, rules)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    chosen = next(each for each in rules if each.code == code)
    if how == "json":
        click.echo(json.dumps(record(chosen), indent=2))
    elif how == "markdown":
        click.echo(markdown(chosen, level=1))
    else:
        for line in text(chosen, display()):
            click.echo(line.rstrip())
