"""Expressions of CPython's own tree as IR. See `ast_lower` for the whole."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from torchlosslint.syntax import ir
from torchlosslint.syntax.limits import MAX_DEPTH, MAX_ITEMS, MAX_STRING

Handler = Callable[[Any], Any]

OPERATORS: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Not: "not",
    ast.USub: "-",
    ast.UAdd: "+",
    ast.Invert: "~",
    ast.And: "and",
    ast.Or: "or",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.Gt: ">",
    ast.LtE: "<=",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
CONVERSIONS = {ord("s"): "str", ord("r"): "repr", ord("a"): "ascii"}


class Table(dict[type, Handler]):
    """Handlers by node type; a type that nobody knew of gets the fallback."""

    def __init__(self, handlers: dict[type, Handler], fallback: Handler) -> None:
        super().__init__(handlers)
        self.fallback = fallback

    def __missing__(self, kind: type) -> Handler:
        return self.fallback


class AstExpressions:
    """Handlers of expressions. `exprs` is how one reaches another: type -> handler."""

    def __init__(self) -> None:
        self.o = 0
        self.depth = 0
        self.yields = False
        self.exprs = Table({k: getattr(self, name) for k, name in EXPRESSIONS.items()}, self.opaque)

    def opaque(self, node: object = None) -> ir.Opaque:
        self.o = o = self.o + 1
        return ir.Opaque(o - 1)

    def deeper(self, nodes: Sequence[Any]) -> list[Any]:
        """Nodes that lie one level deeper; None stays None."""
        self.depth = depth = self.depth + 1
        exprs = self.exprs
        if depth < MAX_DEPTH:
            out = [None if node is None else exprs[type(node)](node) for node in nodes]
        else:
            out = [None if node is None else self.opaque() for node in nodes]
        self.depth = depth - 1
        return out

    # ---- atoms ---------------------------------------------------------------------

    def name(self, node: ast.Name) -> ir.Name:
        self.o = o = self.o + 1
        return ir.Name(o - 1, node.id)

    def constant(self, node: ast.Constant) -> Any:
        self.o = o = self.o + 1
        value: Any = node.value
        kind = type(value)
        if kind is str:
            if len(value) > MAX_STRING or not (value.isascii() or _encodes(value)):
                return ir.Opaque(o - 1)
        elif kind is int:
            if value >= 2**63:
                return ir.Opaque(o - 1)
        elif kind is bytes or kind is complex or value is ...:
            return ir.Opaque(o - 1)
        return ir.Const(o - 1, value)

    def formatted(self, node: ast.JoinedStr) -> ir.FString:
        """`{x!r}` is lowered as `repr(x)`, `{x:.3f}` as `format(x, ".3f")`: what they mean."""
        exprs = self.exprs
        parts: list[Any] = []
        for part in node.values:
            if type(part) is not ast.FormattedValue:
                parts.append(exprs[type(part)](part))
                continue
            lowered = exprs[type(part.value)](part.value)
            if part.conversion != -1:
                lowered = self.builtin_call(CONVERSIONS[part.conversion], [lowered])
            spec = part.format_spec
            if isinstance(spec, ast.JoinedStr) and spec.values:
                lowered = self.builtin_call("format", [lowered, self.formatted(spec)])
            parts.append(lowered)
        self.o = o = self.o + 1
        return ir.FString(o - 1, parts)

    def builtin_call(self, name: str, values: list[Any]) -> ir.Call:
        self.o = o = self.o + 2
        return ir.Call(o - 1, ir.Name(o - 2, name), [ir.Arg(value) for value in values])

    # ---- what nests ----------------------------------------------------------------

    def attribute(self, node: ast.Attribute) -> ir.Attr:
        self.depth = depth = self.depth + 1
        value = node.value
        lowered = self.exprs[type(value)](value) if depth < MAX_DEPTH else self.opaque()
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.Attr(o - 1, lowered, node.attr)

    def call(self, node: ast.Call) -> ir.Call:
        self.depth = depth = self.depth + 1
        func = node.func
        if depth < MAX_DEPTH:
            lowered = self.exprs[type(func)](func)
            args = self.args(node.args, node.keywords) if node.args or node.keywords else []
        else:
            lowered, args = self.opaque(), []
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.Call(o - 1, lowered, args)

    def args(self, positional: list[ast.expr], keywords: list[ast.keyword]) -> list[ir.Arg]:
        """In the order of the source: only `*x` may stand behind a keyword."""
        exprs = self.exprs
        given: list[Any] = positional
        if keywords:
            given = [*positional, *keywords]
            if positional and _place(keywords[0]) < _place(positional[-1]):
                given.sort(key=_place)
        out = []
        for node in given:
            kind = type(node)
            if kind is ast.keyword:
                value = node.value
                out.append(ir.Arg(exprs[type(value)](value), node.arg, 0 if node.arg is not None else 2))
            elif kind is ast.Starred:
                value = node.value
                out.append(ir.Arg(exprs[type(value)](value), None, 1))
            else:
                out.append(ir.Arg(exprs[kind](node)))
        return out

    def subscript(self, node: ast.Subscript) -> Any:
        self.depth = depth = self.depth + 1
        if depth >= MAX_DEPTH:
            self.depth = depth - 1
            return self.opaque()
        exprs = self.exprs
        value = exprs[type(node.value)](node.value)
        index = exprs[type(node.slice)](node.slice)
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.Sub(o - 1, value, index)

    def slice(self, node: ast.Slice) -> ir.Slice:
        exprs = self.exprs
        lower = None if node.lower is None else exprs[type(node.lower)](node.lower)
        upper = None if node.upper is None else exprs[type(node.upper)](node.upper)
        step = None if node.step is None else exprs[type(node.step)](node.step)
        self.o = o = self.o + 1
        return ir.Slice(o - 1, lower, upper, step)

    def binary(self, node: ast.BinOp) -> ir.BinOp:
        self.depth = depth = self.depth + 1
        if depth < MAX_DEPTH:
            exprs = self.exprs
            left = exprs[type(node.left)](node.left)
            right = exprs[type(node.right)](node.right)
        else:
            left, right = self.opaque(), self.opaque()
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.BinOp(o - 1, OPERATORS[type(node.op)], left, right)

    def boolean(self, node: ast.BoolOp) -> ir.BoolOp:
        return self.chain(OPERATORS[type(node.op)], node.values, len(node.values))

    def chain(self, op: str, values: list[ast.expr], count: int) -> ir.BoolOp:
        """The first `count` of values: a node for each operator, the last one outermost."""
        self.depth = depth = self.depth + 1
        left: Any
        if depth < MAX_DEPTH:
            exprs = self.exprs
            left = self.chain(op, values, count - 1) if count > 2 else exprs[type(values[0])](values[0])
            right = exprs[type(values[count - 1])](values[count - 1])
        else:
            left, right = self.opaque(), self.opaque()
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.BoolOp(o - 1, op, left, right)

    def unary(self, node: ast.UnaryOp) -> ir.UnaryOp:
        (operand,) = self.deeper((node.operand,))
        self.o = o = self.o + 1
        return ir.UnaryOp(o - 1, OPERATORS[type(node.op)], operand)

    def compare(self, node: ast.Compare) -> ir.Compare:
        left, *rights = self.deeper((node.left, *node.comparators))
        self.o = o = self.o + 1
        return ir.Compare(o - 1, left, [OPERATORS[type(op)] for op in node.ops], rights)

    def conditional(self, node: ast.IfExp) -> ir.IfExp:
        test, body, orelse = self.deeper((node.test, node.body, node.orelse))
        self.o = o = self.o + 1
        return ir.IfExp(o - 1, test, body, orelse)

    def await_(self, node: ast.Await) -> ir.Await:
        (value,) = self.deeper((node.value,))
        self.o = o = self.o + 1
        return ir.Await(o - 1, value)

    def yield_(self, node: ast.Yield) -> ir.Yield:
        self.yields = True
        (value,) = self.deeper((node.value,))
        self.o = o = self.o + 1
        return ir.Yield(o - 1, value, False)

    def yield_from(self, node: ast.YieldFrom) -> ir.Yield:
        self.yields = True
        (value,) = self.deeper((node.value,))
        self.o = o = self.o + 1
        return ir.Yield(o - 1, value, True)

    def walrus(self, node: ast.NamedExpr) -> ir.Walrus:
        (value,) = self.deeper((node.value,))
        self.o = o = self.o + 1
        return ir.Walrus(o - 1, node.target.id, value)

    def starred(self, node: ast.Starred) -> ir.Starred:
        (value,) = self.deeper((node.value,))
        self.o = o = self.o + 1
        return ir.Starred(o - 1, value)

    # ---- displays and comprehensions -----------------------------------------------

    def items(self, elements: list[ast.expr]) -> list[Any]:
        if len(elements) <= MAX_ITEMS:
            return self.deeper(elements)
        out = self.deeper(elements[:MAX_ITEMS])
        self.o = o = self.o + 2
        out.append(ir.Starred(o - 1, ir.Opaque(o - 2)))
        return out

    def tuple_(self, node: ast.Tuple) -> ir.Tuple:
        items = self.items(node.elts)
        self.o = o = self.o + 1
        return ir.Tuple(o - 1, items)

    def list_(self, node: ast.List) -> ir.List:
        items = self.items(node.elts)
        self.o = o = self.o + 1
        return ir.List(o - 1, items)

    def set_(self, node: ast.Set) -> ir.Set:
        items = self.items(node.elts)
        self.o = o = self.o + 1
        return ir.Set(o - 1, items)

    def dict_(self, node: ast.Dict) -> ir.Dict:
        keys: list[Any] = []
        values: list[Any] = []
        for pair in zip(node.keys[:MAX_ITEMS], node.values, strict=False):
            key, value = self.deeper(pair)
            keys.append(key)
            values.append(value)
        if len(node.keys) > MAX_ITEMS:
            keys.append(None)
            values.append(self.opaque())
        self.o = o = self.o + 1
        return ir.Dict(o - 1, keys, values)

    def comprehension(self, node: Any) -> ir.Comp:
        fors = []
        for clause in node.generators:
            iterated, target, *ifs = self.deeper((clause.iter, clause.target, *clause.ifs))
            fors.append(ir.CompFor(target, iterated, ifs))
        value = None
        if type(node) is ast.DictComp:
            elt, value = self.deeper((node.key, node.value))
        else:
            (elt,) = self.deeper((node.elt,))
        self.o = o = self.o + 1
        return ir.Comp(o - 1, _COMPREHENSIONS[type(node)], elt, value, fors)

    # ---- parameters ----------------------------------------------------------------

    def lambda_(self, node: ast.Lambda) -> ir.Lambda:
        outer = self.yields
        params = self.params(node.args)
        (body,) = self.deeper((node.body,))
        self.yields = outer
        self.o = o = self.o + 1
        return ir.Lambda(o - 1, params, body)

    def params(self, node: ast.arguments) -> list[ir.Param]:
        plain = [*node.posonlyargs, *node.args]
        first = len(plain) - len(node.defaults)  # that has a default
        out = []
        for i, arg in enumerate(plain):
            default = node.defaults[i - first] if i >= first else None
            out.append(self.param(arg, 0 if i < len(node.posonlyargs) else 1, default))
        if node.vararg is not None:
            out.append(self.param(node.vararg, 2))
        for arg, given in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            out.append(self.param(arg, 3, given))
        if node.kwarg is not None:
            out.append(self.param(node.kwarg, 4))
        return out

    def param(self, node: ast.arg, kind: int, default: ast.expr | None = None) -> ir.Param:
        if default is None and node.annotation is None:
            return ir.Param(node.arg, kind)
        value, note = self.deeper((default, node.annotation))
        return ir.Param(node.arg, kind, value, note)


def _encodes(value: str) -> bool:
    """Whether a string has no lone surrogates, which no UTF-8 encoder takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(node: ast.expr | ast.keyword) -> tuple[int, int]:
    return node.lineno, node.col_offset


_COMPREHENSIONS: dict[type, str] = {
    ast.ListComp: "list",
    ast.SetComp: "set",
    ast.GeneratorExp: "gen",
    ast.DictComp: "dict",
}

EXPRESSIONS: dict[type, str] = {
    ast.Name: "name",
    ast.Constant: "constant",
    ast.JoinedStr: "formatted",
    ast.Attribute: "attribute",
    ast.Call: "call",
    ast.Subscript: "subscript",
    ast.Slice: "slice",
    ast.BinOp: "binary",
    ast.BoolOp: "boolean",
    ast.UnaryOp: "unary",
    ast.Compare: "compare",
    ast.IfExp: "conditional",
    ast.Await: "await_",
    ast.Yield: "yield_",
    ast.YieldFrom: "yield_from",
    ast.NamedExpr: "walrus",
    ast.Starred: "starred",
    ast.Tuple: "tuple_",
    ast.List: "list_",
    ast.Set: "set_",
    ast.Dict: "dict_",
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.GeneratorExp: "comprehension",
    ast.DictComp: "comprehension",
    ast.Lambda: "lambda_",
}
"""What is not here (t-strings, which are no strings) is opaque."""
