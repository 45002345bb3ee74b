"""The options of `check` for --help: in sections, by what one wants of them."""

from __future__ import annotations

from collections.abc import Iterator

import click

SECTIONS = {
    "What is reported": ("select", "ignore", "confidence", "fail_on", "exit_zero"),
    "How it is printed": ("format", "statistics", "verbose"),
    "What is read": ("project", "stdin_filename", "watch", "force_exclude", "show_files"),
    "How it is worked": ("jobs", "no_cache", "profile"),
    "Configuration": ("config", "isolated", "show_settings"),
    "Known findings": ("baseline", "write_baseline", "add_ignores", "require_reason"),
}
EXAMPLES = (
    ("torchlosslint", "the working directory, with everything below it"),
    ("torchlosslint train.py notebooks/", "a file, and a folder"),
    ("torchlosslint --select TLL1,TLL301 src", "one family of rules, and one rule"),
    ("torchlosslint --format sarif:out.sarif,text src", "a file for code scanning, and text"),
    ("torchlosslint --write-baseline known.json .", "write down what is found today"),
    ("torchlosslint --baseline known.json .", "report what came since"),
    ("torchlosslint --project . --stdin-filename a.py -", "what an editor has in its window"),
)


class Check(click.Command):
    """The command `check`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        examples(formatter)


def sections(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The options of a command, section by section; what no section has comes last."""
    options = {str(o.name): o for o in command.get_params(ctx) if isinstance(o, click.Option)}
    for heading, names in SECTIONS.items():
        _section(formatter, heading, ctx, (options.pop(name) for name in names if name in options))
    _section(formatter, "Other options", ctx, iter(options.values()))


def examples(formatter: click.HelpFormatter) -> None:
    """A few command lines."""
    with formatter.section("Examples"):
        formatter.write_dl(EXAMPLES, col_max=8)


def _section(
    formatter: click.HelpFormatter, heading: str, ctx: click.Context, options: Iterator[click.Option]
) -> None:
    if rows := [row for option in options if (row := option.get_help_record(ctx))]:
        with formatter.section(heading):
            formatter.write_dl(rows)
