"""`--watch`: check again whenever a file changes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

SUFFIXES = (".py", ".pyw", ".pyi", ".ipynb")
WAITING = "watching for changes; Ctrl-C ends"
NAMES = ("pyproject.toml", "torchlosslint.toml", ".gitignore")


def watching(paths: Sequence[str], run: Callable[[], int]) -> int:
    """Run now and after every change below `paths`, until Ctrl-C; the status of the last run."""
    try:
        from watchfiles import DefaultFilter, watch
    except ImportError:
        raise click.UsageError(
            "--watch needs the package watchfiles: python -m pip install 'torchlosslint[watch]'"
        ) from None
    usual = DefaultFilter()

    def matters(change: Any, path: str) -> bool:
        return bool(usual(change, path)) and (path.endswith(SUFFIXES) or os.path.basename(path) in NAMES)

    # Of a file its folder: editors put a new file in its place, and it imports others.
    folders = {path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths}
    if missing := [folder for folder in folders if not os.path.isdir(folder)]:
        raise click.UsageError(f"no such folder to watch: {missing[0]}")
    status = 0
    with contextlib.suppress(KeyboardInterrupt):
        status = _once(run)
        click.echo(WAITING, err=True)  # with the status at hand: from here on Ctrl-C is no surprise
        for _ in watch(*sorted(folders), watch_filter=matters):
            status = _once(run)
            click.echo(WAITING, err=True)
    return status


def _once(run: Callable[[], int]) -> int:
    """One run. What it could not do is told, and may be mended while we watch."""
    if sys.stdout.isatty():
        click.clear()
    try:
        return run()
    except click.ClickException as error:
        error.show()
        return 2
