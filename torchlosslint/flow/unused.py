"""What is made for a loss and never reaches one: weights, and criteria with weights.

The interpreter notes where such values are made (`Machine.made`). After the run this looks for
those that no statement of the program can read: followed from name to name through conversions and
arguments of the program's own functions. Anything else that mentions the name counts as a use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlosslint.flow.constructions import COUNTED, PARAMETER
from torchlosslint.flow.once import used_once
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.values import Const, External, Place, Value
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.interpreter import Interpreter
    from torchlosslint.program.module import ModuleInfo

UNUSED = "unused"
MOST = 60  # values looked at in one program
DEPTH = 6  # names and functions that a value is followed through
# Calls that give the same numbers in another form.
CONVERSIONS = frozenset(
    "tensor Tensor FloatTensor DoubleTensor as_tensor from_numpy array asarray list dict enumerate Variable "
    "float32 Parameter".split()
)
MOVES = frozenset("cuda to cpu float half double".split())
# Where these are called, names may be read in ways that cannot be seen.
REFLECTION = frozenset({"globals", "locals", "vars", "eval", "exec"})


@dataclass(slots=True)
class Unit:
    """One statement without its body: what it reads, the functions around it (outermost first)."""

    stmt: ir.Stmt
    module: ModuleInfo
    around: tuple[int, ...]
    block: list[ir.Stmt]
    names: set[str] = field(default_factory=set)
    attrs: set[str] = field(default_factory=set)
    bases: set[str] = field(default_factory=set)  # names that an attribute is read of
    ordinals: set[int] = field(default_factory=set)


def tell(interpreter: Interpreter) -> None:
    """Report what the program makes for its losses and does not use."""
    for cls in interpreter.classes:
        for name, node in used_once(cls.node):
            _report(interpreter, cls.module, Place(cls.module.path, node.o), "once", name)
    made = list(interpreter.made.items())[:MOST]
    if not made:
        return
    index = Index(interpreter)
    for (kind, place), _ in made:
        if kind == PARAMETER:
            _parameter(interpreter, index, place)
            continue
        name = index.unread(place)
        if name and (kind != COUNTED or index.inverted):  # the counts alone may be there to be looked at
            _report(interpreter, index.modules[place.path], place, kind, name)


def _parameter(m: Interpreter, index: Index, place: Place) -> None:
    """Weights that a class of the program was given: reported where the class never reads them."""
    cls, init, name = m.given[place]
    if index.opaque or place.path not in index.modules or not index.param_unread(init.node, name):
        return
    inside = Unit(cls.node, cls.module, (), [])
    _collect(cls.node, inside)
    body = {
        "path": Const(cls.module.path),
        "first": Const(min(inside.ordinals, default=0)),
        "last": Const(max(inside.ordinals, default=0)),
    }
    _report(m, index.modules[place.path], place, PARAMETER, name, owner=Const(cls.name), **body)


def _report(m: Interpreter, module: ModuleInfo, place: Place, kind: str, name: str, **data: Value) -> None:
    value = m.made.get((kind, place), Const(None))
    frame = Frame(module, m.module_scope(module))
    m.sink.event(m, UNUSED, value, place, frame, what=Const(kind), called=Const(name), **data)


class Index:
    """Every statement of the program, by what it reads."""

    def __init__(self, interpreter: Interpreter) -> None:
        modules = [info for info in interpreter.program.modules.values() if info.path]
        self.modules = {info.path: info for info in modules}
        self.by_name: dict[str, list[Unit]] = {}
        self.by_attr: dict[str, list[Unit]] = {}
        self.by_file: dict[str, list[Unit]] = {}
        self.functions: dict[str, list[ir.FuncDef]] = {}
        self.params: dict[int, set[str]] = {}  # of functions, by identity
        self.called: dict[int, str] = {}  # the names of functions, by identity
        self.imported: dict[str, set[str]] = {}  # names that stand for imported things, by file
        self.opaque = False
        self.inverted = False  # something was divided by the value that was followed last
        for info in modules:
            units = self.by_file.setdefault(info.path, [])
            for unit in self._units(info.body, info, ()):
                units.append(unit)
                if isinstance(unit.stmt, (ir.Import, ir.ImportFrom)):
                    bound = {(a.asname or a.name).split(".")[0] for a in unit.stmt.names}
                    self.imported.setdefault(info.path, set()).update(bound)
                for name in unit.names:
                    self.by_name.setdefault(name, []).append(unit)
                for name in unit.attrs:
                    self.by_attr.setdefault(name, []).append(unit)
        self.opaque = any(name in self.by_name for name in REFLECTION)

    def _units(self, body: list[ir.Stmt], info: ModuleInfo, around: tuple[int, ...]) -> Iterator[Unit]:
        for stmt in body:
            unit = Unit(stmt, info, around, body)
            inner = around
            if isinstance(stmt, ir.FuncDef):
                inner = (*around, id(stmt))
                self.params[id(stmt)] = {p.name for p in stmt.params}
                self.functions.setdefault(stmt.name, []).append(stmt)
                self.called[id(stmt)] = stmt.name
            bodies: list[list[ir.Stmt]] = []
            for name in stmt.__struct_fields__:
                part = getattr(stmt, name)
                if name in ("body", "orelse", "final") and isinstance(part, list):
                    bodies.append(part)
                elif name in ("handlers", "cases"):
                    bodies.extend(p.body for p in part)
                elif name in ("targets", "target") and isinstance(stmt, (ir.Assign, ir.AnnAssign)):
                    for target in part if isinstance(part, list) else [part]:
                        if not isinstance(target, ir.Name):
                            _collect(target.value if isinstance(target, ir.Attr) else target, unit)
                else:
                    _collect(part, unit)
            yield unit
            for part in bodies:
                yield from self._units(part, info, inner)

    def unread(self, place: Place) -> str:
        """The name that is never read and holds what is made at this place; "" where it may be read."""
        self.inverted = False
        if self.opaque:
            return ""
        for unit in self.by_file.get(place.path, ()):
            if place.o in unit.ordinals:
                stmt = unit.stmt
                if not isinstance(stmt, ir.Assign) or len(stmt.targets) != 1:
                    return ""
                if not _carries(stmt.value, place.o, "", ""):
                    return ""
                self.inverted = _inverts(stmt.value, place.o, "", "")
                return _name(stmt.targets[0]) if self._dead(stmt.targets[0], unit, 0) else ""
        return ""

    def _dead(self, target: ir.Expr, unit: Unit, depth: int) -> bool:
        """Whether what is bound here is never read."""
        if depth > DEPTH:
            return False
        if isinstance(target, ir.Attr):
            return all(self._ignores(u, "", target.attr, depth) for u in self.by_attr.get(target.attr, ()))
        if not isinstance(target, ir.Name):
            return False
        if self._overwritten(target.id, unit):
            return True
        readers = self.readers(target.id, unit)
        return readers is not None and all(
            u is unit or self._ignores(u, target.id, "", depth) for u in readers
        )

    def readers(self, name: str, unit: Unit) -> list[Unit] | None:
        """The statements that may read a name that is bound here; None where other files may."""
        readers = self.by_name.get(name, [])
        if unit.around and not self._outer(name, unit):
            return [u for u in readers if u.around[: len(unit.around)] == unit.around]
        if self._from_outside(name):
            return None
        return [u for u in readers if self._sees(u, name, unit.module.path)]

    def _sees(self, unit: Unit, name: str, path: str) -> bool:
        """Whether a name in a statement may be the one of the module in `path`."""
        if any(name in self.params[o] for o in unit.around):
            return False
        return unit.module.path == path or bool(self.imported.get(unit.module.path, set()) & {name, "*"})

    def _from_outside(self, name: str) -> bool:
        """Whether another file may read a module's name: as `module.name`, or imported as something else."""
        if any(_imports(u.stmt, name) for units in self.by_file.values() for u in units):
            return True
        return any(self.imported.get(u.module.path, set()) & u.bases for u in self.by_attr.get(name, ()))

    def _outer(self, name: str, unit: Unit) -> bool:
        """Whether a function says that the name is not its own."""
        return any(
            isinstance(u.stmt, (ir.Global, ir.Nonlocal)) and name in u.stmt.names
            for u in self.by_file[unit.module.path]
        )

    def _overwritten(self, name: str, unit: Unit) -> bool:
        """Whether the name is bound again in the same block before anything reads it."""
        at = next((i for i, stmt in enumerate(unit.block) if stmt is unit.stmt), len(unit.block))
        readers = {id(u.stmt) for u in self.by_name.get(name, ())}
        for stmt in unit.block[at + 1 :]:
            if isinstance(stmt, (ir.Assign, ir.ExprStmt, ir.AnnAssign)):
                if id(stmt) in readers:
                    return False
                if (
                    isinstance(stmt, ir.Assign)
                    and len(stmt.targets) == 1
                    and _name(stmt.targets[0]) == name
                    and isinstance(stmt.targets[0], ir.Name)
                ):
                    return True
            elif not isinstance(stmt, (ir.Import, ir.ImportFrom)):
                return False
        return False

    def _ignores(self, unit: Unit, name: str, attr: str, depth: int) -> bool:
        """Whether a statement that mentions the value does nothing with it."""
        stmt = unit.stmt
        if isinstance(stmt, ir.ExprStmt) and isinstance(stmt.value, ir.Call):
            call = stmt.value
            if isinstance(call.func, ir.Name) and call.func.id == "print":
                return True
            if (
                isinstance(call.func, ir.Attr)
                and call.func.attr in MOVES
                and _is(call.func.value, name, attr)
                and not any(mentions(a.value, name, attr) for a in call.args)
            ):
                return True
        if isinstance(stmt, ir.Assign) and len(stmt.targets) == 1:
            target = stmt.targets[0]
            if _is(target, name, attr) and _carries(stmt.value, -1, name, attr):
                return True  # criterion = criterion.cuda()
            if not mentions(target, name, attr) and _carries(stmt.value, -1, name, attr):
                self.inverted = self.inverted or _inverts(stmt.value, -1, name, attr)
                return self._dead(target, unit, depth + 1)
        if isinstance(stmt, ir.AugAssign) and _is(stmt.target, name, attr):
            return True  # weights /= weights.sum()
        if isinstance(stmt, ir.Return) and stmt.value is not None and unit.around:
            if _carries(stmt.value, -1, name, attr):
                self.inverted = self.inverted or _inverts(stmt.value, -1, name, attr)
                return self._result_dead(self.called[unit.around[-1]], depth + 1)
        if isinstance(stmt, (ir.ExprStmt, ir.Assign, ir.Return)) and stmt.value is not None:
            return self._handed_on(stmt.value, name, attr, depth, unit)
        return False

    def _result_dead(self, function: str, depth: int) -> bool:
        """Whether what the functions of this name give is bound to names that are never read."""
        units = [*self.by_name.get(function, ()), *self.by_attr.get(function, ())]
        if depth > DEPTH or not units or self._from_outside(function):
            return False
        for unit in units:
            stmt = unit.stmt
            if isinstance(stmt, (ir.Import, ir.ImportFrom)):
                continue
            if not isinstance(stmt, ir.Assign) or len(stmt.targets) != 1:
                return False
            inner = stmt.value
            while isinstance(inner, ir.Call) and isinstance(inner.func, ir.Attr) and inner.func.attr in MOVES:
                inner = inner.func.value
            if not isinstance(inner, ir.Call) or _name(inner.func) != function:
                return False
            if any(mentions(a.value, function, "") for a in inner.args):
                return False
            if not self._dead(stmt.targets[0], unit, depth):
                return False
        return True

    def _handed_on(self, expr: ir.Expr, name: str, attr: str, depth: int, unit: Unit) -> bool:
        """Whether the value only goes into functions of the program that ignore it."""
        if isinstance(expr, ir.Call):
            if mentions(expr.func, name, attr) or _of_library(expr.func, unit.module):
                return False
            for position, arg in enumerate(expr.args):
                if not mentions(arg.value, name, attr):
                    continue
                if not _is(arg.value, name, attr) or arg.star:
                    return False
                before = expr.args[:position]
                if any(a.star for a in before) or not self._param_dead(expr.func, position, arg.name, depth):
                    return False
            return True
        if isinstance(expr, ir.Tuple):
            return all(self._handed_on(e, name, attr, depth, unit) for e in expr.items)
        return not mentions(expr, name, attr)

    def param_unread(self, node: ir.FuncDef | ir.Lambda, name: str) -> bool:
        """Whether a parameter goes nowhere from which it could be read again."""
        readers = [u for u in self.by_name.get(name, []) if id(node) in u.around]
        return all(self._ignores(u, name, "", 0) for u in readers)

    def _param_dead(self, func: ir.Expr, position: int, keyword: str | None, depth: int) -> bool:
        """Whether no function of the program of that name reads the parameter."""
        found = self.functions.get(_name(func), [])
        if not found or depth > DEPTH:
            return False
        for node in found:
            params = [p for p in node.params if p.kind in (0, 1)]
            if params and params[0].name in ("self", "cls") and isinstance(func, ir.Attr):
                params = params[1:]
            if keyword is not None:
                name = keyword if any(p.name == keyword for p in node.params) else ""
            else:
                name = params[position].name if position < len(params) else ""
            if not name:
                return False
            if not all(
                self._ignores(u, name, "", depth + 1)
                for u in self.by_name.get(name, ())
                if id(node) in u.around
            ):
                return False
        return True


