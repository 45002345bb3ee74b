"""What a shell offers while one types: rules, and formats."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from torchlosslint.report.base import FORMATS


def rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes and names of rules; of a list with commas, the last one."""
    from torchlosslint.rule import load_rules, summary

    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(before + comma + text, help=summary(rule))
        for rule in load_rules()
        for text in (rule.code, rule.name)
        if text.lower().startswith(last.lower())
    ]


def formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Formats; of a list with commas, the last one."""
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(before + comma + name) for name in FORMATS if name.startswith(last)]
