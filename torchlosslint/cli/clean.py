"""`torchlosslint clean`: remove the cache."""

from __future__ import annotations

import click


@click.command("clean")
def clean() -> None:
    """Remove the cache of the working directory."""
    from torchlosslint.cache import clean as remove, default_folder

    folder = default_folder()
    try:
        count = remove(folder)
    except OSError as error:
        raise click.ClickException(f"cannot clean {folder}: {error.strerror or error}") from error
    click.echo(f"{folder}: {count} {'entry' if count == 1 else 'entries'} removed")
