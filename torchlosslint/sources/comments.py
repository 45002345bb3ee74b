"""The comments of a Python text, whatever state the text is in.

A scan by regular expressions that knows strings, formatted strings with code in them, and
comments, and nothing else of the language: files that tokenize refuses have comments too. What
stands in a string is never a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_QUOTE = "'''|\"\"\"|'|\""
_CODE = re.compile(
    rf"#|(?<!\w)([rRbBuUfFtT]{{0,2}})({_QUOTE})|({_QUOTE})|[()\[\]{{}}:]|\\(?:\r\n|.)|\r\n|\r|\n", re.DOTALL
)
_LINE_END = re.compile(r"\r\n|\r|\n")


def _until(quote: str, escapes: str, ends: str) -> re.Pattern[str]:
    """What stands in a string up to its end; the group is the end, empty where there is none."""
    if len(quote) == 1:
        plain, other, stop = rf"[^{quote}\\\r\n{ends}]*", "", r"|(?=[\r\n])"
    else:
        plain, other, stop = rf"[^{quote[0]}\\{ends}]*", rf"|{quote[0]}(?!{quote[:2]})", ""
    brace = rf"|\{ends}" if ends else ""
    return re.compile(rf"{plain}(?:(?:{escapes}{other}){plain})*({quote}{brace}{stop}|\Z)", re.DOTALL)


_QUOTES = ("'", '"', "'''", '"""')
_STRING = {quote: _until(quote, r"\\(?:\r\n|.)", "") for quote in _QUOTES}
# The text of a formatted string up to its end or to a replacement field.
_TEXT = {quote: _until(quote, r"\\(?:\r\n|[^{])|\\(?=\{)|\{\{", "{") for quote in _QUOTES}
_SPEC = re.compile(r"[^{}\r\n]*([{}]|(?=[\r\n])|\Z)")


class Comment(NamedTuple):
    """One comment: its line and column (from 1), and its text from the `#` on; `alone` where nothing
    else stands on the line."""

    line: int
    column: int
    text: str
    alone: bool


def comments(text: str) -> Iterator[Comment]:
    """Every comment of `text`, in order."""
    return (comment for comment, _ in _scan(text) if comment is not None)


def open_lines(text: str) -> set[int]:
    """The lines (from 1) after whose last character a comment may be written: no string and no
    backslash goes on over their end."""
    ends = {offset for _, offset in _scan(text)}
    lines, at = set(), 0
    for number, found in enumerate(_LINE_END.finditer(text), 1):
        if found.start() in ends:
            lines.add(number)
        at = found.end()
    if len(text) in ends and at < len(text):
        lines.add(text.count("\n") + 1 if "\r" not in text else len(_LINE_END.findall(text)) + 1)
    return lines


def _scan(text: str) -> Iterator[tuple[Comment | None, int]]:
    """Comments, each with its end; and the offset of each line end in code (-1 within a formatted string)."""
    # Open formatted strings: the quote, and the brackets that are open in its replacement field
    # (-1 in its text, -2 in a format specification).
    stack: list[tuple[str, int]] = []
    offset, line, counted = 0, 1, 0
    end = len(text)
    while True:
        if stack and stack[-1][1] < 0:
            offset = _in_text(text, offset, stack)
            continue
        found = _CODE.search(text, offset)
        if found is None:
            yield None, -1 if stack else end
            return
        token, start = found.group(), found.start()
        offset = found.end()
        if token == "#":
            stop = _LINE_END.search(text, offset)
            offset = end if stop is None else stop.start()
            line += len(_LINE_END.findall(text, counted, start))
            counted = start
            before = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
            comment = Comment(line, start - before + 1, text[start:offset], not text[before:start].strip())
            yield comment, -1 if stack else offset
        elif token in ("\n", "\r", "\r\n"):
            yield None, -1 if stack else start
        elif quote := found[2] or found[3]:
            prefix = (found[1] or "").lower()
            if "f" in prefix or "t" in prefix:
                stack.append((quote, -1))
            else:
                closed = _STRING[quote].match(text, offset)
                offset = closed.end() if closed is not None else end
        elif stack:
            quote, depth = stack[-1]
            if token in "([{":
                stack[-1] = (quote, depth + 1)
            elif token == "}" and depth == 0:
                stack[-1] = (quote, -1)
            elif token in ")]}":
                stack[-1] = (quote, max(depth - 1, 0))
            elif token == ":" and depth == 0:
                stack[-1] = (quote, -2)


def _in_text(text: str, offset: int, stack: list[tuple[str, int]]) -> int:
    """One step through the text of a formatted string, or through a format specification."""
    quote, state = stack[-1]
    found = (_TEXT[quote] if state == -1 else _SPEC).match(text, offset)
    if found is None:  # cannot be: both match anything
        stack.pop()
        return offset
    if found[1] == "{":
        # In a specification too: what follows the end of the field within is taken for the string's
        # text, which comes to the same.
        stack[-1] = (quote, 0)
    elif found[1] == "}":
        stack[-1] = (quote, -1)
    elif state == -2 and len(quote) == 3 and found.end() < len(text):
        return found.end() + 1
    else:
        stack.pop()
    return found.end()
