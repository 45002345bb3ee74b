"""The compact intermediate representation that every layer above `syntax` reads.

One `Module` a file. Nodes are msgspec structs: small, slotted, serialisable to a
format that cannot execute. Every expression carries `o`, its ordinal: the count of
the nodes that the lowering had made when it came to this one. A position is found
again by lowering the same bytes with the same code and stopping at that ordinal.
"""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, array_like=True, gc=False, tag=True):
    """Base of every IR node; `o` is the ordinal of the node in its module."""

    o: int


# ---- expressions -------------------------------------------------------------------


class Name(Node, tag="n"):
    id: str


class Const(Node, tag="c"):
    """A literal None, bool, int, float or str. Adjacent strings are joined."""

    value: bool | int | float | str | None


class Attr(Node, tag="a"):
    value: Expr
    attr: str


class Arg(msgspec.Struct, array_like=True, gc=False):
    """One argument of a call. `star`: 0 plain, 1 `*x`, 2 `**x`."""

    value: Expr
    name: str | None = None
    star: int = 0


class Call(Node, tag="k"):
    func: Expr
    args: list[Arg]


class Slice(Node, tag="sl"):
    lower: Expr | None
    upper: Expr | None
    step: Expr | None


class Sub(Node, tag="s"):
    """`value[index]`; several indices are one `Tuple`."""

    value: Expr
    index: Expr


class BinOp(Node, tag="b"):
    """`op` is the source spelling: + - * / // % ** @ << >> & | ^."""

    op: str
    left: Expr
    right: Expr


class UnaryOp(Node, tag="u"):
    """`op` is one of: not - + ~."""

    op: str
    operand: Expr


class BoolOp(Node, tag="bo"):
    """`op` is `and` or `or`."""

    op: str
    left: Expr
    right: Expr


class Compare(Node, tag="cm"):
    """A chain `left op0 e0 op1 e1 ...`; ops: == != < > <= >= in, not in, is, is not."""

    left: Expr
    ops: list[str]
    rights: list[Expr]


class IfExp(Node, tag="ie"):
    test: Expr
    body: Expr
    orelse: Expr


class Tuple(Node, tag="t"):
    items: list[Expr]


class List(Node, tag="l"):
    items: list[Expr]


class Set(Node, tag="se"):
    items: list[Expr]


class Dict(Node, tag="d"):
    """A key of None is a `**mapping` entry."""

    keys: list[Expr | None]
    values: list[Expr]


class Starred(Node, tag="st"):
    value: Expr


class Param(msgspec.Struct, array_like=True, gc=False):
    """`kind`: 0 positional-only, 1 positional or keyword, 2 *args, 3 keyword-only, 4 **kwargs."""

    name: str
    kind: int
    default: Expr | None = None
    annotation: Expr | None = None


class Lambda(Node, tag="la"):
    params: list[Param]
    body: Expr


class CompFor(msgspec.Struct, array_like=True, gc=False):
    target: Expr
    iter: Expr
    ifs: list[Expr]


class Comp(Node, tag="co"):
    """`kind`: list, set, gen or dict. For dict, `elt` is the key and `value` the value."""

    kind: str
    elt: Expr
    value: Expr | None
    fors: list[CompFor]


class Await(Node, tag="aw"):
    value: Expr


class Yield(Node, tag="y"):
    value: Expr | None
    is_from: bool = False


class Walrus(Node, tag="w"):
    name: str
    value: Expr


class FString(Node, tag="f"):
    """An f-string: `Const` pieces and expressions, in order."""

    parts: list[Expr]


class Opaque(Node, tag="o"):
    """An expression that the interpreter has no use for (bytes, complex, `...`)."""


Expr = (
    Name
    | Const
    | Attr
    | Call
    | Slice
    | Sub
    | BinOp
    | UnaryOp
    | BoolOp
    | Compare
    | IfExp
    | Tuple
    | List
    | Set
    | Dict
    | Starred
    | Lambda
    | Comp
    | Await
    | Yield
    | Walrus
    | FString
    | Opaque
)

# ---- statements --------------------------------------------------------------------


class Assign(Node, tag="="):
    """`targets[0] = targets[1] = value`."""

    targets: list[Expr]
    value: Expr


class AugAssign(Node, tag="+="):
    """`op` without the equals sign."""

    target: Expr
    op: str
    value: Expr


class AnnAssign(Node, tag=":="):
    target: Expr
    annotation: Expr
    value: Expr | None


class ExprStmt(Node, tag="e"):
    value: Expr


class Return(Node, tag="r"):
    value: Expr | None


class Raise(Node, tag="ra"):
    pass


class Break(Node, tag="br"):
    pass


class Continue(Node, tag="cn"):
    pass


class If(Node, tag="if"):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]


class For(Node, tag="for"):
    target: Expr
    iter: Expr
    body: list[Stmt]
    orelse: list[Stmt]


class While(Node, tag="wh"):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]


class WithItem(msgspec.Struct, array_like=True, gc=False):
    value: Expr
    target: Expr | None


class With(Node, tag="wi"):
    items: list[WithItem]
    body: list[Stmt]


class Handler(msgspec.Struct, array_like=True, gc=False):
    type: Expr | None
    name: str | None
    body: list[Stmt]


class Try(Node, tag="try"):
    body: list[Stmt]
    handlers: list[Handler]
    orelse: list[Stmt]
    final: list[Stmt]


class FuncDef(Node, tag="fn"):
    name: str
    params: list[Param]
    body: list[Stmt]
    decorators: list[Expr]
    returns: Expr | None
    is_generator: bool


class ClassDef(Node, tag="cl"):
    name: str
    bases: list[Arg]
    body: list[Stmt]
    decorators: list[Expr]


class Alias(msgspec.Struct, array_like=True, gc=False):
    """`name` is dotted for `import a.b`; `*` for a star import."""

    name: str
    asname: str | None = None


class Import(Node, tag="im"):
    names: list[Alias]


class ImportFrom(Node, tag="if_"):
    """`module` is dotted, "" for `from . import x`; `level` counts the dots."""

    module: str
    level: int
    names: list[Alias]


class Global(Node, tag="gl"):
    names: list[str]


class Nonlocal(Node, tag="nl"):
    names: list[str]


class Delete(Node, tag="de"):
    targets: list[Expr]


class Assert(Node, tag="as"):
    test: Expr


class Case(msgspec.Struct, array_like=True, gc=False):
    """`values`: the literals that the pattern compares with (`"a" | "b"`), [] where it
    is anything else; `binds`: the names it binds; `wildcard`: it always matches."""

    values: list[Expr]
    binds: list[str]
    wildcard: bool
    guard: Expr | None
    body: list[Stmt]


class Match(Node, tag="ma"):
    subject: Expr
    cases: list[Case]


Stmt = (
    Assign
    | AugAssign
    | AnnAssign
    | ExprStmt
    | Return
    | Raise
    | Break
    | Continue
    | If
    | For
    | While
    | With
    | Try
    | FuncDef
    | ClassDef
    | Import
    | ImportFrom
    | Global
    | Nonlocal
    | Delete
    | Assert
    | Match
)


class Module(msgspec.Struct, array_like=True, gc=False):
    """One lowered file: its statements and how many ordinals were given out.

    starts: the first ordinal of each statement or line of simple statements at the top."""

    body: list[Stmt]
    nodes: int
    lines: int
    starts: list[int] = []
