"""Ordinals of the lowering back to places in the text.

CPython's own parser, at a tenth of the price of libcst, says where most nodes stand (see
`align`). For the others the statements at the top that hold the ordinals are parsed and lowered
again, this time noting the cst nodes; where that does not work it is the whole text.
Their places come from libcst's code generator, which says where it is when it comes to
a node: the same numbers as its PositionProvider, without a copy of the tree and without
an entry for every node."""

from __future__ import annotations

import ast
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import accumulate
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from torchlosslint.syntax import ir
from torchlosslint.syntax.align import Span, spans
from torchlosslint.syntax.guard import (
    Prepared,
    SyntaxTrouble,
    line_starts,
    on_large_stack,
    prepare,
    with_tree,
)
from torchlosslint.syntax.lower import Lowering

Place = tuple[int, int, int, int]
"""line, column, end line, end column: from 1, in code points, the end exclusive."""

CODEGEN_FRAMES = 30_000
"""Recursion limit for the code generator: 1,500 levels (MAX_TERMS) of up to 10 frames,
twice. Frames of Python code need no native stack from CPython 3.11 on, and fit in
STACK_BYTES before."""


def locate(text: str, ordinals: set[int], module: ir.Module | None = None) -> dict[int, Place]:
    """The places of the nodes with these ordinals in `module`, the lowering of `text`."""
    prepared = prepare(text)
    if module is not None:
        places = on_large_stack(lambda: _in_statements(prepared, ordinals, module))
        if places is not None:
            return places

    lowering = Lowering(ordinals)
    offsets = with_tree(prepared, lambda tree: _found(tree, lowering))
    return {o: _place(prepared, *span) for o, span in offsets.items()}


def _in_statements(prepared: Prepared, ordinals: set[int], module: ir.Module) -> dict[int, Place] | None:
    """The places, of which only the statements around them are looked at; None where that does not work."""
    body = _body(prepared.text)
    groups = _groups(body) if body is not None else []
    if body is None or len(groups) != len(module.starts):
        return None
    starts = [*line_starts(prepared.text), len(prepared.text)]
    places: dict[int, Place] = {}
    missing = set(ordinals)
    for o, span in spans(module.body, body, ordinals).items():
        places[o] = _place(prepared, *_offsets(prepared.text, starts, span))
        missing.discard(o)
    ends = [*module.starts, module.nodes][1:]
    for (top, bottom), first, last in zip(groups, module.starts, ends, strict=True):
        here = {o for o in missing if first <= o < last}
        if not here:
            continue
        start, end = starts[top - 1], starts[min(bottom, len(starts) - 1)]
        part = prepared.text[start:end]
        lowering = Lowering(here)
        lowering.o = first
        try:
            offsets = with_tree(Prepared(part, part), partial(_found, lowering=lowering))
        except SyntaxTrouble:
            return None
        if lowering.o != last:
            return None
        for o, (begin, stop) in offsets.items():
            places[o] = _place(prepared, start + begin, start + stop)
    return places


def _offsets(text: str, starts: list[int], span: Span) -> tuple[int, int]:
    """Columns in bytes to offsets in characters."""
    first, column, last, end_column = span
    begin, end = starts[first - 1], starts[last - 1]
    if text.isascii():
        return begin + column, end + end_column
    ahead = text[begin : starts[first]].encode()[:column]
    behind = text[end : starts[last]].encode()[:end_column]
    return begin + len(ahead.decode()), end + len(behind.decode())


def _found(tree: cst.Module, lowering: Lowering) -> dict[int, tuple[int, int]]:
    """Offsets of the nodes that a lowering of the tree looks for."""
    lowering.module(tree)
    offsets = offsets_of(tree, set(lowering.found.values()))
    return {o: offsets[node] for o, node in lowering.found.items() if node in offsets}


def _body(text: str) -> list[ast.stmt] | None:
    """The statements at the top, as CPython reads them; None where it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _groups(body: list[ast.stmt]) -> list[tuple[int, int]]:
    """First and last lines of the statements at the top, of which a line may hold several."""
    lines: list[tuple[int, int]] = []
    for stmt in body:
        first, last = stmt.lineno, stmt.end_lineno or stmt.lineno
        for decorator in getattr(stmt, "decorator_list", ()):
            first = min(first, decorator.lineno)
        if lines and first <= lines[-1][1]:
            lines[-1] = lines[-1][0], max(last, lines[-1][1])
        else:
            lines.append((first, last))
    return lines


def find_nodes(text: str, ordinals: set[int]) -> tuple[cst.Module, dict[int, cst.CSTNode]]:
    """The parsed tree and the cst nodes of these ordinals: for edits."""

    def find(tree: cst.Module) -> tuple[cst.Module, dict[int, cst.CSTNode]]:
        lowering = Lowering(ordinals)
        lowering.module(tree)
        return tree, lowering.found

    return with_tree(prepare(text), find)


def _place(prepared: Prepared, start: int, end: int) -> Place:
    return (*prepared.place(prepared.offset(start)), *prepared.place(prepared.offset(end)))


def offsets_of(tree: cst.Module, nodes: set[cst.CSTNode]) -> dict[cst.CSTNode, tuple[int, int]]:
    """Offsets, in the tree's code, at which these nodes start and end."""
    state = _Noting(tree, nodes)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, CODEGEN_FRAMES))
    try:
        tree._codegen(state)
    finally:
        sys.setrecursionlimit(before)
    offsets = [0, *accumulate(map(len, state.tokens))]
    last = len(offsets) - 1
    return {
        node: (offsets[min(state.spans[node][0], last)], offsets[min(state.spans[node][1], last)])
        for node in nodes
        if node in state.spans
    }


class _Noting(CodegenState):
    """A code generator's state that notes, for a few nodes, the counts of tokens made
    before and after them."""

    def __init__(self, tree: cst.Module, nodes: set[cst.CSTNode]) -> None:
        super().__init__(tree.default_indent, tree.default_newline)
        self.nodes = set(nodes)
        self.starts: dict[cst.CSTNode, int] = {}
        self.spans: dict[cst.CSTNode, tuple[int, int]] = {}

    def before_codegen(self, node: cst.CSTNode) -> None:
        if node in self.nodes:
            self.starts[node] = len(self.tokens)

    def after_codegen(self, node: cst.CSTNode) -> None:
        if node in self.nodes and node not in self.spans:
            self.spans[node] = (self.starts[node], len(self.tokens))

    def record_syntactic_position(
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> Any:
        if node not in self.nodes:
            return _NOTHING
        return _Span(self, node, start_node, end_node)


class _Span(AbstractContextManager[None]):
    """Notes a node's span; its ends may be those of nodes inside it."""

    def __init__(
        self,
        state: _Noting,
        node: cst.CSTNode,
        start_node: cst.CSTNode | None,
        end_node: cst.CSTNode | None,
    ) -> None:
        self.state = state
        self.node = node
        self.start_node = start_node
        self.end_node = end_node

    def __enter__(self) -> None:
        state = self.state
        state.nodes.update(node for node in (self.start_node, self.end_node) if node is not None)
        self.start = len(state.tokens)

    def __exit__(self, *error: object) -> None:
        spans = self.state.spans
        start, end = self.start, len(self.state.tokens)
        if self.start_node is not None:
            start = spans[self.start_node][0]
        if self.end_node is not None:
            end = spans[self.end_node][1]
        spans[self.node] = (start, end)


_NOTHING = nullcontext()
