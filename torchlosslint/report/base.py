"""What an output format is: a module of this package with a function `render`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol, cast

from torchlosslint.finding import Report

FORMATS = ("text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit")


@dataclass(frozen=True, slots=True)
class Options:
    """How to print. Formats for machines pay no attention to it. terminal: somebody looks at it, so that
    the summary need not stay on one line."""

    verbose: bool = False
    color: bool = False
    width: int = 100
    statistics: bool = False
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One format, and the file it goes to; standard output where `path` is None."""

    format: str
    path: str | None = None


def outputs(text: str) -> list[Output]:
    """What `--format sarif:out.sarif,text` asks for.

    Raises ValueError for a format that there is not, and for two in one place.
    """
    found: list[Output] = []
    for part in text.split(","):
        name, colon, path = part.strip().partition(":")
        if name not in FORMATS:
            near = get_close_matches(name, FORMATS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FORMATS)}"
            raise ValueError(f"unknown format {name!r}; {hint}")
        if colon and not path:
            raise ValueError(f"no file after {part.strip()!r}")
        found.append(Output(name, path or None))
    if sum(output.path is None for output in found) > 1:
        raise ValueError("two formats on standard output: give all but one a file, as in sarif:out.sarif")
    paths = [output.path for output in found]
    for each in paths:
        if paths.count(each) > 1:
            raise ValueError(f"two formats into {each}: give each a file of its own")
    return found


class Render(Protocol):
    """Turns a report into pieces of text, to be written one after the other."""

    def __call__(self, report: Report, options: Options) -> Iterable[str]: ...


def renderer(name: str) -> Render:
    """The `render` of a format; only the format in use is imported."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}")
    return cast(Render, import_module(f"torchlosslint.report.{name}").render)
