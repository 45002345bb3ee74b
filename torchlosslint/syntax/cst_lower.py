"""libcst's tree to the IR, by one walk over the fields that matter: for syntax that is newer than the
running Python (see `ast_lower`), and for places and edits.

The walk dispatches on the type of a node through two dicts (expressions, statements),
with no visitor and no metadata. Every IR node gets its ordinal when it is made. To find
the cst node behind an ordinal again, lower the same text with `wanted`: the same
handlers then run behind a wrapper that notes which cst node an ordinal came from.
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from torchlosslint.syntax import ir
from torchlosslint.syntax.ast_expressions import Handler, Table
from torchlosslint.syntax.cst_expressions import Expressions
from torchlosslint.syntax.cst_literals import AUG_OPS
from torchlosslint.syntax.limits import MAX_CHAIN


def lower_tree(tree: cst.Module) -> ir.Module:
    """Lower a parsed tree; `lines` stays 0, for the tree does not know it."""
    return Lowering().module(tree)


class Lowering(Expressions):
    """One walk. With `wanted`, `found` maps those ordinals to their cst nodes."""

    def __init__(self, wanted: set[int] | None = None) -> None:
        super().__init__()
        self.stmts: dict[type, Handler] = {kind: getattr(self, name) for kind, name in STATEMENTS.items()}
        self.pending = set() if wanted is None else set(wanted)
        self.found: dict[int, cst.CSTNode] = {}
        if self.pending:
            noted = {kind: self.noting(handler) for kind, handler in self.exprs.items()}
            self.exprs = Table(noted, self.noting(self.opaque))
            self.stmts = {kind: self.noting(handler) for kind, handler in self.stmts.items()}

    def noting(self, handler: Handler) -> Handler:
        """`handler`, noting its cst node for the ordinals that no inner handler gave out."""
        pending = self.pending

        def noting(node: cst.CSTNode) -> Any:
            first = self.o
            result = handler(node)
            if pending:
                few = self.o - first < len(pending)
                given = range(first, self.o) if few else sorted(pending)
                for o in given:
                    if o in pending and first <= o < self.o:
                        self.note(o, node)
            return result

        return noting

    def note(self, o: int, node: cst.CSTNode) -> None:
        self.pending.discard(o)
        self.found[o] = node

    def module(self, tree: cst.Module) -> ir.Module:
        body: list[Any] = []
        starts = []
        for line in tree.body:
            starts.append(self.o)
            body += self.block((line,))
        return ir.Module(body, self.o, 0, starts)

    # ---- blocks and statements -----------------------------------------------------

    def block(self, lines: Any) -> list[Any]:
        out: list[Any] = []
        stmts = self.stmts
        for line in lines:
            if type(line) is cst.SimpleStatementLine:
                for small in line.body:
                    handler = stmts.get(type(small))
                    if handler is not None:
                        made = handler(small)
                        if made is not None:
                            out.append(made)
            else:
                handler = stmts.get(type(line))
                if handler is not None:
                    made = handler(line)
                    if made is not None:
                        out.append(made)
        return out

    def expression_statement(self, node: cst.Expr) -> ir.ExprStmt | None:
        value = node.value
        kind = type(value)
        if kind is cst.SimpleString or (kind is cst.ConcatenatedString and _plain(value)):
            return None
        lowered = self.exprs[kind](value)
        self.o = o = self.o + 1
        return ir.ExprStmt(o - 1, lowered)

    def assign(self, node: cst.Assign) -> ir.Assign:
        exprs = self.exprs
        value = exprs[type(node.value)](node.value)
        targets = [exprs[type(t.target)](t.target) for t in node.targets]
        self.o = o = self.o + 1
        return ir.Assign(o - 1, targets, value)

    def aug_assign(self, node: cst.AugAssign) -> ir.AugAssign:
        exprs = self.exprs
        target = exprs[type(node.target)](node.target)
        value = exprs[type(node.value)](node.value)
        self.o = o = self.o + 1
        return ir.AugAssign(o - 1, target, AUG_OPS[type(node.operator)], value)

    def ann_assign(self, node: cst.AnnAssign) -> ir.AnnAssign:
        exprs = self.exprs
        target = exprs[type(node.target)](node.target)
        note = node.annotation.annotation
        annotation = exprs[type(note)](note)
        value = None if node.value is None else exprs[type(node.value)](node.value)
        self.o = o = self.o + 1
        return ir.AnnAssign(o - 1, target, annotation, value)

    def return_(self, node: cst.Return) -> ir.Return:
        value = None if node.value is None else self.exprs[type(node.value)](node.value)
        self.o = o = self.o + 1
        return ir.Return(o - 1, value)

    def raise_(self, node: cst.Raise) -> ir.Raise:
        self.o = o = self.o + 1
        return ir.Raise(o - 1)

    def break_(self, node: cst.Break) -> ir.Break:
        self.o = o = self.o + 1
        return ir.Break(o - 1)

    def continue_(self, node: cst.Continue) -> ir.Continue:
        self.o = o = self.o + 1
        return ir.Continue(o - 1)

    def if_(self, node: cst.If) -> ir.If:
        """An elif chain, iteratively. See MAX_CHAIN for what a very long one becomes."""
        exprs = self.exprs
        self.o = o = self.o + 1
        test = exprs[type(node.test)](node.test)
        first = last = ir.If(o - 1, test, self.block(node.body.body), [])
        tail = node.orelse
        depth = 1
        while tail is not None:
            if type(tail) is cst.Else:
                body = self.block(tail.body.body)
                if depth <= MAX_CHAIN:
                    last.orelse = body
                else:
                    self.o = o = self.o + 2
                    last.orelse.append(ir.If(o - 2, ir.Opaque(o - 1), body, []))
                break
            branch: Any = tail
            self.o = o = self.o + 1
            if o - 1 in self.pending:
                self.note(o - 1, branch)
            test = exprs[type(branch.test)](branch.test)
            nested = ir.If(o - 1, test, self.block(branch.body.body), [])
            last.orelse.append(nested)
            if depth < MAX_CHAIN:
                last = nested
            depth += 1
            tail = branch.orelse
        return first

    def for_(self, node: cst.For) -> ir.For:
        exprs = self.exprs
        iterated = exprs[type(node.iter)](node.iter)
        target = exprs[type(node.target)](node.target)
        body = self.block(node.body.body)
        orelse = [] if node.orelse is None else self.block(node.orelse.body.body)
        self.o = o = self.o + 1
        return ir.For(o - 1, target, iterated, body, orelse)

    def while_(self, node: cst.While) -> ir.While:
        test = self.exprs[type(node.test)](node.test)
        body = self.block(node.body.body)
        orelse = [] if node.orelse is None else self.block(node.orelse.body.body)
        self.o = o = self.o + 1
        return ir.While(o - 1, test, body, orelse)

    def with_(self, node: cst.With) -> ir.With:
        exprs = self.exprs
        items = []
        for item in node.items:
            value = exprs[type(item.item)](item.item)
            target = None if item.asname is None else exprs[type(item.asname.name)](item.asname.name)
            items.append(ir.WithItem(value, target))
        body = self.block(node.body.body)
        self.o = o = self.o + 1
        return ir.With(o - 1, items, body)

    def try_(self, node: Any) -> ir.Try:
        exprs = self.exprs
        body = self.block(node.body.body)
        handlers = []
        for h in node.handlers:
            kind = None if h.type is None else exprs[type(h.type)](h.type)
            name = None if h.name is None else h.name.name.value
            handlers.append(ir.Handler(kind, name, self.block(h.body.body)))
        orelse = [] if node.orelse is None else self.block(node.orelse.body.body)
        final = [] if node.finalbody is None else self.block(node.finalbody.body.body)
        self.o = o = self.o + 1
        return ir.Try(o - 1, body, handlers, orelse, final)

    def function(self, node: cst.FunctionDef) -> ir.FuncDef:
        exprs = self.exprs
        decorators = [exprs[type(d.decorator)](d.decorator) for d in node.decorators]
        params = self.params(node.params)
        note = node.returns
        returns = None if note is None else exprs[type(note.annotation)](note.annotation)
        outer, self.yields = self.yields, False
        body = self.block(node.body.body)
        yields, self.yields = self.yields, outer
        self.o = o = self.o + 1
        return ir.FuncDef(o - 1, node.name.value, params, body, decorators, returns, yields)

    def class_(self, node: cst.ClassDef) -> ir.ClassDef:
        exprs = self.exprs
        decorators = [exprs[type(d.decorator)](d.decorator) for d in node.decorators]
        bases = self.args(node.bases)
        bases += self.args(node.keywords)
        outer = self.yields
        body = self.block(node.body.body)
        self.yields = outer
        self.o = o = self.o + 1
        return ir.ClassDef(o - 1, node.name.value, bases, body, decorators)

    def import_(self, node: cst.Import) -> ir.Import:
        names = [_alias(a) for a in node.names]
        self.o = o = self.o + 1
        return ir.Import(o - 1, names)

    def import_from(self, node: cst.ImportFrom) -> ir.ImportFrom:
        module = "" if node.module is None else dotted(node.module)
        names = [ir.Alias("*")] if isinstance(node.names, cst.ImportStar) else [_alias(a) for a in node.names]
        self.o = o = self.o + 1
        return ir.ImportFrom(o - 1, module, len(node.relative), names)

    def global_(self, node: cst.Global) -> ir.Global:
        self.o = o = self.o + 1
        return ir.Global(o - 1, [n.name.value for n in node.names])

    def nonlocal_(self, node: cst.Nonlocal) -> ir.Nonlocal:
        self.o = o = self.o + 1
        return ir.Nonlocal(o - 1, [n.name.value for n in node.names])

    def delete(self, node: cst.Del) -> ir.Delete:
        target = self.exprs[type(node.target)](node.target)
        self.o = o = self.o + 1
        return ir.Delete(o - 1, target.items if type(target) is ir.Tuple else [target])

    def assert_(self, node: cst.Assert) -> ir.Assert:
        test = self.exprs[type(node.test)](node.test)
        self.o = o = self.o + 1
        return ir.Assert(o - 1, test)

    def match(self, node: cst.Match) -> ir.Match:
        exprs = self.exprs
        subject = exprs[type(node.subject)](node.subject)
        cases = []
        for case in node.cases:
            binds: list[str] = []
            values, wildcard = self.pattern(case.pattern, binds)
            guard = None if case.guard is None else exprs[type(case.guard)](case.guard)
            cases.append(ir.Case(values or [], binds, wildcard, guard, self.block(case.body.body)))
        self.o = o = self.o + 1
        return ir.Match(o - 1, subject, cases)

    def pattern(self, node: Any, binds: list[str]) -> tuple[list[Any] | None, bool]:
        """What a pattern compares with (None: not only literals) and whether it always
        matches; the names it binds are added to `binds`."""
        kind = type(node)
        if kind is cst.MatchValue or kind is cst.MatchSingleton:
            return [self.exprs[type(node.value)](node.value)], False
        if kind is cst.MatchAs:
            _bind(node.name, binds)
            return (None, True) if node.pattern is None else self.pattern(node.pattern, binds)
        if kind is cst.MatchOr:
            values: list[Any] | None = []
            always = False
            for part in node.patterns:
                literals, matches = self.pattern(part.pattern, binds)
                always = always or matches
                values = None if literals is None or values is None else values + literals
            return values, always
        if kind is cst.MatchList or kind is cst.MatchTuple:
            for part in node.patterns:
                if type(part) is cst.MatchStar:
                    _bind(part.name, binds)
                else:
                    self.pattern(part.value, binds)
        elif kind is cst.MatchMapping:
            for part in node.elements:
                self.pattern(part.pattern, binds)
            _bind(node.rest, binds)
        elif kind is cst.MatchClass:
            for part in node.patterns:
                self.pattern(part.value, binds)
            for part in node.kwds:
                self.pattern(part.pattern, binds)
        return None, False


def _plain(node: Any) -> bool:
    """Whether a concatenated string has no formatted piece."""
    while type(node) is cst.ConcatenatedString:
        if type(node.left) is not cst.SimpleString:
            return False
        node = node.right
    return type(node) is cst.SimpleString


def _alias(node: cst.ImportAlias) -> ir.Alias:
    asname: Any = node.asname
    return ir.Alias(dotted(node.name), None if asname is None else asname.name.value)


def dotted(node: Any) -> str:
    parts = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    parts.append(node.value)
    return ".".join(reversed(parts))


def _bind(name: Any, binds: list[str]) -> None:
    if name is not None and name.value not in binds:
        binds.append(name.value)


STATEMENTS: dict[type, str] = {
    cst.Expr: "expression_statement",
    cst.Assign: "assign",
    cst.AugAssign: "aug_assign",
    cst.AnnAssign: "ann_assign",
    cst.Return: "return_",
    cst.Raise: "raise_",
    cst.Break: "break_",
    cst.Continue: "continue_",
    cst.If: "if_",
    cst.For: "for_",
    cst.While: "while_",
    cst.With: "with_",
    cst.Try: "try_",
    cst.TryStar: "try_",
    cst.FunctionDef: "function",
    cst.ClassDef: "class_",
    cst.Import: "import_",
    cst.ImportFrom: "import_from",
    cst.Global: "global_",
    cst.Nonlocal: "nonlocal_",
    cst.Del: "delete",
    cst.Assert: "assert_",
    cst.Match: "match",
}
"""`pass` and `type X = ...` are dropped, as are bare strings."""
