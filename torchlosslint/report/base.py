"""What an output format is: a module of this package with a function `render`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from torchlosslint.finding import Report

FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True)
class Options:
    """How to print. Formats for machines pay no attention to it."""

    verbose: bool = False
    color: bool = False
    width: int = 100


class Render(Protocol):
    """Turns a report into pieces of text, to be written one after the other."""

    def __call__(self, report: Report, options: Options) -> Iterable[str]: ...


def renderer(name: str) -> Render:
    """The `render` of a format; only the format in use is imported."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}")
    return cast(Render, import_module(f"torchlosslint.report.{name}").render)
