"""Loops: known sequences are unrolled, the others take two passes, then widen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import averages
from torchlosslint.flow.iteration import MAX_UNROLL, Elements, elements, flat
from torchlosslint.flow.machine import BREAK, CONTINUE, NORMAL, RAISE, RETURN
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.settling import bound, grown, grown_choice, is_number, settled, unsteady
from torchlosslint.flow.state import MISSING, Diff
from torchlosslint.flow.training import over_batches
from torchlosslint.flow.values import (
    COUNTER,
    Bound,
    Choice,
    Const,
    ExtObj,
    Guard,
    Place,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


# How many times loops around one another in one body may have a statement run. Beyond, known sequences
# are no longer unrolled, and one pass has to do.
MAX_PASSES = 64


def exec_for(m: Machine, s: ir.For, frame: Frame) -> int:
    """`for target in iter`."""
    place = Place(frame.module.path, s.o)
    iterable = m.eval(s.iter, frame)
    seen = counted(m, iterable, place)
    nested = _has_loop(s.body)
    known = seen.known and len(seen.items) <= (MAX_UNROLL if not nested else 8)
    if isinstance(iterable, ExtObj) and iterable.qual == "builtins.range" and nested and len(seen.items) > 3:
        known = False
    around = frame.passes
    if known and around > 1 and around * len(seen.items) > MAX_PASSES:
        known = False
    exits, frame.loop_exits = frame.loop_exits, []
    batches = over_batches(iterable)
    if not m.loops:
        names = bound(s.target)
        m.counter = (frame, names[0]) if names else None
    m.loops.append((batches, averages.identity(iterable)))
    if known:
        frame.passes = around * max(len(seen.items), 1)
        status = _unrolled(m, s, seen.items, frame)
    else:
        status = _widened(m, s, seen, frame, batches)
    frame.passes = around
    frame.loop_exits = exits
    if m.loops:
        m.loops.pop()
    if status == NORMAL and s.orelse:
        return m.exec(s.orelse, frame)
    return status


def _has_loop(body: list[ir.Stmt]) -> bool:
    for stmt in body:
        kind = type(stmt)
        if kind is ir.For or kind is ir.While:
            return True
        if kind is ir.If and (_has_loop(stmt.body) or _has_loop(stmt.orelse)):  # type: ignore[union-attr]
            return True
        if kind is ir.With and _has_loop(stmt.body):  # type: ignore[union-attr]
            return True
    return False


def _once(m: Machine, s: ir.For | ir.While, item: Value | None, frame: Frame) -> int:
    """One pass; joins what `continue` paths had written."""
    if item is not None and isinstance(s, ir.For):
        m.assign(s.target, item, frame)
    saved = m.facts
    pending = len(frame.loop_exits)
    status = m.exec(s.body, frame)
    exits = frame.loop_exits[pending:]
    del frame.loop_exits[pending:]
    if exits:
        paths: list[tuple[Guard, Diff]] = [(g - saved, d) for g, d in exits]
        if status in (NORMAL, CONTINUE, BREAK):
            paths.append((m.facts - saved, {}))
        m.journal.join(paths)
        if status in (RETURN, RAISE):
            status = CONTINUE
    m.facts = saved
    return status


def _unrolled(m: Machine, s: ir.For, items: list[Value], frame: Frame) -> int:
    for item in items:
        status = _once(m, s, item, frame)
        if status in (RETURN, RAISE):
            return status
        if status == BREAK:
            break
        if m.exhausted():
            break
    return NORMAL


def _widened(
    m: Machine, s: ir.For | ir.While, seen: Elements | None, frame: Frame, batches: bool = False
) -> int:
    """Two passes: what the first wrote and still changes is unknown in the second; lists that
    grew hold the first pass's additions any number of times, then the second's. Where the elements differ
    by their index alone, and of batches, of which no program does something else with the last, one pass
    may do."""
    first, last = _passes(seen)
    if last and isinstance(last[-1], Const) and isinstance(s, ir.For) and isinstance(s.target, ir.Name):
        # What is done every tenth time is done more than once, whatever the remainder of the last.
        if isinstance(seen, Elements) and len(seen.items) > 1 and _by_remainder(s.body, s.target.id):
            last = [m.unknown(COUNTER)]
    final = last[-1] if last else None
    is_alike = len(first) == len(last) and all(map(_alike, first, last))
    if first and (batches or is_alike):
        if batches:
            last = first
        for name in _counted_up(s.body):
            held = frame.scope.names.get(name)
            if isinstance(held, Const) and is_number(held):
                m.assign(ir.Name(0, name), m.unknown("changes in a loop"), frame)
    deep = frame.passes >= MAX_PASSES
    if deep and not first:
        first = last
    frame.passes *= 2
    m.widening.append(fresh_uid())
    status = _two_passes(m, s, first, last, frame, deep, batches or is_alike)
    if m.widening:
        m.widening.pop()
    if is_alike and final is not None and isinstance(s, ir.For) and status == NORMAL:
        m.assign(s.target, final, frame)
    return status


def _alike(first: Value | None, last: Value | None) -> bool:
    """Whether an element of the last pass is one of the first with its index: any index stood for it."""
    if type(first) is TupleV and type(last) is TupleV:
        return len(first.items) == len(last.items) and all(map(_alike, first.items, last.items))
    if type(first) is Unknown and first.reason == COUNTER and type(last) in (Const, SymInt):
        return True
    return first == last


def _two_passes(
    m: Machine,
    s: ir.For | ir.While,
    first: list[Value | None],
    last: list[Value | None],
    frame: Frame,
    deep: bool,
    is_alike: bool,
) -> int:
    before = {}
    m.journal.branch()
    status = NORMAL
    for item in first:
        status = _once(m, s, item, frame)
        if status in (BREAK, RETURN, RAISE):
            break
    written = m.journal.commit()
    before = {k: (t, key, old) for k, (t, key, old) in written.items()}
    if status in (RETURN, RAISE, BREAK):
        return NORMAL if status == BREAK else status
    middle = {k: t.get(key, MISSING) for k, (t, key, _) in before.items()}
    if deep or (is_alike and settled(m, s, before, middle, frame.scope.names)):
        for ident, (target, key, old) in before.items():
            now = middle[ident]
            if isinstance(old, Const) and is_number(old) and now != old and type(now) is not Tensor:
                m.write(target, key, m.unknown("changes in a loop"))
            elif key == "items" and isinstance(old, TupleV) and isinstance(now, TupleV) and now != old:
                m.write(target, key, TupleV((*old.items, StarV(now.items[len(old.items) :]))))
            elif key == "items" and isinstance(old, TupleV) and isinstance(now, Choice):
                m.write(target, key, grown_choice(old, now, now))
        return NORMAL
    for ident, (target, key, old) in before.items():
        now = middle[ident]
        if (
            isinstance(now, Const)
            and isinstance(now.value, (int, float))
            and isinstance(old, Const)
            and now != old
        ):
            m.write(target, key, m.unknown("changes in a loop"))
    for item in last:
        status = _once(m, s, item, frame)
        if status in (BREAK, RETURN, RAISE):
            break
    for ident, (target, key, old) in before.items():
        if key == "items":
            now = target.get(key)
            if isinstance(old, TupleV) and isinstance(now, Choice):
                m.write(target, key, grown_choice(old, middle[ident], now))
                continue
            more = grown(old, middle[ident], now)
            if more is None and unsteady(middle[ident], now):
                held = now.items or (old.items if isinstance(old, TupleV) else ())  # type: ignore[union-attr]
                more = TupleV((StarV(tuple(flat(list(held)))),))
            if more is not None:
                m.write(target, key, more)
    return RETURN if status == RETURN and not _may_fall_through(s) else NORMAL


def _counted_up(body: list[ir.Stmt]) -> set[str]:
    """Names that a body counts up: `step += 1`."""
    found: set[str] = set()
    for stmt in body:
        if isinstance(stmt, ir.AugAssign):
            if isinstance(stmt.target, ir.Name) and isinstance(stmt.value, ir.Const):
                found.add(stmt.target.id)
        elif isinstance(stmt, (ir.If, ir.For, ir.While)):
            found |= _counted_up(stmt.body) | _counted_up(stmt.orelse)
        elif isinstance(stmt, (ir.With, ir.Try)):
            found |= _counted_up(stmt.body)
    return found


def _by_remainder(body: list[ir.Stmt], name: str) -> bool:
    """Whether an `if` of a body asks for the remainder of a loop's counter: `if i % 10 == 0`."""
    for stmt in body:
        if isinstance(stmt, ir.If):
            if _remainder(stmt.test, name) or _by_remainder(stmt.body, name):
                return True
            if _by_remainder(stmt.orelse, name):
                return True
        elif isinstance(stmt, ir.With) and _by_remainder(stmt.body, name):
            return True
    return False


