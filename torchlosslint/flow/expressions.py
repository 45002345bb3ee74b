"""Expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torchlosslint.flow import containers, iteration, loops, names
from torchlosslint.flow.comparisons import compare, from_outcomes
from torchlosslint.flow.definitions import make_function
from torchlosslint.flow.facts import choose, disjoin, narrow
from torchlosslint.flow.operators import binary, constant, op_call
from torchlosslint.flow.ops import unary as tensor_unary
from torchlosslint.flow.ops.indexing import SliceV
from torchlosslint.flow.python_methods import make_set
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.values import (
    FALSE,
    MAX_PARTS,
    NONE,
    TRUE,
    Choice,
    Const,
    DictV,
    Instance,
    ListV,
    Place,
    StarV,
    Tensor,
    TupleV,
    Unknown,
    Value,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


def evaluate(m: Machine, expr: ir.Expr, frame: Frame) -> Value:
    """The value of an expression."""
    return _HANDLERS[type(expr)](m, expr, frame)


def _name(m: Machine, e: ir.Name, frame: Frame) -> Value:
    # Most are variables of the function at hand.
    value = None if frame.globals_ else frame.scope.names.get(e.id)
    if value is None:
        value = names.lookup(m, e.id, frame)
    return narrow(value, m.facts) if type(value) is Choice else value


def _const(m: Machine, e: ir.Const, frame: Frame) -> Value:
    return Const(e.value)


def _attr(m: Machine, e: ir.Attr, frame: Frame) -> Value:
    obj = _HANDLERS[type(e.value)](m, e.value, frame)
    if type(obj) is Instance:  # most are `self.x` of something that was written
        held = obj.attrs.get(e.attr)
        if held is not None and type(held) is not Choice and e.attr != "items":
            return held
    m.frame = frame
    value = m.get_attr(obj, e.attr, Place(frame.module.path, e.o))
    return narrow(value, m.facts) if type(value) is Choice else value


def _call(m: Machine, e: ir.Call, frame: Frame) -> Value:
    callee = _HANDLERS[type(e.func)](m, e.func, frame)
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    spreading = False
    for arg in e.args:
        expr = arg.value
        value = _HANDLERS[type(expr)](m, expr, frame)
        if not arg.star:
            if arg.name is None:
                args.append(value)
            else:
                kwargs[arg.name] = value
        else:
            spreading = True
            if arg.star == 1:
                _spread(m, value, args)
            else:
                _spread_keywords(m, value, kwargs)
    m.calling, m.spreading = e.func, spreading
    return m.call(callee, args, kwargs, Place(frame.module.path, e.o), frame)


def _spread(m: Machine, value: Value, args: list[Value]) -> None:
    held = iteration.content(m, value)
    if isinstance(held, TupleV) and len(args) <= MAX_PARTS:
        args.extend(held.items)
    elif isinstance(held, Choice) and all(isinstance(v, TupleV) for _, v in held.alts):
        # Kept whole: containers take the alternatives apart.
        args.append(StarV((held,)))
    else:
        args.append(StarV((m.unknown("spread from an unknown sequence", value),)))


def _spread_keywords(m: Machine, value: Value, kwargs: dict[str, Value]) -> None:
    if isinstance(value, DictV):
        for key, item in value.attrs.items():
            if isinstance(key, tuple) and key[0] == "k" and isinstance(key[1], str):
                kwargs[key[1]] = m.read(item)
        if "open" in value.attrs:
            kwargs["**"] = m.unknown("spread from an unknown mapping")
    else:
        kwargs["**"] = m.unknown("spread from an unknown mapping")


def _sub(m: Machine, e: ir.Sub, frame: Frame) -> Value:
    obj = _HANDLERS[type(e.value)](m, e.value, frame)
    index = _HANDLERS[type(e.index)](m, e.index, frame)
    m.frame = frame
    value = containers.get_item(m, obj, index, Place(frame.module.path, e.o), frame)
    return narrow(value, m.facts) if type(value) is Choice else value


def _slice(m: Machine, e: ir.Slice, frame: Frame) -> Value:
    parts = [evaluate(m, p, frame) if p is not None else NONE for p in (e.lower, e.upper, e.step)]
    return SliceV(*parts)


def _tuple(m: Machine, e: ir.Tuple, frame: Frame) -> Value:
    return TupleV(tuple(_displayed(m, e.items, frame)))


def _displayed(m: Machine, exprs: list[ir.Expr], frame: Frame) -> list[Value]:
    out: list[Value] = []
    for item in exprs:
        if type(item) is ir.Starred:
            _spread(m, evaluate(m, item.value, frame), out)
        else:
            out.append(evaluate(m, item, frame))
    return out


def _list(m: Machine, e: ir.List | ir.Set, frame: Frame) -> Value:
    obj = ListV(Place(frame.module.path, e.o))
    m.write(obj.attrs, "items", TupleV(tuple(_displayed(m, e.items, frame))))
    if type(e) is ir.Set:
        make_set(m, obj)
    return obj


def _dict(m: Machine, e: ir.Dict, frame: Frame) -> Value:
    obj = DictV(Place(frame.module.path, e.o))
    place = Place(frame.module.path, e.o)
    for key, value in zip(e.keys, e.values, strict=False):
        item = evaluate(m, value, frame)
        if key is None:
            if isinstance(item, DictV):
                for k, v in item.attrs.items():
                    m.write(obj.attrs, k, v)
            else:
                m.write(obj.attrs, "open", TRUE)
        else:
            containers.set_item(m, obj, evaluate(m, key, frame), item, place, frame)
    return obj


def _lambda(m: Machine, e: ir.Lambda, frame: Frame) -> Value:
    return make_function(m, e, frame, None, "<lambda>")


def _comp(m: Machine, e: ir.Comp, frame: Frame) -> Value:
    """A comprehension: unrolled where the sequence is known, one repeated element otherwise."""
    inner_scope = Scope({}, frame.scope)
    saved_scope, frame.scope = frame.scope, inner_scope
    rows: list[Value] = []
    keys: list[Value] = []
    try:
        _comp_for(m, e, 0, frame, rows, keys)
    finally:
        frame.scope = saved_scope
    place = Place(frame.module.path, e.o)
    if e.kind == "dict":
        obj = DictV(place)
        for key, value in zip(keys, rows, strict=False):
            if isinstance(value, StarV):
                m.write(obj.attrs, "open", TRUE)
                m.write(obj.attrs, "rest", value.items[0])
            else:
                containers.set_item(m, obj, key, value, place, frame)
        return obj
    out = ListV(place)
    m.write(out.attrs, "items", TupleV(tuple(rows)))
    if e.kind == "set":
        make_set(m, out)
    return out


def _comp_for(m: Machine, e: ir.Comp, depth: int, frame: Frame, rows: list[Value], keys: list[Value]) -> None:
    if depth == len(e.fors):
        if e.kind == "dict":
            keys.append(evaluate(m, e.elt, frame))
            rows.append(evaluate(m, e.value, frame) if e.value is not None else m.unknown("a value"))
        else:
            rows.append(evaluate(m, e.elt, frame))
        return
    part = e.fors[depth]
    seen = loops.counted(m, evaluate(m, part.iter, frame), Place(frame.module.path, e.o))
    for item in seen.items:
        group = item.items if isinstance(item, StarV) else (item,)
        inner: list[Value] = []
        inner_keys: list[Value] = []
        certain = not isinstance(item, StarV)
        for element in group:
            if m.tick():
                m.limited.add(frame.module.path)
                return
            m.assign(part.target, element, frame)
            keep = True
            for test in part.ifs:
                outcomes = m.truth(evaluate(m, test, frame))
                if outcomes and not any(b for _, b in outcomes):
                    keep = False
                elif any(not b for _, b in outcomes):
                    certain = False
            if keep:
                _comp_for(m, e, depth + 1, frame, inner, inner_keys)
        keys.extend(inner_keys)
        if certain:
            rows.extend(inner)
        elif inner:
            rows.append(StarV(tuple(_once_each(inner))))


def _once_each(items: list[Value]) -> list[Value]:
    out: list[Value] = []
    for item in items:
        out.extend(item.items if isinstance(item, StarV) else (item,))
    return out


def _binop(m: Machine, e: ir.BinOp, frame: Frame) -> Value:
    if e.op == "*":
        for side in (e.left, e.right):
            if type(side) is ir.BinOp and side.op == "/":
                m.multiplied.add(Place(frame.module.path, side.o))
    left = evaluate(m, e.left, frame)
    right = evaluate(m, e.right, frame)
    if m.uncalled and e.op in ("*", "/"):
        left, right = _factor(m, e.left, left), _factor(m, e.right, right)
    return binary(m, e.op, left, right, Place(frame.module.path, e.o), frame)


def _factor(m: Machine, e: ir.Expr, value: Value) -> Value:
    """A factor by name that is 1, where nothing calls what runs: a default that is there to be changed."""
    if type(value) is Const and type(e) in (ir.Name, ir.Attr) and type(value.value) in (int, float):
        return m.unknown("a factor that is 1 by default") if value.value == 1 else value
    return value


def _unary(m: Machine, e: ir.UnaryOp, frame: Frame) -> Value:
    value = evaluate(m, e.operand, frame)
    place = Place(frame.module.path, e.o)
    if e.op == "not":
        return m.distribute([value], lambda vs: _negated(m, vs[0]))

    def run(vs: list[Value]) -> Value:
        v = vs[0]
        if isinstance(v, Tensor):
            return tensor_unary(e.op, v, op_call(m, place, frame))
        if isinstance(v, Const) and isinstance(v.value, (int, float)) and e.op in "+-":
            return Const(-v.value if e.op == "-" else +v.value)
        return m.unknown("arithmetic on unknown values", v)

    return m.distribute([value], run)


def _negated(m: Machine, value: Value) -> Value:
    return from_outcomes([(g, not b) for g, b in m.truth(value)])


def _boolop(m: Machine, e: ir.BoolOp, frame: Frame) -> Value:
    """`and`/`or`: the right side is evaluated under what the left side leaves open."""
    left = evaluate(m, e.left, frame)
    outcomes = m.truth(left)
    stop = e.op == "or"
    stays = [g for g, b in outcomes if b is stop]
    goes = [g for g, b in outcomes if b is not stop]
    if not goes:
        return left
    if not stays:
        return evaluate(m, e.right, frame)
    saved = m.facts
    m.facts = saved | disjoin(goes)
    right = evaluate(m, e.right, frame)
    m.facts = saved
    options: list[tuple[Any, Value]] = []
    for guard in stays:
        # An unknown that decided the outcome is as good as the truth value.
        kept: Value = (TRUE if stop else FALSE) if isinstance(left, (Unknown, Choice, Tensor)) else left
        if e.op == "or" and isinstance(left, Unknown):
            kept = left
        options.append((guard, kept))
    options.extend((guard, right) for guard in goes)
    return choose(options)


def _compared(m: Machine, op: str, left: Value, right: Value, place: Place, frame: Frame) -> Value:
    return m.distribute([left, right], lambda vs: compare(m, op, vs[0], vs[1], place, frame))


def _compare(m: Machine, e: ir.Compare, frame: Frame) -> Value:
    left = evaluate(m, e.left, frame)
    result: Value = TRUE
    for op, expr in zip(e.ops, e.rights, strict=False):
        right = evaluate(m, expr, frame)
        place = Place(frame.module.path, e.o)
        outcome = _compared(m, op, left, right, place, frame)
        if len(e.ops) == 1:
            return outcome
        if isinstance(outcome, Const) and not outcome.value:
            return outcome
        if not isinstance(outcome, Const):
            result = outcome
        left = right
    return result


def _ifexp(m: Machine, e: ir.IfExp, frame: Frame) -> Value:
    outcomes = m.truth(evaluate(m, e.test, frame))
    yes = [g for g, b in outcomes if b]
    no = [g for g, b in outcomes if not b]
    if not no:
        return evaluate(m, e.body, frame)
    if not yes:
        return evaluate(m, e.orelse, frame)
    return m.branch_values(
        [
            (disjoin(yes), lambda: evaluate(m, e.body, frame)),
            (disjoin(no), lambda: evaluate(m, e.orelse, frame)),
        ]
    )


def _await(m: Machine, e: ir.Await, frame: Frame) -> Value:
    return evaluate(m, e.value, frame)


def _yield(m: Machine, e: ir.Yield, frame: Frame) -> Value:
    value = evaluate(m, e.value, frame) if e.value is not None else Const(None)
    if e.is_from:
        frame.yields.extend(iteration.flat(iteration.elements(m, value, Place(frame.module.path, e.o)).items))
    else:
        frame.yields.append(value)
    return m.unknown("sent into a generator")


def _walrus(m: Machine, e: ir.Walrus, frame: Frame) -> Value:
    value = evaluate(m, e.value, frame)
    m.assign(ir.Name(e.o, e.name), value, frame)
    return value


def _fstring(m: Machine, e: ir.FString, frame: Frame) -> Value:
    parts = [evaluate(m, p, frame) for p in e.parts]
    if all(isinstance(p, Const) for p in parts):
        return constant(m, "".join([str(p.value) for p in parts if isinstance(p, Const)]))
    return m.unknown("a formatted string")


def _starred(m: Machine, e: ir.Starred, frame: Frame) -> Value:
    return StarV((evaluate(m, e.value, frame),))


def _opaque(m: Machine, e: ir.Opaque, frame: Frame) -> Value:
    return Unknown("a literal that is not followed", ("opaque",))


_HANDLERS: dict[type, Callable[[Any, Any, Any], Value]] = {
    ir.Name: _name,
    ir.Const: _const,
    ir.Attr: _attr,
    ir.Call: _call,
    ir.Sub: _sub,
    ir.Slice: _slice,
    ir.BinOp: _binop,
    ir.UnaryOp: _unary,
    ir.BoolOp: _boolop,
    ir.Compare: _compare,
    ir.IfExp: _ifexp,
    ir.Tuple: _tuple,
    ir.List: _list,
    ir.Set: _list,
    ir.Dict: _dict,
    ir.Lambda: _lambda,
    ir.Comp: _comp,
    ir.Await: _await,
    ir.Yield: _yield,
    ir.Walrus: _walrus,
    ir.FString: _fstring,
    ir.Starred: _starred,
    ir.Opaque: _opaque,
}
