"""Calls of the program's functions: arguments to parameters, the body, and what is remembered of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import (
    training,
)
from torchlosslint.flow.facts import about, choose, compatible
from torchlosslint.flow.machine import MAX_DEPTH, MAX_RECURSION, NORMAL
from torchlosslint.flow.memo import Entry, again, plain, portable
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.statements import returned
from torchlosslint.flow.values import (
    NO_GUARD,
    Choice,
    Const,
    DictV,
    Func,
    Guard,
    Instance,
    ListV,
    Place,
    StarV,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


MAX_OUTSIDE = 400  # names read by a call that is remembered


# A function that took this many steps, and in all its runs neither reached a loss nor made a tensor or an
# object nor changed anything, is not run again: it is about scores of a game, not of a network.
IDLE_STEPS = 300
NOTABLE_STEPS = 40
NEVER_IDLE = -1 << 40


def call_function(
    m: Machine,
    func: Func,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place | None,
    caller: Frame | None,
) -> Value:
    """Run a function of the program with its real arguments, or remember that it was run so."""
    key: object = None
    if (
        func.owner is not None
        and args
        and type(args[0]) is Instance
        and caller is not None
        and m.memory.worthwhile(id(func.node))
    ):
        key = _key(m, func, args, kwargs, caller)
    if key is None:
        return _run(m, func, args, kwargs, place, caller)[0]
    entry = m.memory.calls.get(key)
    if entry is not None and entry.holds(m.journal.clock):
        if m.outside is not None:
            m.outside.extend(entry.names)
        m.memory.helped(id(func.node))
        return again(entry.result)
    start, reports, cuts, outer = fresh_uid(), m.reports, m.cuts, m.outside
    m.outside = []
    try:
        result, entered = _run(m, func, args, kwargs, place, caller)
        clock = m.journal.clock
        if (
            m.reports == reports
            and m.cuts == cuts
            and not m.exhausted()
            and clock.oldest_since(start) > start
            and portable(result, entered, start)
            and len(m.outside) < MAX_OUTSIDE
        ):
            held = (*args[1:], *kwargs.values(), *func.defaults.values())
            m.memory.calls[key] = Entry(fresh_uid(), m.outside, held, result)
    finally:
        if outer is not None:
            outer.extend(m.outside)
        m.outside = outer
    return result


def _key(m: Machine, func: Func, args: list[Value], kwargs: dict[str, Value], caller: Frame) -> object:
    """All that the outcome of a method depends on but names from outside and what other objects hold."""
    receiver = m.memory.print_of(args[0], m.journal.clock)  # type: ignore[arg-type]
    if receiver is None:
        return None
    # What a gradient leads through stands outside equality; a forward gets its own module's identity.
    ways = tuple([training.roots_of(a) for a in (*args[1:], *kwargs.values())])
    own = None if func.qualname.endswith(".forward") else args[0].serial  # type: ignore[attr-defined]
    return (
        *(id(func.node), receiver, tuple(args[1:]), tuple(kwargs.items()), ways, own),
        *(m.facts, m.chosen, caller.no_grad, caller.autocast),
    )


def _run(
    m: Machine,
    func: Func,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place | None,
    caller: Frame | None,
) -> tuple[Value, dict[int, None]]:
    """Run a function; also the identities of the tensors that came in."""
    node = func.node
    ident = id(node)
    m.called.add(ident)
    if m.exhausted():
        return Unknown("the limit of steps was reached"), {}
    if len(m.stack) > MAX_DEPTH or m.stack.count(ident) >= MAX_RECURSION:
        m.cuts += 1
        return Unknown("a recursive or very deep call"), {}
    if m.idle.get(ident, 0) > IDLE_STEPS:
        return Unknown("a function that was followed often and gave only numbers"), {}
    start, steps, reports = fresh_uid(), m.steps, m.reports
    frame = Frame(func.module, Scope({}, func.scope), caller, place)
    frame.func_node = node
    # Arguments of a method call name the class for super().
    frame.klass = None
    for mode in func.modes:
        training.enter(mode, frame)
    if func.owner is not None:
        frame.scope.names["__class__"] = func.owner
        if args and func.kind != "static":
            frame.self_value = args[0]
    bind_arguments(m, func, args, kwargs, frame)
    saved = m.facts
    m.stack.append(ident)
    layers, loops, containers = len(m.journal.layers), len(m.loops), len(m.containers)
    try:
        if isinstance(node, ir.Lambda):
            result = m.eval(node.body, frame)
        else:
            status = m.exec(node.body, frame)
            if args and type(args[0]) is Instance and node.name == "__init__" and not frame.returns:
                _settle(m, args[0], m.facts - saved if status == NORMAL else NO_GUARD)
            result = returned(m, frame, saved, status)
            if node.is_generator:
                result = _generator(m, frame, place)
    except RecursionError:
        m.cuts += 1
        # Deep expressions in deep calls. What the call wrote so far stays.
        while len(m.journal.layers) > layers:
            m.journal.commit()
        del m.loops[loops:], m.containers[containers:]
        result = Unknown("a very deep call")
    finally:
        m.stack.pop()
        m.facts = saved
        m.frame = caller
    cost = m.steps - steps
    if cost > NOTABLE_STEPS:
        idle = m.reports == reports and m.journal.clock.oldest_since(start) > start and plain(result, start)
        m.idle[ident] = m.idle.get(ident, 0) + cost if idle else NEVER_IDLE
    return result, frame.entered


def _settle(m: Machine, obj: Instance, facts: Guard) -> None:
    """An object is there only where its constructor came to an end: what it asserted goes on to hold of what
    it chose by the same options."""
    if not facts:
        return
    for name, value in list(obj.attrs.items()):
        if type(value) is Choice:
            kept = [(guard | about(facts, guard), v) for guard, v in value.alts if compatible(guard, facts)]
            if kept and kept != list(value.alts):
                m.write(obj.attrs, name, choose(kept))


def _generator(m: Machine, frame: Frame, place: Place | None) -> Value:
    out = ListV(place)
    m.write(
        out.attrs,
        "items",
        TupleV((StarV((choose([(frozenset(), v) for v in frame.yields]),)),) if frame.yields else ()),
    )
    return out


def bind_arguments(m: Machine, func: Func, args: list[Value], kwargs: dict[str, Value], frame: Frame) -> None:
    """Arguments to parameters, Python's way; what an unknown spread may fill is unknown."""
    names = frame.scope.names
    write = m.journal.bind
    positional: list[Value] = []
    spread: Value | None = None
    for arg in args:
        if isinstance(arg, StarV):
            spread = arg.items[0]
            break
        positional.append(arg)
    rest = dict(kwargs)
    open_keywords = rest.pop("**", None)
    i = 0
    for param in func.node.params:
        if param.kind == 2:
            extra = TupleV(tuple(positional[i:]) + ((StarV((spread,)),) if spread is not None else ()))
            write(names, param.name, extra)
            _enter(frame, extra, 0)
            i = len(positional)
            continue
        if param.kind == 4:
            holder = DictV(frame.place)
            for key, value in rest.items():
                m.write(holder.attrs, ("k", key), value)
            if open_keywords is not None:
                m.write(holder.attrs, "open", Const(True))
            write(names, param.name, holder)
            _enter(frame, holder, 0)
            continue
        if param.kind in (0, 1) and i < len(positional):
            value = positional[i]
            i += 1
        elif param.name in rest:
            value = rest.pop(param.name)
        elif spread is not None and param.kind in (0, 1):
            value = m.unknown("spread from an unknown sequence")
        elif open_keywords is not None and param.name not in func.defaults:
            value = m.unknown("spread from an unknown mapping")
        elif param.name in func.defaults:
            value = func.defaults[param.name]
        else:
            value = Unknown(
                "parameter of a function that nothing calls",
                ("param", id(func.node), param.name),
                config=True,
            )
        write(names, param.name, value)
        _enter(frame, value, 0)


def _enter(frame: Frame, value: Value, depth: int) -> None:
    """Note the tensors that came in as arguments: blame for them goes to the caller."""
    if isinstance(value, Tensor):
        frame.entered[value.uid] = None
    elif depth < 2:
        if isinstance(value, TupleV):
            for item in value.items:
                _enter(frame, item, depth + 1)
        elif isinstance(value, Choice):
            for _, item in value.alts:
                _enter(frame, item, depth + 1)
        elif isinstance(value, (DictV, ListV)):
            for item in list(value.attrs.values()):
                _enter(frame, item, depth + 1)
