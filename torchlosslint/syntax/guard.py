"""The door to the parsers: nothing that they cannot stand gets in, and what comes out for a
broken file is one exception with a place and a sentence that a person can read."""

from __future__ import annotations

import ast
import bisect
import re
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from torchlosslint.syntax.limits import STACK_BYTES
from torchlosslint.syntax.scan import OverLimit, calm, measure

T = TypeVar("T")


class SyntaxTrouble(Exception):
    """A file that cannot be parsed. `line` and `column` count from 1, in code points."""

    def __init__(self, line: int, column: int, message: str, path: str = "") -> None:
        super().__init__(line, column, message, path)
        self.line = line
        self.column = column
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


@dataclass
class Prepared:
    """A text that the parsers can stand: `text` without the spans `cuts` of the original.

    Offsets of the original exclude a byte order mark, which no editor shows."""

    original: str
    text: str
    cuts: list[tuple[int, int]] = field(default_factory=list)
    _starts: list[int] | None = None

    def offset(self, offset: int) -> int:
        """Where in the original the character at `offset` of `text` stands."""
        for start, end in self.cuts:
            if offset < start:
                break
            offset += end - start
        return offset

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset in the original."""
        if self._starts is None:
            self._starts = line_starts(self.original)
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def line_starts(text: str) -> list[int]:
    """Offsets at which lines start; line ends are what they are to Python's parser."""
    return [0, *(found.end() for found in re.finditer(r"\r\n?|\n", text))]


def prepare(text: str) -> Prepared:
    """Measure a text, and cut what must be cut; SyntaxTrouble where that does not help."""
    text = text[1:] if text.startswith("\ufeff") else text
    prepared = Prepared(text, text)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SyntaxTrouble(*prepared.place(error.start), "a character that is not valid Unicode") from None
    if "\0" in text:
        raise SyntaxTrouble(*prepared.place(text.index("\0")), "a null byte, so not Python source")
    if calm(text):
        return prepared
    try:
        cuts = measure(text)
    except OverLimit as error:
        raise SyntaxTrouble(*prepared.place(error.offset), error.message) from None
    if cuts:
        ends = [0, *(end for _, end in cuts)]
        starts = [*(start for start, _ in cuts), len(text)]
        prepared.text = "".join(text[end:start] for end, start in zip(ends, starts, strict=True))
        prepared.cuts = cuts
    return prepared


def own_tree(text: str) -> ast.Module | None:
    """The tree that the running Python makes of a text; None where it makes none. Nobody changes it:
    of the latest texts that are not long it is made once, to be lowered and to find places in."""
    return _kept_tree(text) if len(text) < MAX_KEPT else _tree(text)


MAX_KEPT = 100_000


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_kept_tree = lru_cache(maxsize=12)(_tree)


def on_large_stack(work: Callable[[], T]) -> T:
    """Run `work` on a thread of STACK_BYTES, or right here where there are no threads.

    Whoever has many files may run all of them inside one call: a call inside another runs
    its work at once. Only if that runs out of Python frames does it get a thread of its
    own, so that whether a file can be read does not depend on how deep the caller is."""
    if getattr(_here, "is_large", False):
        try:
            return work()
        except RecursionError:
            pass
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        _here.is_large = True
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    # A daemon: an interrupted run ends at once.
    thread = threading.Thread(target=run, name="parser", daemon=True)
    try:
        with _STACK_LOCK:
            before = threading.stack_size(STACK_BYTES)
            try:
                thread.start()
            finally:
                threading.stack_size(before)
    except (RuntimeError, ValueError):
        return work()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


_STACK_LOCK = threading.Lock()
_here = threading.local()

# ---- what is wrong, in words -------------------------------------------------------

MAX_LINE = 500  # characters of a line that are looked at for what makes it old: the patterns are quadratic
_PYTHON_2 = [
    (re.compile(r"^\s*(?:[^#'\"]*[;:]\s*)?print\s*(?:>>\s*\w|(?![(=.,:\[)\]])\S)"), "`print x`"),
    (re.compile(r"^\s*except\s+(?:[\w.]+|\([^()]*\))\s*,\s*\w+\s*:"), "`except X, e`"),
    (re.compile(r"^\s*exec\s+(?![=.(])\S"), "`exec x`"),
    (re.compile(r"^\s*raise\s+[\w.]+\s*,\s*\S"), "`raise X, y`"),
    (re.compile(r"^[^#'\"]*`[^`]+`"), "backticks"),
    (re.compile(r"^[^#'\"]*<>"), "`<>`"),
    (re.compile(r"^[^#'\"]*\b(?:0[0-7]+|\d+[lL])\b"), "an old number"),
    (re.compile(r"^[^#'\"]*\b[uU][rR]['\"]"), "`ur''`"),
]


def trouble_of(prepared: Prepared, line: int, column: int) -> SyntaxTrouble:
    """The error in words. CPython's parser, which runs nothing, says it best; where it
    finds nothing wrong (or stops at a place of its own version), libcst's place counts."""
    message = "invalid syntax"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(prepared.text)
    except SyntaxError as error:
        line, column = error.lineno or line, max(error.offset or 1, 1)
        message = _tidy(error.msg)
    except (ValueError, RecursionError, MemoryError):
        column += 1
    else:
        column += 1
        message = (
            f"syntax that libcst does not know (Python {sys.version_info[0]}.{sys.version_info[1]} does)"
        )
    starts = line_starts(prepared.text)
    line = min(max(line, 1), len(starts))
    end = starts[line] if line < len(starts) else len(prepared.text)
    offset = min(starts[line - 1] + column - 1, end)
    source = prepared.text[starts[line - 1] : end].strip()[:MAX_LINE]
    old = next((name for pattern, name in _PYTHON_2 if pattern.search(source)), None)
    if old is not None:
        message = f"this looks like Python 2 ({old})"
    return SyntaxTrouble(*prepared.place(prepared.offset(offset)), message)


def _tidy(message: str) -> str:
    """CPython's message, without its advice and without numbers of lines."""
    message = re.sub(r"\. (?:Did you mean|Perhaps you forgot|Maybe you meant).*$", "", message)
    return re.sub(r"^\(unicode error\) ", "", message)
