"""The half of the lowering that turns expressions into IR."""

from __future__ import annotations

from typing import Any

import libcst as cst

from torchlosslint.syntax import ir
from torchlosslint.syntax.ast_expressions import Handler, Table
from torchlosslint.syntax.cst_literals import (
    BINARY_OPS,
    COMPARE_OPS,
    SINGLETONS,
    UNARY_OPS,
    fragment_value,
    integer_value,
    string_value,
)
from torchlosslint.syntax.limits import MAX_DEPTH, MAX_ITEMS


class Expressions:
    """Handlers of expressions. `exprs` is how one reaches another: type -> handler."""

    exprs: dict[type, Handler]

    def __init__(self) -> None:
        self.o = 0
        self.depth = 0
        self.yields = False
        self.exprs = Table({k: getattr(self, name) for k, name in EXPRESSIONS.items()}, self.opaque)

    def opaque(self, node: object = None) -> ir.Opaque:
        self.o = o = self.o + 1
        return ir.Opaque(o - 1)

    # ---- atoms ---------------------------------------------------------------------

    def name(self, node: cst.Name) -> Any:
        self.o = o = self.o + 1
        value = node.value
        if value in SINGLETONS:
            return ir.Const(o - 1, SINGLETONS[value])
        return ir.Name(o - 1, value)

    def integer(self, node: cst.Integer) -> Any:
        self.o = o = self.o + 1
        value = integer_value(node.value)
        return ir.Opaque(o - 1) if value is None else ir.Const(o - 1, value)

    def float_(self, node: cst.Float) -> ir.Const:
        self.o = o = self.o + 1
        return ir.Const(o - 1, float(node.value.replace("_", "")))

    def string(self, node: cst.SimpleString) -> Any:
        self.o = o = self.o + 1
        value = string_value(node.value)
        return ir.Opaque(o - 1) if value is None else ir.Const(o - 1, value)

    def concatenated(self, node: cst.ConcatenatedString) -> Any:
        """Adjacent strings: one Const, or one FString if a piece is formatted."""
        pieces: list[Any] = []
        rest: Any = node
        while type(rest) is cst.ConcatenatedString:
            pieces.append(rest.left)
            rest = rest.right
        pieces.append(rest)
        if not all(type(p) is cst.SimpleString for p in pieces):
            return self.joined(pieces)
        self.o = o = self.o + 1
        values = [string_value(p.value) for p in pieces]
        return ir.Opaque(o - 1) if None in values else ir.Const(o - 1, "".join(v or "" for v in values))

    def formatted(self, node: cst.FormattedString) -> Any:
        return self.joined([node])

    def joined(self, pieces: list[Any]) -> Any:
        """Strings of which some are formatted; template strings are no strings."""
        parts: list[Any] = []
        texts: list[str | None] = []
        for piece in pieces:
            if type(piece) is cst.SimpleString:
                texts.append(string_value(piece.value))
            elif type(piece) is cst.FormattedString:
                self.fragments(piece.parts, piece.start.rstrip("\"'"), texts, parts)
            else:
                return self.opaque()
        self.flush(texts, parts)
        self.o = o = self.o + 1
        return ir.FString(o - 1, parts)

    def flush(self, texts: list[str | None], parts: list[Any]) -> None:
        """One node for the text between two expressions; None is text that the IR cannot hold."""
        text = None if None in texts else "".join(t or "" for t in texts)
        texts.clear()
        if text is None:
            parts.append(self.opaque())
        elif text:
            self.o = o = self.o + 1
            parts.append(ir.Const(o - 1, text))

    def fragments(self, nodes: Any, prefix: str, texts: list[str | None], parts: list[Any]) -> None:
        """`{x!r}` is lowered as `repr(x)`, `{x:.3f}` as `format(x, ".3f")`: what they mean."""
        for node in nodes:
            if hasattr(node, "value"):
                texts.append(fragment_value(node.value, prefix))
                continue
            conversion, spec = node.conversion, node.format_spec
            if node.equal is not None:
                texts.append(None)
                conversion = conversion or (None if spec else "r")
            self.flush(texts, parts)
            lowered = self.exprs[type(node.expression)](node.expression)
            if conversion:
                named = "str" if conversion == "s" else "repr" if conversion == "r" else "ascii"
                lowered = self.builtin_call(named, [lowered])
            if spec:
                inner: list[Any] = []
                between: list[str | None] = []
                self.fragments(spec, prefix, between, inner)
                self.flush(between, inner)
                self.o = o = self.o + 1
                lowered = self.builtin_call("format", [lowered, ir.FString(o - 1, inner)])
            parts.append(lowered)

    def builtin_call(self, name: str, values: list[Any]) -> ir.Call:
        self.o = o = self.o + 2
        return ir.Call(o - 1, ir.Name(o - 2, name), [ir.Arg(value) for value in values])

    # ---- what nests ----------------------------------------------------------------

    def attribute(self, node: cst.Attribute) -> Any:
        self.depth = depth = self.depth + 1
        value = node.value
        lowered = self.exprs[type(value)](value) if depth < MAX_DEPTH else self.opaque()
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.Attr(o - 1, lowered, node.attr.value)

    def call(self, node: cst.Call) -> Any:
        self.depth = depth = self.depth + 1
        func = node.func
        lowered = self.exprs[type(func)](func) if depth < MAX_DEPTH else self.opaque()
        args = self.args(node.args) if depth < MAX_DEPTH else []
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.Call(o - 1, lowered, args)

    def args(self, nodes: Any) -> list[ir.Arg]:
        exprs = self.exprs
        out = []
        for node in nodes:
            value = node.value
            keyword = node.keyword
            out.append(
                ir.Arg(
                    exprs[type(value)](value),
                    None if keyword is None else keyword.value,
                    len(node.star),
                )
            )
        return out

    def subscript(self, node: cst.Subscript) -> Any:
        self.depth = depth = self.depth + 1
        if depth >= MAX_DEPTH:
            self.depth = depth - 1
            return self.opaque()
        value = self.exprs[type(node.value)](node.value)
        elements = node.slice
        index: Any
        first: Any = elements[0].slice
        starred = type(first) is cst.Index and bool(first.star)
        if len(elements) == 1 and type(elements[0].comma) is not cst.Comma and not starred:
            index = self.index(first)
        else:
            items = [self.index(element.slice) for element in elements]
            self.o = o = self.o + 1
            index = ir.Tuple(o - 1, items)
        self.depth = depth - 1
        self.o = o = self.o + 1
        return ir.Sub(o - 1, value, index)

    def index(self, node: Any) -> Any:
        exprs = self.exprs
        if type(node) is cst.Index:
            lowered = exprs[type(node.value)](node.value)
            if node.star:
                self.o = o = self.o + 1
                return ir.Starred(o - 1, lowered)
            return lowered
        lower = None if node.lower is None else exprs[type(node.lower)](node.lower)
        upper = None if node.upper is None else exprs[type(node.upper)](node.upper)
        step = None if node.step is None else exprs[type(node.step)](node.step)
        self.o = o = self.o + 1
        return ir.Slice(o - 1, lower, upper, step)

    def binary(self, node: cst.BinaryOperation) -> ir.BinOp:
        left, right = self.pair(node.left, node.right)
        self.o = o = self.o + 1
        return ir.BinOp(o - 1, BINARY_OPS[type(node.operator)], left, right)

    def boolean(self, node: cst.BooleanOperation) -> ir.BoolOp:
        left, right = self.pair(node.left, node.right)
        self.o = o = self.o + 1
        return ir.BoolOp(o - 1, "and" if type(node.operator) is cst.And else "or", left, right)

    def pair(self, *nodes: Any) -> list[Any]:
        """Subexpressions one level down, in order; opaque below MAX_DEPTH."""
        self.depth = depth = self.depth + 1
        exprs = self.exprs
        if depth < MAX_DEPTH:
            out = [exprs[type(node)](node) for node in nodes]
        else:
            out = [self.opaque() for _ in nodes]
        self.depth = depth - 1
        return out

    def unary(self, node: cst.UnaryOperation) -> ir.UnaryOp:
        (operand,) = self.pair(node.expression)
        self.o = o = self.o + 1
        return ir.UnaryOp(o - 1, UNARY_OPS[type(node.operator)], operand)

    def compare(self, node: cst.Comparison) -> ir.Compare:
        left, *rights = self.pair(node.left, *[target.comparator for target in node.comparisons])
        ops = [COMPARE_OPS[type(target.operator)] for target in node.comparisons]
        self.o = o = self.o + 1
        return ir.Compare(o - 1, left, ops, rights)

    def conditional(self, node: cst.IfExp) -> ir.IfExp:
        test, body, orelse = self.pair(node.test, node.body, node.orelse)
        self.o = o = self.o + 1
        return ir.IfExp(o - 1, test, body, orelse)

    def await_(self, node: cst.Await) -> ir.Await:
        (value,) = self.pair(node.expression)
        self.o = o = self.o + 1
        return ir.Await(o - 1, value)

    def yield_(self, node: cst.Yield) -> ir.Yield:
        self.yields = True
        value: Any = node.value
        is_from = type(value) is cst.From
        if is_from:
            value = value.item
        lowered = None if value is None else self.pair(value)[0]
        self.o = o = self.o + 1
        return ir.Yield(o - 1, lowered, is_from)

    def walrus(self, node: cst.NamedExpr) -> ir.Walrus:
        (value,) = self.pair(node.value)
        self.o = o = self.o + 1
        target: Any = node.target
        return ir.Walrus(o - 1, target.value, value)

    def starred(self, node: cst.StarredElement) -> ir.Starred:
        (value,) = self.pair(node.value)
        self.o = o = self.o + 1
        return ir.Starred(o - 1, value)

    # ---- displays and comprehensions -----------------------------------------------

    def items(self, elements: Any) -> list[Any]:
        kept = elements if len(elements) <= MAX_ITEMS else elements[:MAX_ITEMS]
        nodes = [e if type(e) is cst.StarredElement else e.value for e in kept]
        out = self.pair(*nodes)
        if kept is not elements:
            self.o = o = self.o + 2
            out.append(ir.Starred(o - 1, ir.Opaque(o - 2)))
        return out

    def tuple_(self, node: cst.Tuple) -> ir.Tuple:
        items = self.items(node.elements)
        self.o = o = self.o + 1
        return ir.Tuple(o - 1, items)

    def list_(self, node: cst.List) -> ir.List:
        items = self.items(node.elements)
        self.o = o = self.o + 1
        return ir.List(o - 1, items)

    def set_(self, node: cst.Set) -> ir.Set:
        items = self.items(node.elements)
        self.o = o = self.o + 1
        return ir.Set(o - 1, items)

    def dict_(self, node: cst.Dict) -> ir.Dict:
        keys: list[Any] = []
        values: list[Any] = []
        for element in node.elements[:MAX_ITEMS]:
            if type(element) is cst.DictElement:
                key, value = self.pair(element.key, element.value)
            else:
                key, (value,) = None, self.pair(element.value)
            keys.append(key)
            values.append(value)
        if len(node.elements) > MAX_ITEMS:
            keys.append(None)
            values.append(self.opaque())
        self.o = o = self.o + 1
        return ir.Dict(o - 1, keys, values)

    def comprehension(self, node: Any) -> ir.Comp:
        fors = []
        clause: Any | None = node.for_in
        while clause is not None:
            iterated, target, *ifs = self.pair(clause.iter, clause.target, *[i.test for i in clause.ifs])
            fors.append(ir.CompFor(target, iterated, ifs))
            clause = clause.inner_for_in
        value = None
        if type(node) is cst.DictComp:
            elt, value = self.pair(node.key, node.value)
        else:
            (elt,) = self.pair(node.elt)
        self.o = o = self.o + 1
        return ir.Comp(o - 1, _COMPREHENSIONS[type(node)], elt, value, fors)

    # ---- parameters ----------------------------------------------------------------

    def lambda_(self, node: cst.Lambda) -> ir.Lambda:
        outer = self.yields
        params = self.params(node.params)
        (body,) = self.pair(node.body)
        self.yields = outer
        self.o = o = self.o + 1
        return ir.Lambda(o - 1, params, body)

    def params(self, node: cst.Parameters) -> list[ir.Param]:
        out = [self.param(p, 0) for p in node.posonly_params]
        out += [self.param(p, 1) for p in node.params]
        if isinstance(node.star_arg, cst.Param):
            out.append(self.param(node.star_arg, 2))
        out += [self.param(p, 3) for p in node.kwonly_params]
        if node.star_kwarg is not None:
            out.append(self.param(node.star_kwarg, 4))
        return out

    def param(self, node: cst.Param, kind: int) -> ir.Param:
        default = None if node.default is None else self.pair(node.default)[0]
        note = None if node.annotation is None else self.pair(node.annotation.annotation)[0]
        return ir.Param(node.name.value, kind, default, note)


