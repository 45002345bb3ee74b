"""Counts of classes that are only looked at: printed, logged, plotted.

The interpreter notes where the classes of labels are counted (`Machine.tallies`). After the run this
looks for the counts that go nowhere else. A count that anything is computed from may be there to weigh the
classes, to correct the scores or to draw samples by, in ways that are not followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchlosslint.flow.scope import Frame
from torchlosslint.flow.unused import Index, Unit, mentions
from torchlosslint.flow.values import ClassV, External, Func, Unknown
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.interpreter import Interpreter
    from torchlosslint.program.module import ModuleInfo

COUNTED = "counted"
DEPTH = 4  # names that a count is followed through
_SHOWS = ("matplotlib", "seaborn", "plotly", "pprint", "logging", "loguru", "IPython", "warnings", "wandb")
_PRINTS = frozenset({"print", "display", "pprint"})
# Methods that give the counts in another form, or show them.
_FORMS = frozenset(
    (
        "value_counts bincount most_common items keys values tolist to_dict to_list numpy cpu sort_index "
        "sort_values head plot bar barh pie hist format reset_index unique"
    ).split()
)
_BUILTINS = frozenset("dict sorted list str len zip tuple enumerate print round sum int float".split())


def tell(interpreter: Interpreter) -> None:
    """Report where classes are counted to be looked at."""
    if not interpreter.tallies:
        return
    index = Index(interpreter)
    if index.opaque:
        return
    seen: dict[object, bool] = {}
    for place, found in interpreter.tallies:
        if place not in seen:
            unit = next((u for u in index.by_file.get(place.path, ()) if place.o in u.ordinals), None)
            plain = unit is not None and _plain(index.modules[place.path])
            seen[place] = unit is not None and plain and _only_shown(index, unit, place.o, "", 0)
        if seen[place]:
            info = index.modules[place.path]
            frame = Frame(info, interpreter.module_scope(info))
            interpreter.sink.event(interpreter, COUNTED, Unknown("counted labels", found), place, frame)


def _only_shown(index: Index, unit: Unit, o: int, name: str, depth: int) -> bool:
    """Whether a statement does no more than show the counts (made at `o`, or held by a name)."""
    stmt = unit.stmt
    if isinstance(stmt, ir.ExprStmt):
        return _shows(stmt.value, o, name, unit.module)
    if isinstance(stmt, ir.Assign) and len(stmt.targets) == 1:
        if _plots(stmt.value, unit.module):
            return True  # ax = sns.barplot(...)
        return _form(stmt.value, o, name) and _names_shown(index, unit, stmt.targets[0], depth)
    if isinstance(stmt, ir.For) and name:
        return _form(stmt.iter, o, name) and _names_shown(index, unit, stmt.target, depth)
    return False


def _names_shown(index: Index, unit: Unit, target: ir.Expr, depth: int) -> bool:
    """Whether all that reads the names bound here does no more than show them."""
    names = target.items if isinstance(target, ir.Tuple) else [target]
    if len(names) > 1 and isinstance(unit.stmt, ir.Assign):
        names = names[-1:]  # values, counts = np.unique(...)
    if depth > DEPTH:
        return False
    for bound in names:
        readers = index.readers(bound.id, unit) if isinstance(bound, ir.Name) else None
        if readers is None or not isinstance(bound, ir.Name):
            return False
        if not all(u is unit or _only_shown(index, u, -1, bound.id, depth + 1) for u in readers):
            return False
    return True


def _shows(expr: ir.Expr, o: int, name: str, info: ModuleInfo) -> bool:
    """Whether an expression that stands alone shows the counts: `print(...)`, `counts.plot.bar()`."""
    if isinstance(expr, ir.Call):
        func = expr.func
        shown = (isinstance(func, ir.Name) and func.id in _PRINTS) or _plots(expr, info)
        return (shown and not any(_handed_on(a.value, o, name) for a in expr.args)) or _form(expr, o, name)
    return _form(expr, o, name)


def _plain(info: ModuleInfo) -> bool:
    """Whether names of Python's own functions mean these: a `print` of the program's own may do anything."""
    return not any(isinstance(info.globals.get(n), (Func, ClassV)) for n in _PRINTS | _BUILTINS)


def _handed_on(expr: ir.Expr, o: int, name: str) -> bool:
    """Whether a function that may be the program's is given the counts."""
    for node in _nodes(expr):
        if isinstance(node, ir.Call) and isinstance(node.func, ir.Name) and node.func.id not in _BUILTINS:
            if node.o != o and any(_holds(a.value, o, name) for a in node.args):
                return True
    return False


def _plots(expr: ir.Expr, info: ModuleInfo) -> bool:
    """Whether something of a library for plots or logs is called."""
    while isinstance(expr, (ir.Attr, ir.Call)):
        expr = expr.value if isinstance(expr, ir.Attr) else expr.func
    found = info.globals.get(expr.id) if isinstance(expr, ir.Name) else None
    return isinstance(found, External) and found.qual.split(".")[0] in _SHOWS


def _form(expr: ir.Expr, o: int, name: str) -> bool:
    """Whether an expression is the counts in another form, of which nothing was computed."""
    if expr.o == o or (name and isinstance(expr, ir.Name) and expr.id == name):
        return True
    if isinstance(expr, ir.Attr):
        return expr.attr in _FORMS and _form(expr.value, o, name)
    if isinstance(expr, ir.Call):
        if isinstance(expr.func, ir.Attr):
            return expr.func.attr in _FORMS and _form(expr.func.value, o, name)
        if isinstance(expr.func, ir.Name) and expr.func.id in _BUILTINS:
            return all(_form(a.value, o, name) or not _holds(a.value, o, name) for a in expr.args)
    if isinstance(expr, ir.Sub):
        return _form(expr.value, o, name) and not _holds(expr.index, o, name)
    return False


def _holds(expr: ir.Expr, o: int, name: str) -> bool:
    """Whether the counts are anywhere in an expression."""
    return (bool(name) and mentions(expr, name, "")) or any(n.o == o for n in _nodes(expr))


def _nodes(expr: object) -> Iterator[ir.Node]:
    stack = [expr]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif hasattr(item, "__struct_fields__"):
            if isinstance(item, ir.Node):
                yield item
            stack.extend(getattr(item, f) for f in item.__struct_fields__ if f != "o")