def _remainder(test: ir.Expr, name: str) -> bool:
    if isinstance(test, ir.Compare):
        return _remainder(test.left, name)
    if isinstance(test, ir.BinOp) and test.op == "%":
        base = test.left
        if isinstance(base, ir.BinOp) and base.op in "+-":
            base = base.left  # (i + 1) % 10
        return isinstance(base, ir.Name) and base.id == name
    if isinstance(test, ir.BoolOp):
        return _remainder(test.left, name) or _remainder(test.right, name)
    return isinstance(test, ir.UnaryOp) and _remainder(test.operand, name)


def _may_fall_through(s: ir.For | ir.While) -> bool:
    return isinstance(s, ir.For)


def _passes(seen: Elements | None) -> tuple[list[Value | None], list[Value | None]]:
    """The elements of the first and of the second (last) pass."""
    if seen is None:
        return [None], [None]
    first: list[Value | None] = []
    last: list[Value | None] = []
    starred = [i for i, v in enumerate(seen.items) if isinstance(v, StarV)]
    if not starred:
        # A long known sequence: its first and its last element.
        return [seen.items[0]], [seen.items[-1]]
    for i, item in enumerate(seen.items):
        if isinstance(item, StarV):
            (first if i <= starred[0] else last).extend(item.items)
            if i == starred[-1] == len(seen.items) - 1:
                last.extend(item.items)
        else:
            (first if i < starred[-1] else last).append(item)
    return first, last


