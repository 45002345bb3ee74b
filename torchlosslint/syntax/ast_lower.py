"""CPython's own tree to the IR, at a tenth of the price of libcst's.

`cst_lower` makes the same IR, ordinal for ordinal, of what the running Python is too old for; a test
holds the two against each other. What the two trees do not share is left to Python: the text of
strings, and where the text of a formatted string is cut.
"""

from __future__ import annotations

import ast
from typing import Any

from torchlosslint.syntax import ir
from torchlosslint.syntax.ast_expressions import OPERATORS, AstExpressions, Handler
from torchlosslint.syntax.limits import MAX_CHAIN


def lower_ast(tree: ast.Module) -> ir.Module:
    """Lower a parsed tree; `lines` stays 0, for the tree does not know it."""
    return AstLowering().module(tree)


def groups(body: list[ast.stmt]) -> list[tuple[int, int]]:
    """First and last lines of the statements at the top, of which a line may hold several."""
    lines: list[tuple[int, int]] = []
    for first, last in map(_lines, body):
        if lines and first <= lines[-1][1]:
            lines[-1] = lines[-1][0], max(last, lines[-1][1])
        else:
            lines.append((first, last))
    return lines


class AstLowering(AstExpressions):
    """One walk. Ordinals are given from the inside out, but for `if`."""

    def __init__(self) -> None:
        super().__init__()
        self.stmts: dict[type, Handler] = {kind: getattr(self, name) for kind, name in STATEMENTS.items()}

    def module(self, tree: ast.Module) -> ir.Module:
        body: list[Any] = []
        starts: list[int] = []
        last = 0
        for stmt in tree.body:
            first, end = _lines(stmt)
            if first > last:
                starts.append(self.o)
            last = max(last, end)
            body += self.block((stmt,))
        return ir.Module(body, self.o, 0, starts)

    def block(self, nodes: Any) -> list[Any]:
        out: list[Any] = []
        stmts = self.stmts
        for node in nodes:
            handler = stmts.get(type(node))
            if handler is not None:
                made = handler(node)
                if made is not None:
                    out.append(made)
        return out

    def expression_statement(self, node: ast.Expr) -> ir.ExprStmt | None:
        value = node.value
        kind = type(value)
        if kind is ast.Constant and isinstance(value.value, (str, bytes)):  # type: ignore[attr-defined]
            return None
        lowered = self.exprs[kind](value)
        self.o = o = self.o + 1
        return ir.ExprStmt(o - 1, lowered)

    def assign(self, node: ast.Assign) -> ir.Assign:
        exprs = self.exprs
        value = exprs[type(node.value)](node.value)
        targets = [exprs[type(t)](t) for t in node.targets]
        self.o = o = self.o + 1
        return ir.Assign(o - 1, targets, value)

    def aug_assign(self, node: ast.AugAssign) -> ir.AugAssign:
        exprs = self.exprs
        target = exprs[type(node.target)](node.target)
        value = exprs[type(node.value)](node.value)
        self.o = o = self.o + 1
        return ir.AugAssign(o - 1, target, OPERATORS[type(node.op)], value)

    def ann_assign(self, node: ast.AnnAssign) -> ir.AnnAssign:
        exprs = self.exprs
        target = exprs[type(node.target)](node.target)
        annotation = exprs[type(node.annotation)](node.annotation)
        value = None if node.value is None else exprs[type(node.value)](node.value)
        self.o = o = self.o + 1
        return ir.AnnAssign(o - 1, target, annotation, value)

    def return_(self, node: ast.Return) -> ir.Return:
        value = None if node.value is None else self.exprs[type(node.value)](node.value)
        self.o = o = self.o + 1
        return ir.Return(o - 1, value)

    def raise_(self, node: ast.Raise) -> ir.Raise:
        self.o = o = self.o + 1
        return ir.Raise(o - 1)

    def break_(self, node: ast.Break) -> ir.Break:
        self.o = o = self.o + 1
        return ir.Break(o - 1)

    def continue_(self, node: ast.Continue) -> ir.Continue:
        self.o = o = self.o + 1
        return ir.Continue(o - 1)

    def if_(self, node: ast.If) -> ir.If:
        """An elif chain, iteratively. See MAX_CHAIN for what a very long one becomes."""
        exprs = self.exprs
        self.o = o = self.o + 1
        test = exprs[type(node.test)](node.test)
        first = last = ir.If(o - 1, test, self.block(node.body), [])
        column, tail = node.col_offset, node.orelse
        depth = 1
        while tail:
            branch: Any = tail[0]
            # An `if` that is alone after `else:` is further to the right.
            if len(tail) > 1 or type(branch) is not ast.If or branch.col_offset != column:
                body = self.block(tail)
                if depth <= MAX_CHAIN:
                    last.orelse = body
                else:
                    self.o = o = self.o + 2
                    last.orelse.append(ir.If(o - 2, ir.Opaque(o - 1), body, []))
                break
            self.o = o = self.o + 1
            test = exprs[type(branch.test)](branch.test)
            nested = ir.If(o - 1, test, self.block(branch.body), [])
            last.orelse.append(nested)
            if depth < MAX_CHAIN:
                last = nested
            depth += 1
            tail = branch.orelse
        return first

    def for_(self, node: ast.For) -> ir.For:
        exprs = self.exprs
        iterated = exprs[type(node.iter)](node.iter)
        target = exprs[type(node.target)](node.target)
        body = self.block(node.body)
        orelse = self.block(node.orelse)
        self.o = o = self.o + 1
        return ir.For(o - 1, target, iterated, body, orelse)

    def while_(self, node: ast.While) -> ir.While:
        test = self.exprs[type(node.test)](node.test)
        body = self.block(node.body)
        orelse = self.block(node.orelse)
        self.o = o = self.o + 1
        return ir.While(o - 1, test, body, orelse)

    def with_(self, node: ast.With) -> ir.With:
        exprs = self.exprs
        items = []
        for item in node.items:
            value = exprs[type(item.context_expr)](item.context_expr)
            name = item.optional_vars
            items.append(ir.WithItem(value, None if name is None else exprs[type(name)](name)))
        body = self.block(node.body)
        self.o = o = self.o + 1
        return ir.With(o - 1, items, body)

    def try_(self, node: Any) -> ir.Try:
        exprs = self.exprs
        body = self.block(node.body)
        handlers = []
        for h in node.handlers:
            kind = None if h.type is None else exprs[type(h.type)](h.type)
            handlers.append(ir.Handler(kind, h.name, self.block(h.body)))
        orelse = self.block(node.orelse)
        final = self.block(node.finalbody)
        self.o = o = self.o + 1
        return ir.Try(o - 1, body, handlers, orelse, final)

    def function(self, node: ast.FunctionDef) -> ir.FuncDef:
        exprs = self.exprs
        decorators = [exprs[type(d)](d) for d in node.decorator_list]
        params = self.params(node.args)
        returns = None if node.returns is None else exprs[type(node.returns)](node.returns)
        outer, self.yields = self.yields, False
        body = self.block(node.body)
        yields, self.yields = self.yields, outer
        self.o = o = self.o + 1
        return ir.FuncDef(o - 1, node.name, params, body, decorators, returns, yields)

    def class_(self, node: ast.ClassDef) -> ir.ClassDef:
        exprs = self.exprs
        decorators = [exprs[type(d)](d) for d in node.decorator_list]
        bases = self.args(node.bases, [])
        bases += self.args([], node.keywords)
        outer = self.yields
        body = self.block(node.body)
        self.yields = outer
        self.o = o = self.o + 1
        return ir.ClassDef(o - 1, node.name, bases, body, decorators)

    def import_(self, node: ast.Import) -> ir.Import:
        self.o = o = self.o + 1
        return ir.Import(o - 1, [ir.Alias(a.name, a.asname) for a in node.names])

    def import_from(self, node: ast.ImportFrom) -> ir.ImportFrom:
        self.o = o = self.o + 1
        names = [ir.Alias(a.name, a.asname) for a in node.names]
        return ir.ImportFrom(o - 1, node.module or "", node.level, names)

    def global_(self, node: ast.Global) -> ir.Global:
        self.o = o = self.o + 1
        return ir.Global(o - 1, node.names)

    def nonlocal_(self, node: ast.Nonlocal) -> ir.Nonlocal:
        self.o = o = self.o + 1
        return ir.Nonlocal(o - 1, node.names)

    def delete(self, node: ast.Delete) -> ir.Delete:
        """`del a, b` and `del (a, b)` are the same."""
        if len(node.targets) > 1:
            targets = self.items(node.targets)
            self.o += 1
        else:
            target = self.exprs[type(node.targets[0])](node.targets[0])
            targets = target.items if type(target) is ir.Tuple else [target]
        self.o = o = self.o + 1
        return ir.Delete(o - 1, targets)

    def assert_(self, node: ast.Assert) -> ir.Assert:
        test = self.exprs[type(node.test)](node.test)
        self.o = o = self.o + 1
        return ir.Assert(o - 1, test)

    def match(self, node: ast.Match) -> ir.Match:
        exprs = self.exprs
        subject = exprs[type(node.subject)](node.subject)
        cases = []
        for case in node.cases:
            binds: list[str] = []
            values, wildcard = self.pattern(case.pattern, binds)
            guard = None if case.guard is None else exprs[type(case.guard)](case.guard)
            cases.append(ir.Case(values or [], binds, wildcard, guard, self.block(case.body)))
        self.o = o = self.o + 1
        return ir.Match(o - 1, subject, cases)

    def pattern(self, node: Any, binds: list[str]) -> tuple[list[Any] | None, bool]:
        """What a pattern compares with (None: not only literals) and whether it always
        matches; the names it binds are added to `binds`."""
        kind = type(node)
        if kind is ast.MatchValue:
            return [self.exprs[type(node.value)](node.value)], False
        if kind is ast.MatchSingleton:
            self.o = o = self.o + 1
            return [ir.Const(o - 1, node.value)], False
        if kind is ast.MatchAs:
            _bind(node.name, binds)
            return (None, True) if node.pattern is None else self.pattern(node.pattern, binds)
        if kind is ast.MatchOr:
            values: list[Any] | None = []
            always = False
            for part in node.patterns:
                literals, matches = self.pattern(part, binds)
                always = always or matches
                values = None if literals is None or values is None else values + literals
            return values, always
        if kind is ast.MatchStar:
            _bind(node.name, binds)
            return None, False
        for part in node.patterns:
            self.pattern(part, binds)
        if kind is ast.MatchMapping:
            _bind(node.rest, binds)
        elif kind is ast.MatchClass:
            for part in node.kwd_patterns:
                self.pattern(part, binds)
        return None, False


