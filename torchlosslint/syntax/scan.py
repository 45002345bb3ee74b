"""A look at a file's text before a parser gets it: how deep, how long, how much.

`calm` is the quick half: a few regular expressions over the whole text, about 1 us a
line, that prove nearly every file harmless. Only the others are read token by token by
`measure`, which finds the place of what is over a limit, and what to cut."""

from __future__ import annotations

import re

from torchlosslint.syntax.limits import (
    BRACKET_TERMS,
    CALM_BRACKETS,
    CALM_BRANCHES,
    CALM_DEEP,
    CALM_DEPTH,
    CALM_GROUP,
    EFFORT_US_A_CHARACTER,
    KEPT_ELEMENTS,
    MAX_BRACKETS,
    MAX_BRANCHES,
    MAX_CHARACTERS,
    MAX_EFFORT_US,
    MAX_ELEMENTS,
    MAX_OPEN_QUOTES,
    MAX_PATTERN,
    MAX_STATEMENTS,
    MAX_TERMS,
)


class OverLimit(Exception):
    """What is over a limit, and the offset in the text at which that is known."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


_TRIPLE = (
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
)
_SINGLE = (
    r'"[^"\\\r\n]*(?:\\(?:\r\n|.)[^"\\\r\n]*)*"'
    r"|'[^'\\\r\n]*(?:\\(?:\r\n|.)[^'\\\r\n]*)*'"
)
_OPEN = r"\"{3}|'{3}"  # where a triple-quoted string begins, whether it ends or not
_STRING = rf"{_TRIPLE}|(?!{_OPEN})(?:{_SINGLE})"
_NO_CODE = re.compile(rf"#[^\r\n]*|(?:[fFtT][rR]?|[rR][fFtT])({_STRING})|{_STRING}|([\"'].*)", re.DOTALL)
"""What is not code. The first group is the text of a formatted string, which may hold code; the second
is all that follows a quote that nothing closes."""

_WORDS = bytes(c for c in range(256) if c >= 128 or chr(c).isalnum() or c in b"_\r\f")
_ROUND = bytes.maketrans(b"[{]}\t", b"(()) ")
_INDENT = re.compile(rb"\n[ \t\f]+")
_INNERMOST = re.compile(rb"\([^()]*\)")
_LONG_GROUP = re.compile(rb"\([^()]{%d}" % CALM_GROUP)
_LONG_LINE = re.compile(rb"[^\n]{%d}" % CALM_GROUP)
_MATCH = re.compile(r"^[ \t]*match\b.*:[ \t]*(?:#.*)?\r?$", re.MULTILINE)


def calm(text: str) -> bool:
    """Whether the text is far below every limit, as nearly all are."""
    if len(text) > MAX_CHARACTERS // 4 or text.count("\n") > MAX_STATEMENTS // 4:
        return False
    if text.count("elif") > CALM_BRANCHES:
        return False
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    pieces = _NO_CODE.split(text)
    if len(pieces) > 1 and pieces[-2] is not None:
        return False  # nothing closes a quote
    for formatted in filter(None, pieces[1::3]):
        if len(formatted) > CALM_GROUP or formatted.rfind("{") > formatted.rfind("}"):
            return False  # much code inside, or it ends in a quote of its own kind inside
    data = '"'.join(pieces[::3]).encode().replace(b"\\\n", b"")
    # Only operators, brackets, line ends and the spaces between words are left.
    data = _INDENT.sub(b"\n", data).translate(_ROUND, _WORDS)
    deepest = MAX_PATTERN if _MATCH.search(text) is not None else CALM_BRACKETS
    for depth in range(deepest):
        if _LONG_GROUP.search(data) is not None:
            return False
        if depth == CALM_DEPTH and data.count(b"(") > CALM_DEEP:
            return False  # what nests so deep is quadratic, and there is much of it
        smaller = _INNERMOST.sub(b"@", data)
        if len(smaller) == len(data):
            return data.count(b"(") <= deepest and _LONG_LINE.search(data) is None
        data = smaller
    return False


# ---- token by token ----------------------------------------------------------------

_TOKEN = re.compile(
    r"(?P<space>[ \t\f]+|\\(?:\r\n?|\n)|#[^\r\n]*)"
    r"|(?P<formatted>(?:[fFtT][rR]?|[rR][fFtT])(?:\"{3}|'{3}|\"|'))"
    rf"|(?P<string>[rRbBuU]{{0,2}}(?:{_STRING}))|(?P<quote>{_OPEN}|[\"'])"
    r"|(?P<word>\w+)"
    r"|(?P<line>(?:(?:\r\n?|\n)[ \t\f]*(?:#[^\r\n]*)?)+)"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)|(?P<colon>:)|(?P<semicolon>;)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SPEC = re.compile(r"[^{}\r\n]*")
_TEXT = {
    '"': re.compile(r'(?:[^"\\{}\r\n]|\\.|\{\{|\}\}|\})*', re.DOTALL),
    "'": re.compile(r"(?:[^'\\{}\r\n]|\\.|\{\{|\}\}|\})*", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\{}]|"(?!"")|\\.|\{\{|\}\}|\})*', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\{}]|'(?!'')|\\.|\{\{|\}\}|\})*", re.DOTALL),
}


_DATA = re.compile(r"(?:\s*(?:[-+]?\d[\w.]*(?:(?<=[eE])[-+]\d+)?|\"[^\"\\\r\n]*\"|'[^'\\\r\n]*')\s*,){1,100}")
"""A stretch of a table: numbers and plain strings, each with its comma."""

_NOT_IN_BRACKETS = frozenset(
    "def class return import while try raise assert pass del global nonlocal break continue with".split()
)


class _Frame:
    """One open bracket. `kind`: "" none, "(" any bracket, "f" a replacement field of a
    formatted string, ":" its format specification, else the quote of a formatted string."""

    __slots__ = ("kind", "start", "terms", "commas", "lambdas", "cut_from", "before_cut")

    def __init__(self, kind: str, start: int) -> None:
        self.kind = kind
        self.start = start
        self.terms = 0
        self.commas = 0
        self.lambdas = 0
        self.cut_from = -1
        self.before_cut = (0, 0, 0)


def measure(text: str) -> list[tuple[int, int]]:
    """The spans of `text` to cut, in order; OverLimit where cutting does not help."""
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.stack = [_Frame("", 0)]
        self.cuts: list[tuple[int, int]] = []
        self.branches: dict[int, int] = {}
        self.terms = 0
        self.units = 0
        self.quotes = 0
        self.effort = 0
        self.most_effort = MAX_EFFORT_US + EFFORT_US_A_CHARACTER * len(text)
        self.has_match = _MATCH.search(text) is not None
        self.in_case = False
        self.line_at = 0

    def run(self) -> list[tuple[int, int]]:
        text, stack, match = self.text, self.stack, _TOKEN.match
        offset, end = 0, len(text)
        first = True
        while offset < end:
            top = stack[-1]
            if top.kind not in ("", "(", "f"):
                offset = self.formatted(top, offset)
                continue
            found = match(text, offset)
            if found is None:  # cannot be: the last alternative takes anything
                raise OverLimit(offset, "a text that cannot be read")
            start, offset, kind = offset, found.end(), found.lastgroup
            if kind == "space":
                continue
            if kind == "line":
                first = True
                self.line_at = 1 + start + max(found.group().rfind("\n"), found.group().rfind("\r"))
                if top.kind == "":
                    self.settle(top)
                continue
            if first:
                first = False
                self.line_start(top, start, found.group() if kind == "word" else "")
            if kind == "open":
                self.open(start)
                offset = self.data(offset)
            elif kind == "close":
                self.close(start)
            elif kind == "comma":
                self.comma(top, 1, offset)
                offset = self.data(offset)
            elif kind == "semicolon":
                self.settle(top)
            elif kind == "colon" and top.kind == "f":
                stack.append(_Frame(":", start))
            else:
                self.add_terms(top, 1, start)
                if kind == "formatted":
                    stack.append(_Frame(found.group().lstrip("fFtTrR"), start))
                elif kind == "quote":
                    self.quotes += 1
                    if self.quotes > MAX_OPEN_QUOTES:
                        raise OverLimit(start, "a string that never ends")
                elif kind == "colon":
                    top.lambdas -= 1 if top.lambdas else 0
                elif kind == "word" and found.group() == "lambda":
                    top.lambdas += 1
        return self.checked()

    def line_start(self, top: _Frame, start: int, word: str) -> None:
        """The first token of a physical line."""
        if top.kind:
            if word in _NOT_IN_BRACKETS:
                raise OverLimit(top.start, f"'{self.text[top.start]}' was never closed")
            return
        column = start - self.line_at
        self.in_case = self.has_match and word == "case"
        if word == "elif":
            self.branches[column] = count = self.branches.get(column, 0) + 1
            if count > MAX_BRANCHES:
                raise OverLimit(start, f"an if statement of more than {MAX_BRANCHES:,} branches")
        elif word != "else":
            self.branches[column] = 0

    def open(self, start: int) -> None:
        depth = len(self.stack)
        if depth > MAX_BRACKETS:
            levels = _run_of_brackets(self.text, start, depth)
            raise OverLimit(start, f"nested {levels:,} brackets deep, more than {MAX_BRACKETS}")
        if self.in_case and depth > MAX_PATTERN:
            raise OverLimit(start, f"a case pattern nested more than {MAX_PATTERN} brackets deep")
        self.add_terms(self.stack[-1], BRACKET_TERMS, start)
        self.stack.append(_Frame("(", start))
        self.spend(14 * depth, start)

    def add_terms(self, frame: _Frame, count: int, start: int) -> None:
        frame.terms += count
        self.terms += count
        if self.terms > MAX_TERMS:
            raise OverLimit(start, f"an expression of more than {MAX_TERMS:,} words and operators")

    def close(self, start: int) -> None:
        if len(self.stack) == 1:
            return
        frame = self.stack.pop()
        self.settle(frame)
        if frame.kind == "f":
            self.settle(self.stack[-1])  # the pieces of a formatted string are a flat list
        if frame.kind == "(" and frame.commas > MAX_ELEMENTS:
            kept, self.units, self.effort = frame.before_cut
            del self.cuts[kept:]
            self.cuts.append((frame.cut_from, start))

    def comma(self, frame: _Frame, count: int, offset: int) -> None:
        """`count` elements of `frame` have ended at `offset`."""
        if frame.lambdas:
            return
        self.settle(frame)
        self.units += count - 1
        frame.commas += count
        if frame.cut_from < 0 and frame.commas >= KEPT_ELEMENTS:
            frame.cut_from = offset
            frame.before_cut = (len(self.cuts), self.units, self.effort)

    def data(self, offset: int) -> int:
        """Skip the stretch of a table that starts here, if one does."""
        frame = self.stack[-1]
        while frame.kind == "(" and not frame.lambdas:
            found = _DATA.match(self.text, offset)
            if found is None:
                break
            offset = found.end()
            self.comma(frame, found.group().count(","), offset)
        return offset

    def settle(self, frame: _Frame) -> None:
        """An element or a statement has ended."""
        self.terms -= frame.terms
        self.units += 1
        self.spend(frame.terms * frame.terms, frame.start)
        frame.terms = 0

    def spend(self, effort: int, start: int) -> None:
        self.effort += effort
        if self.effort > self.most_effort:
            raise OverLimit(start, "nested and chained so much that parsing it would take too long")

    def formatted(self, top: _Frame, offset: int) -> int:
        """One step through the text of a formatted string, or of a format specification."""
        text = self.text
        found = (_SPEC if top.kind == ":" else _TEXT[top.kind]).match(text, offset)
        offset = offset if found is None else found.end()
        if text.startswith("{", offset):
            self.open(offset)
            self.stack[-1].kind = "f"
            return offset + 1
        self.stack.pop()
        if top.kind == ":":
            return offset
        self.settle(top)
        return offset + len(top.kind) if text.startswith(top.kind, offset) else offset

    def checked(self) -> list[tuple[int, int]]:
        left = len(self.text) - sum(end - start for start, end in self.cuts)
        if self.units > MAX_STATEMENTS:
            raise OverLimit(0, f"a file of more than {MAX_STATEMENTS:,} statements and elements")
        if left > MAX_CHARACTERS:
            raise OverLimit(0, f"a file of more than {MAX_CHARACTERS:,} characters")
        return self.cuts


def _run_of_brackets(text: str, start: int, depth: int) -> int:
    """How deep it goes: `depth`, and the brackets that follow at once."""
    found = re.compile(r"[(\[{\s]*").match(text, start)
    return depth + (0 if found is None else len(re.sub(r"\s", "", found.group())) - 1)