_COMPREHENSIONS: dict[type, str] = {
    cst.ListComp: "list",
    cst.SetComp: "set",
    cst.GeneratorExp: "gen",
    cst.DictComp: "dict",
}

EXPRESSIONS: dict[type, str] = {
    cst.Name: "name",
    cst.Integer: "integer",
    cst.Float: "float_",
    cst.Imaginary: "opaque",
    cst.Ellipsis: "opaque",
    cst.SimpleString: "string",
    cst.ConcatenatedString: "concatenated",
    cst.FormattedString: "formatted",
    cst.Attribute: "attribute",
    cst.Call: "call",
    cst.Subscript: "subscript",
    cst.BinaryOperation: "binary",
    cst.BooleanOperation: "boolean",
    cst.UnaryOperation: "unary",
    cst.Comparison: "compare",
    cst.IfExp: "conditional",
    cst.Await: "await_",
    cst.Yield: "yield_",
    cst.NamedExpr: "walrus",
    cst.StarredElement: "starred",
    cst.Tuple: "tuple_",
    cst.List: "list_",
    cst.Set: "set_",
    cst.Dict: "dict_",
    cst.ListComp: "comprehension",
    cst.SetComp: "comprehension",
    cst.GeneratorExp: "comprehension",
    cst.DictComp: "comprehension",
    cst.Lambda: "lambda_",
}

if hasattr(cst, "TemplatedString"):  # t-strings are no strings
    EXPRESSIONS[cst.TemplatedString] = "opaque"
