"""Ordinals of the lowering back to places in the text.

CPython's own parser says where most nodes stand (see `align`). For the others the statements at the
top that hold the ordinals are read by libcst; where that does not work it is the whole text."""

from __future__ import annotations

from torchlosslint.syntax import ir
from torchlosslint.syntax.align import Span, spans
from torchlosslint.syntax.ast_lower import groups
from torchlosslint.syntax.guard import Prepared, SyntaxTrouble, line_starts, on_large_stack, own_tree, prepare

Place = tuple[int, int, int, int]
"""line, column, end line, end column: from 1, in code points, the end exclusive."""


def locate(text: str, ordinals: set[int], module: ir.Module | None = None) -> dict[int, Place]:
    """The places of the nodes with these ordinals in `module`, the lowering of `text`."""
    prepared = prepare(text)
    if module is not None:
        places = on_large_stack(lambda: _in_statements(prepared, ordinals, module))
        if places is not None:
            return places
    from torchlosslint.syntax.cst_positions import find_offsets

    offsets, _ = find_offsets(prepared, ordinals)
    return {o: _place(prepared, *span) for o, span in offsets.items()}


def _in_statements(prepared: Prepared, ordinals: set[int], module: ir.Module) -> dict[int, Place] | None:
    """The places, of which only the statements around them are looked at; None where that does not work."""
    tree = own_tree(prepared.text)
    tops = groups(tree.body) if tree is not None else []
    if tree is None or len(tops) != len(module.starts):
        return None
    starts = [*line_starts(prepared.text), len(prepared.text)]
    places: dict[int, Place] = {}
    missing = set(ordinals)
    for o, span in spans(module.body, tree.body, ordinals).items():
        places[o] = _place(prepared, *_offsets(prepared.text, starts, span))
        missing.discard(o)
    ends = [*module.starts, module.nodes][1:]
    for (top, bottom), first, last in zip(tops, module.starts, ends, strict=True):
        here = {o for o in missing if first <= o < last}
        if not here:
            continue
        from torchlosslint.syntax.cst_positions import find_offsets

        start, end = starts[top - 1], starts[min(bottom, len(starts) - 1)]
        part = prepared.text[start:end]
        try:
            offsets, after = find_offsets(Prepared(part, part), here, first)
        except SyntaxTrouble:
            return None
        if after != last:
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


def _place(prepared: Prepared, start: int, end: int) -> Place:
    return (*prepared.place(prepared.offset(start)), *prepared.place(prepared.offset(end)))
