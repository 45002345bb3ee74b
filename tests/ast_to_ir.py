"""Python's own ast as the IR, all ordinals 0: what the lowering must come to."""

from __future__ import annotations

import ast
from typing import Any

from torchlosslint.syntax import ir

OPS: dict[type, str] = {
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
COMPREHENSIONS = {ast.ListComp: "list", ast.SetComp: "set", ast.GeneratorExp: "gen", ast.DictComp: "dict"}
MATCHED = {ord("s"): "str", ord("r"): "repr", ord("a"): "ascii"}


def op(node: ast.AST) -> str:
    return OPS[type(node)]


def maybe(node: Any) -> Any:
    return None if node is None else expr(node)


def exprs(nodes: list[Any]) -> list[Any]:
    return [expr(node) for node in nodes]


def constant(value: object) -> Any:
    if isinstance(value, (bytes, complex)) or value is ...:
        return ir.Opaque(0)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**63:
        return ir.Opaque(0)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return ir.Opaque(0)
    return ir.Const(0, value)  # type: ignore[arg-type]


def args(positional: list[Any], keywords: list[ast.keyword]) -> list[ir.Arg]:
    """In the order of the source."""
    out = []
    for node in sorted([*positional, *keywords], key=lambda n: (n.lineno, n.col_offset)):
        if isinstance(node, ast.keyword):
            out.append(ir.Arg(expr(node.value), node.arg, 0 if node.arg else 2))
        elif isinstance(node, ast.Starred):
            out.append(ir.Arg(expr(node.value), None, 1))
        else:
            out.append(ir.Arg(expr(node), None, 0))
    return out


def params(node: ast.arguments) -> list[ir.Param]:
    plain = [*node.posonlyargs, *node.args]
    defaults = [None] * (len(plain) - len(node.defaults)) + list(node.defaults)
    out = []
    for i, (arg, default) in enumerate(zip(plain, defaults, strict=True)):
        out.append(ir.Param(arg.arg, int(i >= len(node.posonlyargs)), maybe(default), maybe(arg.annotation)))
    if node.vararg:
        out.append(ir.Param(node.vararg.arg, 2, None, maybe(node.vararg.annotation)))
    for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        out.append(ir.Param(arg.arg, 3, maybe(default), maybe(arg.annotation)))
    if node.kwarg:
        out.append(ir.Param(node.kwarg.arg, 4, None, maybe(node.kwarg.annotation)))
    return out


def formatted(node: ast.FormattedValue) -> Any:
    value = expr(node.value)
    if node.conversion != -1:
        value = ir.Call(0, ir.Name(0, MATCHED[node.conversion]), [ir.Arg(value)])
    if isinstance(node.format_spec, ast.JoinedStr) and node.format_spec.values:
        value = ir.Call(0, ir.Name(0, "format"), [ir.Arg(value), ir.Arg(expr(node.format_spec))])
    return value


def expr(node: Any) -> Any:
    match node:
        case ast.Name():
            return ir.Name(0, node.id)
        case ast.Constant():
            return constant(node.value)
        case ast.Attribute():
            return ir.Attr(0, expr(node.value), node.attr)
        case ast.Call():
            return ir.Call(0, expr(node.func), args(node.args, node.keywords))
        case ast.Slice():
            return ir.Slice(0, maybe(node.lower), maybe(node.upper), maybe(node.step))
        case ast.Subscript():
            return ir.Sub(0, expr(node.value), expr(node.slice))
        case ast.BinOp():
            return ir.BinOp(0, op(node.op), expr(node.left), expr(node.right))
        case ast.UnaryOp():
            return ir.UnaryOp(0, op(node.op), expr(node.operand))
        case ast.BoolOp():
            out = expr(node.values[0])
            for value in node.values[1:]:
                out = ir.BoolOp(0, op(node.op), out, expr(value))
            return out
        case ast.Compare():
            return ir.Compare(0, expr(node.left), [op(o) for o in node.ops], exprs(node.comparators))
        case ast.IfExp():
            return ir.IfExp(0, expr(node.test), expr(node.body), expr(node.orelse))
        case ast.Tuple():
            return ir.Tuple(0, exprs(node.elts))
        case ast.List():
            return ir.List(0, exprs(node.elts))
        case ast.Set():
            return ir.Set(0, exprs(node.elts))
        case ast.Dict():
            return ir.Dict(0, [maybe(k) for k in node.keys], exprs(node.values))
        case ast.Starred():
            return ir.Starred(0, expr(node.value))
        case ast.Lambda():
            return ir.Lambda(0, params(node.args), expr(node.body))
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            fors = [ir.CompFor(expr(g.target), expr(g.iter), exprs(g.ifs)) for g in node.generators]
            elt: Any = node.key if isinstance(node, ast.DictComp) else node.elt
            paired = expr(node.value) if isinstance(node, ast.DictComp) else None
            return ir.Comp(0, COMPREHENSIONS[type(node)], expr(elt), paired, fors)
        case ast.Await():
            return ir.Await(0, expr(node.value))
        case ast.Yield():
            return ir.Yield(0, maybe(node.value), False)
        case ast.YieldFrom():
            return ir.Yield(0, expr(node.value), True)
        case ast.NamedExpr():
            return ir.Walrus(0, node.target.id, expr(node.value))
        case ast.JoinedStr():
            parts = [formatted(v) if isinstance(v, ast.FormattedValue) else expr(v) for v in node.values]
            return ir.FString(0, parts)
    raise AssertionError(type(node))


def is_generator(node: Any) -> bool:
    todo = list(node.body)
    while todo:
        child = todo.pop()
        if isinstance(child, (ast.Yield, ast.YieldFrom)):
            return True
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.ClassDef):
            continue
        todo.extend(ast.iter_child_nodes(child))
    return False


