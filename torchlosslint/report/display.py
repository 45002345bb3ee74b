"""Text as a terminal shows it: safe to print, and measured in terminal cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

TAB = 4
_ELLIPSIS = "…"
# Categories that a terminal would obey or hide rather than show: controls, bidi and other
# formatting, surrogates, private and unassigned, line and paragraph separators.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def safe(text: str) -> str:
    """`text` with everything that is not plainly visible written as an escape."""
    return text if text.isascii() and text.isprintable() else "".join(_visible(char) for char in text)


def width(text: str) -> int:
    """How many cells of a terminal `text` takes; `text` is safe already."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def wrap(text: str, columns: int, indent: str, first: str | None = None) -> Iterator[str]:
    """`text` in lines of at most `columns`, behind `indent` (the first behind `first`). Its own line
    breaks stay, and lines that begin with a space are code and stay as they are."""
    prefix = indent if first is None else first
    for line in text.split("\n"):
        if line.startswith((" ", "\t")):
            yield prefix + safe(line.expandtabs(TAB))
        else:
            yield from _filled(
                [word for word in safe(line).split(" ") if word],
                max(columns, len(indent) + 20),
                prefix,
                indent,
            )
        prefix = indent


def _filled(words: list[str], columns: int, prefix: str, indent: str) -> Iterator[str]:
    """Words in lines of at most `columns` cells; a longer word has a line of its own, and is not broken."""
    line, used = prefix, width(prefix)
    empty = True
    for word in words:
        cells = width(word)
        if not empty and used + 1 + cells > columns:
            yield line
            line, used, empty = indent, width(indent), True
        line += word if empty else " " + word
        used += cells + (not empty)
        empty = False
    yield line if not empty else prefix.rstrip()


def cut(text: str, columns: int) -> str:
    """The end of a text in at most `columns` cells; `text` is safe already."""
    if width(text) <= columns:
        return text
    kept, used = len(text), 1
    while kept and used + _cells(text[kept - 1]) <= columns:
        kept -= 1
        used += _cells(text[kept])
    return _ELLIPSIS + text[kept:]


def excerpt(line: str, start: int, end: int, columns: int) -> tuple[str, str]:
    """A source line and the carets under its code points `start` to `end` (from 0, `end` excluded).

    Indentation is kept, tabs are expanded, and a line over `columns` is cut around the span.
    """
    shown: list[str] = []
    at = 0
    for char in line.rstrip():
        piece = " " * (TAB - at % TAB) if char == "\t" else _visible(char)
        shown.append(piece)
        at += width(piece)
    start = max(0, min(start, len(shown)))
    end = max(start, min(end, len(shown)))
    low, high = _window([width(piece) for piece in shown], start, end, columns)
    head = _ELLIPSIS if low > 0 else ""
    tail = _ELLIPSIS if high < len(shown) else ""
    before = width("".join(shown[low:start])) + len(head)
    carets = width("".join(shown[start : min(end, high)]))
    return head + "".join(shown[low:high]) + tail, " " * before + "^" * max(1, carets)


def _window(widths: list[int], start: int, end: int, columns: int) -> tuple[int, int]:
    """Which pieces to show: the span first, then its right and left, at most `columns` wide."""
    if sum(widths) <= columns:
        return 0, len(widths)
    room = max(columns - 2, 1)  # two ellipses
    low = high = start
    used = 0
    while high < end and used + widths[high] <= room:
        used += widths[high]
        high += 1
    while True:  # grow on both sides alike, so that the culprit stands in the middle
        grown = False
        if low > 0 and used + widths[low - 1] <= room:
            low -= 1
            used += widths[low]
            grown = True
        if high < len(widths) and used + widths[high] <= room:
            used += widths[high]
            high += 1
            grown = True
        if not grown:
            return low, high


def _visible(char: str) -> str:
    """One character, or its escape."""
    if char.isprintable() or char == " ":
        return char if unicodedata.category(char) not in _UNSAFE else _escape(char)
    # Other spaces (no-break, ideographic) are not printable to Python, but harmless.
    return char if unicodedata.category(char) == "Zs" else _escape(char)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
