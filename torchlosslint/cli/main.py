"""The command group: picks the command, and turns whatever goes wrong into exit status 2."""

from __future__ import annotations

import sys
from importlib import import_module

import click
from click.shell_completion import CompletionItem

# Modules of this package, each with a command of the same name. Imported when asked for, so that
# --version and --help stay quick.
COMMANDS = ("check", "clean", "explain", "rules")
FAILED = 2


class DefaultCheck(click.Group):
    """`torchlosslint PATH...` is `torchlosslint check PATH...`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"torchlosslint.cli.{cmd_name}"), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A command name, --version or --help in front is what it is; all else goes to `check`."""
        if ctx.resilient_parsing and not args:  # a shell asks what may come first
            return super().parse_args(ctx, args)
        if not args or args[0] not in (*COMMANDS, "--version", *self.get_help_option_names(ctx)):
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, options of `check`, and files, which come first: bash forgets what came before them."""
        check = self.get_command(ctx, "check")
        assert check is not None
        files = [] if incomplete.startswith("-") else [CompletionItem(incomplete, type="file")]
        offered = check.shell_complete(click.Context(check, ctx, resilient_parsing=True), incomplete)
        return [*files, *super().shell_complete(ctx, incomplete), *offered]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of `check` too: they are what people look for."""
        from torchlosslint.cli.help import examples, sections

        self.format_commands(ctx, formatter)
        check = self.get_command(ctx, "check")
        assert check is not None
        sections(check, click.Context(check, ctx, help_option_names=[]), formatter)
        own = [row for option in self.get_params(ctx) if (row := option.get_help_record(ctx))]
        with formatter.section("Of the tool itself"):
            formatter.write_dl(own)
        examples(formatter)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from torchlosslint import __version__

        click.echo(f"torchlosslint {__version__}")
        ctx.exit()


@click.command(
    cls=DefaultCheck,
    name="torchlosslint",
    subcommand_metavar="[PATH...] | COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def cli() -> None:
    """Find loss bugs in PyTorch programs without running them.

    `torchlosslint PATH...` checks files and folders (the working directory if there is no PATH) and is
    short for `torchlosslint check PATH...`. A command's name wins over a folder of that name: say `./rules`.

    Exit status: 0 no error or warning was found, 1 some were, 2 the run itself failed.
    """


def main(args: list[str] | None = None) -> int:
    """Run the command line; the exit status. Nothing may escape: Python's own 1 would mean findings."""
    try:
        result = cli.main(args, prog_name="torchlosslint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("torchlosslint: interrupted", err=True)
        return FAILED
    except Exception as error:
        _tell(error, verbose="--verbose" in (sys.argv[1:] if args is None else args))
        return FAILED
    return result if isinstance(result, int) else 0


def _tell(error: Exception, verbose: bool) -> None:
    if verbose:
        import traceback

        traceback.print_exception(error)
    rule = sys.modules.get("torchlosslint.rule")  # whose import would make --help slow
    if rule is not None and isinstance(error, getattr(rule, "RulesError", ())):
        click.echo(f"Error: {error}", err=True)
        return
    hint = "" if verbose else " (--verbose shows where)"
    click.echo(f"torchlosslint: internal error: {type(error).__name__}: {error}{hint}", err=True)