def _lines(stmt: ast.stmt) -> tuple[int, int]:
    """The first and the last line of a statement, with its decorators."""
    first = min([stmt.lineno, *(d.lineno for d in getattr(stmt, "decorator_list", ()))])
    return first, stmt.end_lineno or stmt.lineno


def _bind(name: str | None, binds: list[str]) -> None:
    if name is not None and name not in binds:
        binds.append(name)


STATEMENTS: dict[type, str] = {
    ast.Expr: "expression_statement",
    ast.Assign: "assign",
    ast.AugAssign: "aug_assign",
    ast.AnnAssign: "ann_assign",
    ast.Return: "return_",
    ast.Raise: "raise_",
    ast.Break: "break_",
    ast.Continue: "continue_",
    ast.If: "if_",
    ast.For: "for_",
    ast.AsyncFor: "for_",
    ast.While: "while_",
    ast.With: "with_",
    ast.AsyncWith: "with_",
    ast.Try: "try_",
    ast.FunctionDef: "function",
    ast.AsyncFunctionDef: "function",
    ast.ClassDef: "class_",
    ast.Import: "import_",
    ast.ImportFrom: "import_from",
    ast.Global: "global_",
    ast.Nonlocal: "nonlocal_",
    ast.Delete: "delete",
    ast.Assert: "assert_",
    ast.Match: "match",
}
"""`pass` and `type X = ...` are dropped, as are bare strings."""

if hasattr(ast, "TryStar"):  # from Python 3.11 on
    STATEMENTS[ast.TryStar] = "try_"