def _collect(node: object, unit: Unit) -> None:
    """Note the names, attributes and ordinals below a node."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
            continue
        if isinstance(item, ir.Name):
            unit.names.add(item.id)
        elif isinstance(item, ir.Attr):
            unit.attrs.add(item.attr)
            if isinstance(item.value, ir.Name):
                unit.bases.add(item.value.id)
        elif isinstance(item, ir.Const) and isinstance(item.value, str):
            unit.attrs.add(item.value)  # getattr(model, "class_weights")
        if isinstance(item, ir.Call):
            unit.ordinals.add(item.o)
        for name in getattr(item, "__struct_fields__", ()):
            value = getattr(item, name)
            if not isinstance(value, (str, int, float, bool)):
                stack.append(value)


def _is(expr: ir.Expr, name: str, attr: str) -> bool:
    if name:
        return isinstance(expr, ir.Name) and expr.id == name
    return isinstance(expr, ir.Attr) and expr.attr == attr


def mentions(node: ir.Expr, name: str, attr: str) -> bool:
    unit = Unit.__new__(Unit)
    unit.names, unit.attrs, unit.bases, unit.ordinals = set(), set(), set(), set()
    _collect(node, unit)
    return name in unit.names if name else attr in unit.attrs


def _carries(expr: ir.Expr, o: int, name: str, attr: str) -> bool:
    """Whether an expression is the value (made at `o`, or held by a name), converted or scaled."""
    if expr.o == o or ((name or attr) and _is(expr, name, attr)):
        return True
    if isinstance(expr, ir.Call):
        if isinstance(expr.func, ir.Attr) and _carries(expr.func.value, o, name, attr):
            return True
        return _name(expr.func) in CONVERSIONS and any(_carries(a.value, o, name, attr) for a in expr.args)
    if isinstance(expr, ir.BinOp):
        return _carries(expr.left, o, name, attr) or _carries(expr.right, o, name, attr)
    return False


def _inverts(expr: ir.Expr, o: int, name: str, attr: str) -> bool:
    """Whether something is divided by the value."""
    if isinstance(expr, ir.Call):
        parts = [a.value for a in expr.args]
        if isinstance(expr.func, ir.Attr):
            parts.append(expr.func.value)
        return any(_inverts(p, o, name, attr) for p in parts)
    if not isinstance(expr, ir.BinOp):
        return False
    if expr.op == "/" and _carries(expr.right, o, name, attr):
        return True
    return _inverts(expr.left, o, name, attr) or _inverts(expr.right, o, name, attr)


def _name(expr: ir.Expr) -> str:
    if isinstance(expr, ir.Attr):
        return expr.attr
    return expr.id if isinstance(expr, ir.Name) else ""


def _of_library(func: ir.Expr, info: ModuleInfo) -> bool:
    """Whether a function is called that is not the program's, as far as its name tells."""
    while isinstance(func, (ir.Attr, ir.Call)):
        func = func.value if isinstance(func, ir.Attr) else func.func
    return isinstance(func, ir.Name) and (
        func.id == "super" or isinstance(info.globals.get(func.id), External)
    )


def _imports(stmt: ir.Stmt, name: str) -> bool:
    """Whether a statement imports the name from somewhere under another one."""
    return isinstance(stmt, ir.ImportFrom) and any(a.name == name and a.asname for a in stmt.names)
