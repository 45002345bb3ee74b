"""Places and nodes by way of libcst: where CPython's tree does not say, and for edits.

The text is parsed and lowered again, this time noting the cst nodes. Their places come from libcst's
code generator, which says where it is when it comes to a node: the same numbers as its
PositionProvider, without a copy of the tree and without an entry for every node."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import accumulate
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from torchlosslint.syntax.cst_lower import Lowering
from torchlosslint.syntax.cst_tree import with_tree
from torchlosslint.syntax.guard import Prepared, prepare

CODEGEN_FRAMES = 30_000
"""Recursion limit for the code generator: 1,500 levels (MAX_TERMS) of up to 10 frames,
twice. Frames of Python code need no native stack from CPython 3.11 on, and fit in
STACK_BYTES before."""


def find_offsets(
    prepared: Prepared, ordinals: set[int], first: int = 0
) -> tuple[dict[int, tuple[int, int]], int]:
    """Offsets in a text, whose first node has the ordinal `first`, of the nodes with these
    ordinals; and the ordinal after its last node. Raises SyntaxTrouble."""
    lowering = Lowering(ordinals)
    lowering.o = first
    offsets = with_tree(prepared, partial(_found, lowering=lowering))
    return offsets, lowering.o


def _found(tree: cst.Module, lowering: Lowering) -> dict[int, tuple[int, int]]:
    """Offsets of the nodes that a lowering of the tree looks for."""
    lowering.module(tree)
    offsets = offsets_of(tree, set(lowering.found.values()))
    return {o: offsets[node] for o, node in lowering.found.items() if node in offsets}


def find_nodes(text: str, ordinals: set[int]) -> tuple[cst.Module, dict[int, cst.CSTNode]]:
    """The parsed tree and the cst nodes of these ordinals: for edits."""

    def find(tree: cst.Module) -> tuple[cst.Module, dict[int, cst.CSTNode]]:
        lowering = Lowering(ordinals)
        lowering.module(tree)
        return tree, lowering.found

    return with_tree(prepare(text), find)


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