def exec_while(m: Machine, s: ir.While, frame: Frame) -> int:
    """`while test`: the test's first value decides whether the body runs."""
    outcomes = m.truth(m.eval(s.test, frame))
    if outcomes and not any(b for _, b in outcomes):
        return m.exec(s.orelse, frame)
    exits, frame.loop_exits = frame.loop_exits, []
    around = frame.passes
    status = _widened(m, s, None, frame)
    frame.passes = around
    frame.loop_exits = exits
    return status


def counted(m: Machine, iterable: Value, place: Place) -> Elements:
    """The elements of an iterable; range, enumerate, zip and reversed keep track of the last one."""
    if isinstance(iterable, ExtObj):
        name = iterable.qual
        if name == "builtins.range":
            return _range(m, iterable)
        if name == "builtins.enumerate" and iterable.args:
            inner = counted(m, iterable.args[0], place)
            start = iterable.args[1] if len(iterable.args) > 1 else iterable.kwargs.get("start")
            offset = start.value if isinstance(start, Const) and isinstance(start.value, int) else 0
            return _enumerated(m, inner, offset)
        if name == "builtins.zip" and iterable.args:
            return _zipped([counted(m, a, place) for a in iterable.args])
        if name == "builtins.reversed" and iterable.args:
            inner = counted(m, iterable.args[0], place)
            return Elements(list(reversed(inner.items)), inner.length_key)
        if name in ("itertools.chain",):
            out: list[Value] = []
            for arg in iterable.args:
                out.extend(counted(m, arg, place).items)
            return Elements(out)
        if name.startswith("tqdm.") and iterable.args:
            return counted(m, iterable.args[0], place)
    return elements(m, iterable, place)


def _range(m: Machine, obj: ExtObj) -> Elements:
    args = obj.args
    numbers = [a.value for a in args if isinstance(a, Const) and isinstance(a.value, int)]
    if len(numbers) == len(args) and args:
        try:
            span = range(*numbers)
        except (TypeError, ValueError):
            return Elements([StarV((m.unknown(COUNTER),))])
        if len(span) <= MAX_UNROLL:
            return Elements([Const(i) for i in span])
        return Elements([StarV((m.unknown(COUNTER),)), Const(span[-1])])
    stop = args[0] if len(args) == 1 else args[1] if len(args) > 1 else None
    any_index = m.unknown(COUNTER)
    if isinstance(stop, Unknown):
        stop = SymInt(stop.key, 0)
    if isinstance(stop, SymInt) and len(args) < 3:
        return Elements([StarV((any_index,)), SymInt(stop.base, stop.offset - 1)], ("range", stop.base))
    return Elements([StarV((any_index,))])


def _enumerated(m: Machine, inner: Elements, start: int) -> Elements:
    if inner.known:
        return Elements([TupleV((Const(i + start), v)) for i, v in enumerate(inner.items)])
    out: list[Value] = []
    for item in inner.items:
        if isinstance(item, StarV):
            out.append(StarV(tuple(TupleV((m.unknown(COUNTER), v)) for v in item.items)))
        else:
            out.append(TupleV((m.unknown(COUNTER), item)))
    last = inner.items[-1] if inner.items else None
    if inner.length_key is not None and isinstance(last, StarV):
        # The last element again, with the index that it has.
        out.append(TupleV((SymInt(inner.length_key, start - 1), last.items[-1])))
    elif inner.length_key is not None and out and isinstance(last, Value):
        out[-1] = TupleV((SymInt(inner.length_key, start - 1), last))
    return Elements(out, inner.length_key)


def _zipped(columns: list[Elements]) -> Elements:
    if all(c.known for c in columns):
        return Elements([TupleV(row) for row in zip(*(c.items for c in columns), strict=False)])
    if any(c.known for c in columns):
        size = min(len(c.items) for c in columns if c.known)
        rows = []
        for i in range(min(size, MAX_UNROLL)):
            rows.append(TupleV(tuple(c.items[i] if c.known else _any(c) for c in columns)))
        return Elements(list(rows))
    return Elements([StarV((TupleV(tuple(_any(c) for c in columns)),))], columns[0].length_key)


def _any(seen: Elements) -> Value:
    held = flat(seen.items)
    if not held:
        return Unknown("an element of an empty sequence")
    if isinstance(held[0], (Unknown, Const)) and any(isinstance(v, Const) and v != held[0] for v in held):
        return Unknown("one of several elements") if isinstance(held[0], Const) else held[0]
    for item in seen.items:
        if isinstance(item, StarV):
            return item.items[0]
    return seen.items[0]


__all__ = ["Bound", "counted", "exec_for", "exec_while"]
