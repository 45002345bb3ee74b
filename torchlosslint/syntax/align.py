"""Places from CPython's own syntax tree, which is ten times as fast as libcst's.

The IR of a statement and the tree of `ast` for the same text have nearly the same form, so that
both are walked side by side until the nodes with the wanted ordinals are reached. What the two
write differently (tuples with parentheses, what is inside an f-string, whole blocks) is left to
libcst: those ordinals are missing in the answer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torchlosslint.syntax import ir

Span = tuple[int, int, int, int]
"""Line from 1, column from 0, the same of the end; columns in bytes of UTF-8, as `ast` counts."""
Pairs = Iterable[tuple[Any, Any]]


class Mismatch(Exception):
    """The two trees are not of one form."""


def spans(body: list[ir.Stmt], tree: list[ast.stmt], wanted: set[int]) -> dict[int, Span]:
    """The spans of wanted ordinals in statements of which both trees are given."""
    found: dict[int, Span] = {}
    lowest = min(wanted, default=0)
    try:
        stack = list(_statements(body, tree))
        while stack:
            node, other = stack.pop()
            kind = type(node)
            # Ordinals are given from the inside out but for `if`: nothing below is wanted.
            if kind is not ir.If and node.o < lowest:
                continue
            if node.o in wanted and kind not in _ELSEWHERE:
                found[node.o] = (other.lineno, other.col_offset, other.end_lineno, other.end_col_offset)
            children = _CHILDREN.get(kind)
            if children is not None:
                expected, pairs = children
                if not isinstance(other, expected):
                    raise Mismatch
                stack.extend((a, b) for a, b in pairs(node, other) if a is not None)
    except (Mismatch, ValueError):
        return {}
    return found


def _statements(body: list[ir.Stmt], tree: list[ast.stmt]) -> Iterator[tuple[Any, Any]]:
    """The statements side by side, without those that the lowering drops."""
    return zip(body, [s for s in tree if not _dropped(s)], strict=True)


def _dropped(stmt: ast.stmt) -> bool:
    if type(stmt) is ast.Expr:
        return type(stmt.value) is ast.Constant and isinstance(stmt.value.value, (str, bytes))
    return type(stmt) is ast.Pass or type(stmt).__name__ == "TypeAlias"


def _position(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _call(node: ir.Call, other: ast.Call) -> Pairs:
    given = sorted([*other.args, *(k.value for k in other.keywords)], key=_position)
    return [(node.func, other.func), *_args(node.args, given)]


def _args(args: list[ir.Arg], given: list[ast.expr]) -> Pairs:
    for arg, value in zip(args, given, strict=True):
        yield arg.value, value.value if arg.star == 1 and isinstance(value, ast.Starred) else value


def _boolean(node: ir.BoolOp, other: ast.BoolOp) -> Pairs:
    """`a and b and c` is one node here, and two in the IR."""
    values = list(other.values)
    left: ir.Expr = node
    while len(values) > 2:
        if not isinstance(left, ir.BoolOp):
            raise Mismatch
        yield left.right, values.pop()
        left = left.left
    if not isinstance(left, ir.BoolOp):
        raise Mismatch
    yield left.right, values[1]
    yield left.left, values[0]


def _subscript(node: ir.Sub, other: ast.Subscript) -> Pairs:
    yield node.value, other.value
    index: Any = other.slice
    if type(node.index) is ir.Slice:
        yield from _slice(node.index, index)
    elif type(node.index) is ir.Tuple and isinstance(index, ast.Tuple):
        for item, value in zip(node.index.items, index.elts, strict=False):
            yield from _slice(item, value) if type(item) is ir.Slice else [(item, value)]
    else:
        yield node.index, index


def _slice(node: ir.Slice, other: Any) -> Pairs:
    if not isinstance(other, ast.Slice):
        raise Mismatch
    return [(node.lower, other.lower), (node.upper, other.upper), (node.step, other.step)]


def _params(params: list[ir.Param], other: ast.arguments) -> Pairs:
    plain = [*other.posonlyargs, *other.args]
    defaults = [None] * (len(plain) - len(other.defaults)) + list(other.defaults)
    given: list[tuple[ast.arg, ast.expr | None]] = list(zip(plain, defaults, strict=True))
    if other.vararg is not None:
        given.append((other.vararg, None))
    given += zip(other.kwonlyargs, other.kw_defaults, strict=True)
    if other.kwarg is not None:
        given.append((other.kwarg, None))
    for param, (arg, default) in zip(params, given, strict=True):
        yield param.default, default
        yield param.annotation, arg.annotation


def _comprehension(node: ir.Comp, other: Any) -> Pairs:
    if isinstance(other, ast.DictComp):
        yield node.elt, other.key
        yield node.value, other.value
    else:
        yield node.elt, other.elt
    for mine, clause in zip(node.fors, other.generators, strict=True):
        yield mine.target, clause.target
        yield mine.iter, clause.iter
        yield from zip(mine.ifs, clause.ifs, strict=True)


def _loop(node: ir.For, other: ast.For) -> Pairs:
    yield node.target, other.target
    yield node.iter, other.iter
    yield from _blocks(node, other)


def _blocks(node: Any, other: Any) -> Pairs:
    yield from _statements(node.body, other.body)
    yield from _statements(node.orelse, other.orelse)


def _tested(node: Any, other: Any) -> Pairs:
    yield node.test, other.test
    yield from _blocks(node, other)


def _with(node: ir.With, other: ast.With) -> Pairs:
    for item, given in zip(node.items, other.items, strict=True):
        yield item.value, given.context_expr
        yield item.target, given.optional_vars
    yield from _statements(node.body, other.body)


def _try(node: ir.Try, other: ast.Try) -> Pairs:
    yield from _blocks(node, other)
    for handler, given in zip(node.handlers, other.handlers, strict=True):
        yield handler.type, given.type
        yield from _statements(handler.body, given.body)
    yield from _statements(node.final, other.finalbody)


def _function(node: ir.FuncDef, other: ast.FunctionDef) -> Pairs:
    yield from zip(node.decorators, other.decorator_list, strict=True)
    yield from _params(node.params, other.args)
    yield node.returns, other.returns
    yield from _statements(node.body, other.body)


def _class(node: ir.ClassDef, other: ast.ClassDef) -> Pairs:
    yield from zip(node.decorators, other.decorator_list, strict=True)
    given = [*other.bases, *(k.value for k in other.keywords)]
    yield from _args(node.bases, given)
    yield from _statements(node.body, other.body)


def _dict(node: ir.Dict, other: ast.Dict) -> Pairs:
    yield from zip(node.keys, other.keys, strict=False)
    yield from zip(node.values, other.values, strict=False)


def _delete(node: ir.Delete, other: ast.Delete) -> Pairs:
    given = other.targets
    if len(given) == 1 and isinstance(given[0], ast.Tuple):
        given = given[0].elts
    return zip(node.targets, given, strict=True)


def _items(node: Any, other: Any) -> Pairs:
    return zip(node.items, other.elts, strict=False)  # of very many the rest is one node


def _fields(*names: str) -> Callable[[Any, Any], Pairs]:
    return lambda node, other: [(getattr(node, name), getattr(other, name)) for name in names]


_TRIES: tuple[type, ...] = (ast.Try, *([ast.TryStar] if hasattr(ast, "TryStar") else []))
_CHILDREN: dict[type, tuple[type | tuple[type, ...], Callable[[Any, Any], Pairs]]] = {
    ir.Attr: (ast.Attribute, _fields("value")),
    ir.Call: (ast.Call, _call),
    ir.Sub: (ast.Subscript, _subscript),
    ir.BinOp: (ast.BinOp, _fields("left", "right")),
    ir.UnaryOp: (ast.UnaryOp, _fields("operand")),
    ir.BoolOp: (ast.BoolOp, _boolean),
    ir.Compare: (
        ast.Compare,
        lambda node, other: [(node.left, other.left), *zip(node.rights, other.comparators, strict=True)],
    ),
    ir.IfExp: (ast.IfExp, _fields("test", "body", "orelse")),
    ir.Tuple: (ast.Tuple, _items),
    ir.List: (ast.List, _items),
    ir.Set: (ast.Set, _items),
    ir.Dict: (ast.Dict, _dict),
    ir.Starred: (ast.Starred, _fields("value")),
    ir.Lambda: (
        ast.Lambda,
        lambda node, other: [(node.body, other.body), *_params(node.params, other.args)],
    ),
    ir.Comp: ((ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp), _comprehension),
    ir.Await: (ast.Await, _fields("value")),
    ir.Yield: ((ast.Yield, ast.YieldFrom), _fields("value")),
    ir.Walrus: (ast.NamedExpr, _fields("value")),
    ir.Assign: (
        ast.Assign,
        lambda node, other: [(node.value, other.value), *zip(node.targets, other.targets, strict=True)],
    ),
    ir.AugAssign: (ast.AugAssign, _fields("target", "value")),
    ir.AnnAssign: (ast.AnnAssign, _fields("target", "annotation", "value")),
    ir.ExprStmt: (ast.Expr, _fields("value")),
    ir.Return: (ast.Return, _fields("value")),
    ir.If: (ast.If, _tested),
    ir.While: (ast.While, _tested),
    ir.For: ((ast.For, ast.AsyncFor), _loop),
    ir.With: ((ast.With, ast.AsyncWith), _with),
    ir.Try: (_TRIES, _try),
    ir.FuncDef: ((ast.FunctionDef, ast.AsyncFunctionDef), _function),
    ir.ClassDef: (ast.ClassDef, _class),
    ir.Delete: (ast.Delete, _delete),
    ir.Assert: (ast.Assert, _fields("test")),
}
# Where the two do not agree on the place, or the IR's node stands for something else.
_ELSEWHERE = frozenset(
    {
        *(ir.Tuple, ir.Comp, ir.Slice, ir.Starred, ir.BoolOp, ir.Opaque, ir.FString),
        *(ir.If, ir.For, ir.While, ir.With, ir.Try, ir.FuncDef, ir.ClassDef, ir.Match),
    }
)