def aliases(nodes: list[ast.alias]) -> list[ir.Alias]:
    return [ir.Alias(node.name, node.asname) for node in nodes]


def case_of(node: ast.match_case) -> ir.Case:
    names = [getattr(n, "name", None) or getattr(n, "rest", None) for n in ast.walk(node.pattern)]
    binds = sorted({name for name in names if name})
    values, wildcard = pattern(node.pattern)
    return ir.Case(values or [], binds, wildcard, maybe(node.guard), stmts(node.body))


def pattern(node: ast.pattern) -> tuple[list[Any] | None, bool]:
    match node:
        case ast.MatchValue():
            return [expr(node.value)], False
        case ast.MatchSingleton():
            return [constant(node.value)], False
        case ast.MatchAs():
            return (None, True) if node.pattern is None else pattern(node.pattern)
        case ast.MatchOr():
            parts = [pattern(p) for p in node.patterns]
            values = None if any(v is None for v, _ in parts) else [x for v, _ in parts for x in v or []]
            return values, any(always for _, always in parts)
    return None, False


def stmts(nodes: list[Any]) -> list[Any]:
    return [made for made in map(stmt, nodes) if made is not None]


def stmt(node: Any) -> Any:
    match node:
        case ast.Assign():
            return ir.Assign(0, exprs(node.targets), expr(node.value))
        case ast.AugAssign():
            return ir.AugAssign(0, expr(node.target), op(node.op), expr(node.value))
        case ast.AnnAssign():
            return ir.AnnAssign(0, expr(node.target), expr(node.annotation), maybe(node.value))
        case ast.Expr():
            bare = isinstance(node.value, ast.Constant) and isinstance(node.value.value, (str, bytes))
            return None if bare else ir.ExprStmt(0, expr(node.value))
        case ast.Return():
            return ir.Return(0, maybe(node.value))
        case ast.Raise():
            return ir.Raise(0)
        case ast.Break():
            return ir.Break(0)
        case ast.Continue():
            return ir.Continue(0)
        case ast.If():
            return ir.If(0, expr(node.test), stmts(node.body), stmts(node.orelse))
        case ast.For() | ast.AsyncFor():
            return ir.For(0, expr(node.target), expr(node.iter), stmts(node.body), stmts(node.orelse))
        case ast.While():
            return ir.While(0, expr(node.test), stmts(node.body), stmts(node.orelse))
        case ast.With() | ast.AsyncWith():
            items = [ir.WithItem(expr(i.context_expr), maybe(i.optional_vars)) for i in node.items]
            return ir.With(0, items, stmts(node.body))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return ir.FuncDef(
                0,
                node.name,
                params(node.args),
                stmts(node.body),
                exprs(node.decorator_list),
                maybe(node.returns),
                is_generator(node),
            )
        case ast.ClassDef():
            bases = args(node.bases, node.keywords)
            return ir.ClassDef(0, node.name, bases, stmts(node.body), exprs(node.decorator_list))
        case ast.Import():
            return ir.Import(0, aliases(node.names))
        case ast.ImportFrom():
            return ir.ImportFrom(0, node.module or "", node.level, aliases(node.names))
        case ast.Global():
            return ir.Global(0, node.names)
        case ast.Nonlocal():
            return ir.Nonlocal(0, node.names)
        case ast.Delete():
            return ir.Delete(0, exprs(node.targets))
        case ast.Assert():
            return ir.Assert(0, expr(node.test))
        case ast.Match():
            return ir.Match(0, expr(node.subject), [case_of(c) for c in node.cases])
        case ast.Pass():
            return None
    if hasattr(node, "handlers"):  # Try, and TryStar from Python 3.11 on
        handlers = [ir.Handler(maybe(h.type), h.name, stmts(h.body)) for h in node.handlers]
        return ir.Try(0, stmts(node.body), handlers, stmts(node.orelse), stmts(node.finalbody))
    raise AssertionError(type(node))


def module(text: str) -> list[Any]:
    return stmts(ast.parse(text).body)


def shape(value: Any) -> Any:
    """The IR as plain tuples, without ordinals and without the text between the
    expressions of formatted strings (ast and libcst cut it in different places)."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, ir.FString):
        return ("FString", [shape(p) for p in value.parts if not isinstance(p, (ir.Const, ir.Opaque))])
    if isinstance(value, ir.Case):
        value = ir.Case(value.values, sorted(value.binds), value.wildcard, value.guard, value.body)
    if isinstance(value, ir.Const):
        return ("Const", type(value.value).__name__, value.value)
    if hasattr(value, "__struct_fields__"):
        fields = [shape(getattr(value, name)) for name in value.__struct_fields__ if name != "o"]
        return (type(value).__name__, *fields)
    return value
