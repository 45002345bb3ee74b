"""Where the code of a notebook's cells stands in its file, so that a line of it can be changed and every
other byte stays: no notebook is ever written anew from what was read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_PAIR = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..")  # two escapes that are one character


@dataclass(frozen=True, slots=True)
class Part:
    """One JSON string of a cell's source: its text, from which character of the cell on, and where its
    quotes are in the file."""

    text: str
    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cell:
    """The source of a code cell, in as many strings as the file has it. listed: they stand in a list."""

    parts: tuple[Part, ...]
    listed: bool

    @property
    def text(self) -> str:
        """The source as one text."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Change:
    """In a cell, the characters from `start` to `end` (excluded) become `text`. As a line of its own, it
    becomes a string of its own where the cell's lines are."""

    cell: int
    start: int
    end: int
    text: str


class OddLayoutError(Exception):
    """The source of a cell is cut into strings so that a change of it would touch several."""


def code_cells(text: str) -> dict[int, Cell]:
    """The code cells in the JSON of a notebook, by their number (from 1, over all cells). `text` was
    parsed before and is sound."""
    out: dict[int, Cell] = {}
    for number, at in enumerate(_cells(text), 1):
        members = {key: (start, end) for key, start, end in _members(text, at)}
        if "cell_type" not in members or _value(text, members["cell_type"][0]) != "code":
            continue
        start, end = members.get("source") or members.get("input") or (0, 0)
        if text[start] == '"':
            out[number] = Cell((Part(str(_value(text, start)), 0, start, end),), False)
        elif text[start] == "[" and end:
            parts, length = [], 0
            for first, last in _elements(text, start):
                if text[first] == '"':
                    parts.append(Part(str(_value(text, first)), length, first, last))
                    length += len(parts[-1].text)
            out[number] = Cell(tuple(parts), True)
    return out


def changed(text: str, cells: dict[int, Cell], changes: Iterable[Change]) -> str:
    """The JSON of a notebook with these changes, which do not overlap. Raises OddLayoutError."""
    plain = text.isascii()
    edits: list[tuple[int, int, str]] = []
    for change in changes:
        cell = cells[change.cell]
        part = _part_of(cell, change)
        written = json.dumps(change.text, ensure_ascii=plain)
        if cell.listed and change.start == change.end == part.at and change.text.endswith("\n"):
            # A line of its own: before this string, laid out as this one is.
            blank = text[len(text[: part.start].rstrip(" \t\r\n")) : part.start]
            edits.append((part.start, part.start, f"{written},{blank}"))
            continue
        start, end = (_offset(text, part, index - part.at) for index in (change.start, change.end))
        edits.append((start, end, written[1:-1]))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _part_of(cell: Cell, change: Change) -> Part:
    """The string that a change is in."""
    touched = [p for p in cell.parts if p.at <= change.start and change.end <= p.at + len(p.text)]
    if not touched:
        raise OddLayoutError
    # Between two strings: the end of a line belongs to the first, its beginning to the second.
    return touched[-1] if change.text.endswith("\n") else touched[0]


def _offset(text: str, part: Part, index: int) -> int:
    """Where in the file a character of a string stands."""
    at = part.start + 1
    for _ in range(index):
        if text[at] != "\\":
            at += 1
        elif text[at + 1] != "u":
            at += 2
        else:
            at += 12 if _PAIR.match(text, at) else 6
    return at


def _cells(text: str) -> list[int]:
    """Where the cells begin."""
    top = {key: start for key, start, _ in _members(text, _skip(text, 0))}
    if "cells" in top and _value(text, top["cells"]) is not None:
        return [start for start, _ in _elements(text, top["cells"])]
    out: list[int] = []
    for sheet, _ in _elements(text, top["worksheets"]) if "worksheets" in top else ():  # nbformat 3
        held = {key: start for key, start, _ in _members(text, sheet)}
        if "cells" in held:
            out += [first for first, _ in _elements(text, held["cells"])]
    return out


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The keys of an object that begins at `at`, each with the start and the end of its value."""
    if text[at] != "{":
        return
    at = _skip(text, at + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield key, start, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """The starts and ends of what is in a list that begins at `at`."""
    if text[at] != "[":
        return
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found is not None else at


def _value(text: str, at: int) -> object:
    return _DECODER.raw_decode(text, at)[0]
