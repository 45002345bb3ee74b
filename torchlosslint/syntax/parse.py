"""A file's text to its IR, whichever parser can read it."""

from __future__ import annotations

from torchlosslint.syntax import ir
from torchlosslint.syntax.ast_lower import lower_ast
from torchlosslint.syntax.guard import SyntaxTrouble, own_tree, prepare


def parse_safely(path: str, text: str) -> ir.Module:
    """Parse and lower a file's text. SyntaxTrouble is the only exception it raises.

    The running Python's own parser is asked first. What it refuses may be newer than it: libcst,
    ten times as slow, knows the syntax of all Pythons, and is loaded only then."""
    try:
        prepared = prepare(text)
        module = _own(prepared.text)
        if module is None:
            from torchlosslint.syntax.cst_lower import lower_tree
            from torchlosslint.syntax.cst_tree import with_tree

            module = with_tree(prepared, lower_tree)
    except SyntaxTrouble as trouble:
        trouble.path = path
        raise
    module.lines = count_lines(text.encode())
    return module


def _own(text: str) -> ir.Module | None:
    tree = own_tree(text)
    if tree is None:
        return None
    try:
        return lower_ast(tree)
    except (RecursionError, MemoryError):
        return None


SHORT_LINES, LINE = 1_000, 32


def count_lines(data: bytes) -> int:
    """The lines of a text; the last one need not end. What a file may cost follows from them: where they
    are very short on average, only SHORT_LINES and one for LINE bytes count."""
    ends = data.count(b"\n") or data.count(b"\r")
    lines = ends + (1 if data and not data.endswith((b"\n", b"\r")) else 0)
    return min(lines, SHORT_LINES + len(data) // LINE)
