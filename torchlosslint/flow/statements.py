"""Statements: branches are run one by one, taken back and joined under their guards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchlosslint.flow import containers, definitions, iteration, loops, training
from torchlosslint.flow.facts import choose, disjoin, equals
from torchlosslint.flow.iteration import grows
from torchlosslint.flow.machine import BREAK, CONTINUE, NORMAL, RAISE, RETURN, Machine
from torchlosslint.flow.operators import binary
from torchlosslint.flow.ops import leaf, stored
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.state import MISSING, Diff
from torchlosslint.flow.values import (
    NO_GUARD,
    NONE,
    TRUE,
    Const,
    External,
    ExtObj,
    Guard,
    Instance,
    ListV,
    Place,
    Tensor,
    TupleV,
    Unknown,
    Value,
)
from torchlosslint.syntax import ir
from torchlosslint.syntax.limits import MAX_CHAIN


def exec_block(m: Machine, body: list[ir.Stmt], frame: Frame) -> int:
    """Run statements until one leaves the block."""
    for stmt in body:
        m.steps += 1
        if m.steps > m.limit:
            m.limited.add(frame.module.path)
            # Definitions are still bound: what they hold gets a budget of its own.
            if type(stmt) not in _DEFINITIONS or m.steps > 2 * m.limit:
                continue
        handler = _HANDLERS.get(type(stmt))
        if handler is not None:
            status = handler(m, stmt, frame)
            if status != NORMAL:
                return status
    return NORMAL


_DEFINITIONS = (ir.FuncDef, ir.ClassDef, ir.Import, ir.ImportFrom)


def _assign(m: Machine, s: ir.Assign, frame: Frame) -> int:
    added = s.value
    if type(added) is ir.BinOp and added.op == "+" and len(s.targets) == 1:
        value = _sum(m, added, s.targets[0], Place(frame.module.path, s.o), frame)
    else:
        value = m.eval(added, frame)
    for target in s.targets:
        m.assign(target, value, frame)
    return NORMAL


def _sum(m: Machine, sum_: ir.BinOp, target: ir.Expr, place: Place, frame: Frame) -> Value:
    """`total = total + loss`, either way round, is an accumulation."""
    if same_place(sum_.left, target):
        turned = False
    elif same_place(sum_.right, target):
        turned = True
    else:
        return m.eval(sum_, frame)
    left, right = m.eval(sum_.left, frame), m.eval(sum_.right, frame)
    total = binary(m, "+", left, right, Place(frame.module.path, sum_.o), frame)
    old, more = (right, left) if turned else (left, right)
    if type(old) is ListV and type(total) is ListV:
        grows(m, total, old)
        return total
    return training.accumulated(m, old, more, total, place, frame)


def _scaled(m: Machine, added: ir.Expr, value: Value, frame: Frame) -> Value:
    """What an unknown number is a multiple of: the loss of `total += loss * len(x)`."""
    if type(value) is Unknown and type(added) is ir.BinOp and added.op == "*":
        for side in (added.left, added.right):
            if type(side) is ir.Name:
                found = m.eval(side, frame)
                if isinstance(found, Unknown) and not found.config:
                    return found
    return value


def same_place(left: ir.Expr, right: ir.Expr) -> bool:
    """Whether two expressions are the same name, or the same attribute of one."""
    if type(left) is ir.Name and type(right) is ir.Name:
        return left.id == right.id
    if type(left) is ir.Attr and type(right) is ir.Attr:
        return left.attr == right.attr and same_place(left.value, right.value)
    return False


def _ann_assign(m: Machine, s: ir.AnnAssign, frame: Frame) -> int:
    if s.value is not None:
        m.assign(s.target, m.eval(s.value, frame), frame)
    return NORMAL


def _aug_assign(m: Machine, s: ir.AugAssign, frame: Frame) -> int:
    value = m.eval(s.value, frame)
    old = m.eval(s.target, frame)
    place = Place(frame.module.path, s.o)
    if isinstance(old, ListV) and s.op == "+":
        m.call(m.get_attr(old, "extend", place), [value], {}, place, frame)
        return NORMAL
    total = binary(m, s.op, old, value, place, frame)
    if frame.no_grad and isinstance(old, Tensor) and isinstance(total, Tensor):
        # In place: a parameter that is changed under no_grad stays one.
        total = total.with_(grad=old.grad, cut=old.cut, roots=old.roots)
    if s.op == "+":
        total = training.accumulated(m, old, value, total, place, frame, _scaled(m, s.value, value, frame))
    m.assign(s.target, total, frame)
    return NORMAL


def _expr(m: Machine, s: ir.ExprStmt, frame: Frame) -> int:
    result = m.eval(s.value, frame)
    value = s.value
    if type(value) is ir.Call and isinstance(result, (Tensor, Unknown)):
        changed = _changed_in_place(value)
        method = value.func.attr if type(value.func) is ir.Attr else ""
        if changed is not None and isinstance(result, Tensor):
            m.assign(changed, result, frame)
        elif method.endswith("_") and not method.endswith("__"):
            _rewritten(m, value, result, frame)
        elif method == "resize" and isinstance(result, Tensor) and type(value.func) is ir.Attr:
            _resized(m, value.func.value, result, frame)
    # A process that ends here ends the path: sys.exit(), exit(), os._exit().
    if type(value) is ir.Call:
        func = value.func
        if type(func) is ir.Name and func.id in ("exit", "quit") and func.id not in frame.scope.names:
            return RAISE
        if type(func) is ir.Attr and func.attr in ("exit", "_exit") and type(func.value) is ir.Name:
            owner = m.eval(func.value, frame)
            if isinstance(owner, External) and owner.qual in ("sys", "os"):
                return RAISE
    return NORMAL


def _resized(m: Machine, array: ir.Expr, result: Tensor, frame: Frame) -> None:
    """`array.resize(n, 1)` of numpy changes the array; of torch it gives another tensor."""
    old = m.eval(array, frame) if isinstance(array, (ir.Name, ir.Attr)) else None
    if isinstance(old, Tensor) and "numpy" in old.dom.flags:
        m.assign(array, old.with_(shape=result.shape, uid=None), frame)


def _rewritten(m: Machine, call: ir.Call, result: Value, frame: Frame) -> None:
    """`x.data.resize_(n).fill_(1)`, `x.resize_as_(y).copy_(y)`: other numbers, perhaps another shape."""
    base: ir.Expr = call
    while True:
        if type(base) is ir.Call and type(base.func) is ir.Attr and base.func.attr.endswith("_"):
            base = base.func.value
        elif type(base) is ir.Attr and base.attr == "data":
            base = base.value
        else:
            break
    old = m.eval(base, frame) if isinstance(base, (ir.Name, ir.Attr)) else None
    # What is trained may become anything, however it starts.
    if isinstance(old, Tensor) and old.grad is False:
        new = result if isinstance(result, Tensor) else Tensor()
        m.assign(base, old.with_(dom=new.dom, shape=new.shape, uid=None), frame)


def _changed_in_place(call: ir.Call) -> ir.Expr | None:
    """The name or attribute that `x.sigmoid_()`, `F.relu_(x)` or `F.relu(x, inplace=True)` writes."""
    func = call.func
    if type(func) is not ir.Attr:
        return None
    first = call.args[0].value if call.args and not call.args[0].star and call.args[0].name is None else None
    written: ir.Expr | None = None
    if func.attr.endswith("_") and not func.attr.endswith("__"):
        library = type(func.value) is ir.Name and func.value.id in ("torch", "F")
        written = first if library else func.value
    elif any(a.name == "inplace" and type(a.value) is ir.Const and a.value.value is True for a in call.args):
        written = first
    if type(written) is ir.Attr and written.attr == "data":
        return None
    return written if isinstance(written, (ir.Name, ir.Attr)) else None


def _return(m: Machine, s: ir.Return, frame: Frame) -> int:
    value = m.eval(s.value, frame) if s.value is not None else NONE
    frame.returns.append((m.facts, value))
    return RETURN


def _raise(m: Machine, s: ir.Raise, frame: Frame) -> int:
    return RAISE


def _break(m: Machine, s: ir.Break, frame: Frame) -> int:
    return BREAK


def _continue(m: Machine, s: ir.Continue, frame: Frame) -> int:
    return CONTINUE


def is_main_guard(test: ir.Expr) -> bool:
    """Whether the test is `__name__ == "__main__"`."""
    return (
        type(test) is ir.Compare
        and type(test.left) is ir.Name
        and test.left.id == "__name__"
        and test.ops == ["=="]
        and type(test.rights[0]) is ir.Const
        and test.rights[0].value == "__main__"
    )


def _if(m: Machine, s: ir.If, frame: Frame) -> int:
    if frame.caller is None and is_main_guard(s.test) and frame.scope.names is frame.module.globals:
        frame.module.main.append(s)
        return NORMAL
    outcomes = m.truth(m.eval(s.test, frame))
    yes = [g for g, b in outcomes if b]
    no = [g for g, b in outcomes if not b]
    if not yes:
        return exec_block(m, s.orelse, frame)
    once = len(m.loops) == 1 and not m.once and _one_pass(m, s.test, frame)
    if not no:
        m.once = once or m.once
        status = exec_block(m, s.body, frame)
        m.once = m.once and not once
        return status
    return branches(m, [(disjoin(yes), s.body), (disjoin(no), s.orelse)], frame, once)


def _one_pass(m: Machine, test: ir.Expr, frame: Frame) -> bool:
    """Whether a test asks for one pass of the only loop that is running: `if epoch == 0`."""
    return (
        m.counter is not None
        and m.counter[0] is frame
        and type(test) is ir.Compare
        and test.ops == ["=="]
        and type(test.left) is ir.Name
        and test.left.id == m.counter[1]
    )


def branches(m: Machine, options: list[tuple[Guard, list[ir.Stmt]]], frame: Frame, once: bool = False) -> int:
    """Run each option as a branch under its guard; join those that go on. once: the first option
    is the way of one pass of a loop only."""
    saved = m.facts
    live: list[tuple[Guard, Diff]] = []
    left: list[int] = []
    for guard, body in options:
        this, once = once, False
        m.facts = saved | guard
        if not body:
            live.append((m.facts, {}))
            continue
        m.journal.branch()
        m.once = this or m.once
        status = exec_block(m, body, frame)
        m.once = m.once and not this
        diff = m.journal.rollback()
        if status == NORMAL:
            live.append((m.facts, diff))
        else:
            left.append(status)
            if status == RETURN:
                frame.return_diffs.append((m.facts, diff))
            elif status in (BREAK, CONTINUE):
                frame.loop_exits.append((m.facts, diff))
    m.facts = saved
    if not live:
        for status in (CONTINUE, BREAK, RETURN):
            if status in left:
                return status
        return RAISE
    if len(live) == 1:
        # The other ways have left: what is known of this one holds from here on.
        m.facts = live[0][0]
        m.journal.apply(live[0][1])
        return NORMAL
    m.journal.join([(g - saved, d) for g, d in live])
    return NORMAL


def _match(m: Machine, s: ir.Match, frame: Frame) -> int:
    subject = m.eval(s.subject, frame)
    options: list[tuple[Guard, list[ir.Stmt]]] = []
    failed: Guard = NO_GUARD
    closed = False
    for case in s.cases:
        for name in case.binds:
            m.write(frame.scope.names, name, subject if case.wildcard else m.unknown("bound by a pattern"))
        if case.wildcard and case.guard is None:
            options.append((failed, case.body))
            closed = True
            break
        constants = [m.eval(v, frame) for v in case.values]
        if isinstance(subject, Const) and case.values and all(isinstance(c, Const) for c in constants):
            if subject in constants:
                options = [(NO_GUARD, case.body)]
                closed = True
                break
            continue
        if isinstance(subject, Unknown) and len(constants) == 1 and isinstance(constants[0], Const):
            guard = equals(subject, constants[0].value, True)
            if m.consistent(failed | guard):
                options.append((failed | guard, case.body))
            # That it is this constant says that it is none of the others: not all need be listed.
            if len(failed) < MAX_CHAIN:
                failed = failed | equals(subject, constants[0].value, False)
        else:
            options.append((failed, case.body))
    if not closed:
        options.append((failed, []))
    if len(options) == 1:
        return exec_block(m, options[0][1], frame)
    return branches(m, options, frame)


def _with(m: Machine, s: ir.With, frame: Frame) -> int:
    no_grad, autocast = frame.no_grad, frame.autocast
    for item in s.items:
        value = m.eval(item.value, frame)
        training.enter(value, frame)
        if isinstance(value, ExtObj) and value.qual == "torch.device":
            m.elsewhere = True
        if item.target is not None:
            entered = value
            if isinstance(value, Instance):
                place = Place(frame.module.path, s.o)
                entered = m.call(m.get_attr(value, "__enter__", place), [], {}, place, frame)
            m.assign(item.target, entered, frame)
    status = exec_block(m, s.body, frame)
    frame.no_grad, frame.autocast = no_grad, autocast
    return status


def _try(m: Machine, s: ir.Try, frame: Frame) -> int:
    status = exec_block(m, s.body, frame)
    bound = frame.scope.names
    if status == RAISE and s.handlers:
        status = exec_block(m, s.handlers[0].body, frame)
    else:
        # A handler matters only for what the body left unbound or unknown (an import that failed).
        for handler in s.handlers:
            saved = m.facts
            m.journal.branch()
            returns = len(frame.returns)
            exec_block(m, handler.body, frame)
            diff = m.journal.rollback()
            del frame.returns[returns:]
            m.facts = saved
            for target, key, new in diff.values():
                if (
                    target is bound
                    and (key not in bound or isinstance(bound[key], Unknown))
                    and new is not MISSING
                ):
                    m.write(target, key, new)
        if status == NORMAL:
            status = exec_block(m, s.orelse, frame)
    if s.final:
        last = exec_block(m, s.final, frame)
        if last != NORMAL:
            return last
    return status


def _global(m: Machine, s: ir.Global, frame: Frame) -> int:
    frame.globals_.update(s.names)
    return NORMAL


def _nonlocal(m: Machine, s: ir.Nonlocal, frame: Frame) -> int:
    frame.nonlocals.update(s.names)
    return NORMAL


def _delete(m: Machine, s: ir.Delete, frame: Frame) -> int:
    for target in s.targets:
        if type(target) is ir.Name:
            if target.id in frame.scope.names:
                m.write(frame.scope.names, target.id, MISSING)
        elif type(target) is ir.Attr:
            containers.delete_attr(m, m.eval(target.value, frame), target.attr)
        elif type(target) is ir.Sub:
            containers.delete_item(m, m.eval(target.value, frame), m.eval(target.index, frame))
    return NORMAL


def _assert(m: Machine, s: ir.Assert, frame: Frame) -> int:
    outcomes = m.truth(m.eval(s.test, frame))
    yes = [g for g, b in outcomes if b]
    if yes and len(yes) < len(outcomes):
        m.facts = m.facts | disjoin(yes)
    return NORMAL


_HANDLERS: dict[type, Callable[[Machine, Any, Frame], int]] = {
    ir.Assign: _assign,
    ir.AnnAssign: _ann_assign,
    ir.AugAssign: _aug_assign,
    ir.ExprStmt: _expr,
    ir.Return: _return,
    ir.Raise: _raise,
    ir.Break: _break,
    ir.Continue: _continue,
    ir.If: _if,
    ir.Match: _match,
    ir.With: _with,
    ir.Try: _try,
    ir.Global: _global,
    ir.Nonlocal: _nonlocal,
    ir.Delete: _delete,
    ir.Assert: _assert,
    ir.For: loops.exec_for,
    ir.While: loops.exec_while,
    ir.FuncDef: definitions.exec_def,
    ir.ClassDef: definitions.exec_class,
    ir.Import: definitions.exec_import,
    ir.ImportFrom: definitions.exec_import_from,
}


def assign(m: Machine, target: ir.Expr, value: Value, frame: Frame) -> None:
    """Bind a target: a name, an attribute, an item, a tuple of targets."""
    if isinstance(target, ir.Name):
        assign_name(m, target.id, value, frame)
    elif isinstance(target, ir.Attr):
        obj = m.eval(target.value, frame)
        if target.attr == "requires_grad" and isinstance(obj, Tensor) and value == TRUE:
            m.assign(target.value, leaf(obj), frame)
        elif target.attr == "data" and isinstance(obj, Tensor) and obj.grad is False:
            new = value if isinstance(value, Tensor) else Tensor()
            m.assign(target.value, new.with_(grad=False, role=obj.role or new.role), frame)
        else:
            m.set_attr(obj, target.attr, value)
    elif isinstance(target, (ir.Tuple, ir.List)):
        unpack(m, target.items, value, frame)
    elif isinstance(target, ir.Sub):
        place = Place(frame.module.path, target.o)
        obj = m.eval(target.value, frame)
        index = m.eval(target.index, frame)
        if isinstance(obj, Tensor):
            m.assign(target.value, stored(obj, index, value), frame)
        else:
            containers.set_item(m, obj, index, value, place, frame)
    elif isinstance(target, ir.Starred):
        assign(m, target.value, value, frame)


def assign_name(m: Machine, name: str, value: Value, frame: Frame) -> None:
    """Bind a name where Python would."""
    if name in frame.globals_:
        m.write(frame.module.globals, name, value)
        return
    if name in frame.nonlocals:
        scope = frame.scope.parent
        while scope is not None:
            if name in scope.names:
                m.write(scope.names, name, value)
                return
            scope = scope.parent
    m.journal.bind(frame.scope.names, name, value)


def unpack(m: Machine, targets: list[ir.Expr], value: Value, frame: Frame) -> None:
    """Bind several targets to the elements of a value."""
    star = next((i for i, t in enumerate(targets) if type(t) is ir.Starred), None)
    place = Place(frame.module.path, targets[0].o if targets else 0)
    for target, item in zip(targets, iteration.unpacked(m, value, len(targets), star, place), strict=False):
        assign(m, target, item, frame)


def returned(m: Machine, frame: Frame, base: Guard, status: int) -> Value:
    """The value of a finished body; joins what its early returns had written."""
    returns = frame.returns
    if frame.return_diffs:
        own = id(frame.scope.names)
        diffs = [(g - base, {k: e for k, e in d.items() if k[0] != own}) for g, d in frame.return_diffs]
        diffs = [(g, d) for g, d in diffs if d]
        if diffs:
            end = m.facts - base
            m.journal.join([*diffs, (end, {})])
    if status in (NORMAL, BREAK, CONTINUE) and not returns:
        return NONE
    if not returns:
        return Unknown("the function always raises")
    if len(returns) == 1:
        return returns[0][1]
    options = [(g - base, v) for g, v in returns]
    useful = [(g, v) for g, v in options if not (isinstance(v, Const) and v.value is None)]
    return choose(useful or options)


__all__ = ["TupleV", "assign", "exec_block", "returned", "unpack"]
