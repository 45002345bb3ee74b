"""Ordinals of the lowering back to places in the text.

The text is parsed and lowered again, this time noting the cst nodes of the ordinals.
Their places come from libcst's code generator, which says where it is when it comes to
a node: the same numbers as its PositionProvider, without a copy of the tree and without
an entry for every node."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from torchlosslint.syntax.guard import Prepared, prepare, with_tree
from torchlosslint.syntax.lower import Lowering

Place = tuple[int, int, int, int]
"""line, column, end line, end column: from 1, in code points, the end exclusive."""

CODEGEN_FRAMES = 30_000
"""Recursion limit for the code generator: 1,500 levels (MAX_TERMS) of up to 10 frames,
twice. Frames of Python code need no native stack from CPython 3.11 on, and fit in
STACK_BYTES before."""


def locate(text: str, ordinals: set[int]) -> dict[int, Place]:
    """The places of the nodes with these ordinals in the lowering of `text`."""
    prepared = prepare(text)

    def find(tree: cst.Module) -> dict[int, Place]:
        lowering = Lowering(ordinals)
        lowering.module(tree)
        return _places(tree, lowering.found, prepared)

    return with_tree(prepared, find)


def find_nodes(text: str, ordinals: set[int]) -> tuple[cst.Module, dict[int, cst.CSTNode]]:
    """The parsed tree and the cst nodes of these ordinals: for edits."""

    def find(tree: cst.Module) -> tuple[cst.Module, dict[int, cst.CSTNode]]:
        lowering = Lowering(ordinals)
        lowering.module(tree)
        return tree, lowering.found

    return with_tree(prepare(text), find)


def _places(tree: cst.Module, found: dict[int, cst.CSTNode], prepared: Prepared) -> dict[int, Place]:
    spans = offsets_of(tree, set(found.values()))
    return {o: _place(prepared, *spans[node]) for o, node in found.items() if node in spans}


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
