"""Calls: of the program's functions and classes, of bound methods, of libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import (
    constructions,
    declared,
    libraries,
    losses,
    models,
    nn_modules,
    python_methods,
    training,
)
from torchlosslint.flow.attributes import find_in_class
from torchlosslint.flow.facts import choose
from torchlosslint.flow.machine import MAX_DEPTH, MAX_RECURSION
from torchlosslint.flow.memo import Entry, again, fingerprint, portable
from torchlosslint.flow.ops import LAYERS, METHODS
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.statements import returned
from torchlosslint.flow.values import (
    NONE,
    Bound,
    Choice,
    ClassV,
    Const,
    DictV,
    External,
    ExtObj,
    Func,
    Instance,
    ListV,
    Obj,
    Partial,
    Place,
    StarV,
    Step,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


def call(
    m: Machine, callee: Value, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """Call any value."""
    m.frame = frame
    if m.tick():
        m.limited.add(place.path)
        return Unknown("the limit of steps was reached")
    kind = type(callee)
    if m.declared is not None and kind in (Func, External):
        by_word = (declared.call_function if kind is Func else declared.call_library)(
            m,
            callee if kind is Func else callee.qual,  # type: ignore
            args,
            kwargs,
            place,
            frame,
        )
        if by_word is not None:
            return by_word
    if kind is Func:
        return call_function(m, callee, args, kwargs, place, frame)  # type: ignore[arg-type]
    if kind is Bound:
        assert isinstance(callee, Bound)
        if isinstance(callee.func, Func):
            result = call_function(m, callee.func, [callee.self, *args], kwargs, place, frame)
            if callee.func.qualname.endswith(".forward"):
                return through(m, result, place, f"comes back from {callee.func.qualname}")
            return result
        return call_named(m, callee.self, callee.func, args, kwargs, place, frame)
    if kind is External:
        return libraries.call(m, callee.qual, args, kwargs, place, frame)  # type: ignore[attr-defined]
    if kind is Instance:
        return call_instance(m, callee, args, kwargs, place, frame)  # type: ignore[arg-type]
    if kind is ExtObj:
        return call_object(m, callee, args, kwargs, place, frame)  # type: ignore[arg-type]
    if kind is ClassV:
        return instantiate(m, callee, args, kwargs, place, frame)  # type: ignore[arg-type]
    if kind is Choice:
        assert isinstance(callee, Choice)
        return m.under(list(callee.alts), lambda v: call(m, v, args, kwargs, place, frame))
    if kind is Partial:
        assert isinstance(callee, Partial)
        return call(m, callee.func, [*callee.args, *args], {**callee.kwargs, **kwargs}, place, frame)
    if kind is Unknown:
        assert isinstance(callee, Unknown)
        libraries.run_callbacks(m, args, place, frame)
        if isinstance(callee.key, tuple) and callee.key[0] == "attr" and callee.config:
            if all(isinstance(a, Const) for a in args):
                return callee.derived("method", tuple(args))
        return Unknown(callee.reason)
    return m.unknown("a call of something that cannot be called")


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
    if func.owner is not None and args and type(args[0]) is Instance and caller is not None:
        receiver = fingerprint(args[0])
        # What a gradient leads through stands outside equality; a forward gets its own module's identity.
        ways = tuple([training.roots_of(a) for a in (*args[1:], *kwargs.values())])
        own = None if func.qualname.endswith(".forward") else args[0].serial
        key = (
            *(id(func.node), receiver, tuple(args[1:]), tuple(kwargs.items()), ways, own),
            *(m.facts, m.chosen, caller.no_grad, caller.autocast, m.overlay_writes),
        )
        if receiver is None:
            key = None
        entry = m.memo.get(key) if key is not None else None
        if entry is not None and entry.holds(m.journal.clock):
            if m.outside is not None:
                m.outside.extend(entry.names)
            return again(entry.result)
    if key is None:
        return _run(m, func, args, kwargs, place, caller)[0]
    start, reports, outer = fresh_uid(), m.reports, m.outside
    m.outside = []
    try:
        result, entered = _run(m, func, args, kwargs, place, caller)
        clock = m.journal.clock
        if (
            m.reports == reports
            and not m.exhausted()
            and clock.oldest_since(start) > start
            and portable(result, entered)
            and len(m.outside) < 256
        ):
            m.memo[key] = Entry(fresh_uid(), m.outside, [*args[1:], *kwargs.values()], result)
    finally:
        if outer is not None:
            outer.extend(m.outside)
        m.outside = outer
    return result


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
        return Unknown("a recursive or very deep call"), {}
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
            result = returned(m, frame, saved, status)
            if node.is_generator:
                result = _generator(m, frame, place)
    except RecursionError:
        # Deep expressions in deep calls. What the call wrote so far stays.
        while len(m.journal.layers) > layers:
            m.journal.commit()
        del m.loops[loops:], m.containers[containers:]
        result = Unknown("a very deep call")
    finally:
        m.stack.pop()
        m.facts = saved
        m.frame = caller
    return result, frame.entered


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


def call_named(
    m: Machine, obj: Value, name: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """A method by name of a value that the program did not define."""
    if name == "backward":
        # Of a loss; or of a library object that is handed one: an accelerator, a strategy, an engine.
        given = isinstance(obj, (Obj, Unknown)) and bool(args) and isinstance(args[0], (Tensor, Choice))
        training.backward(m, args[0] if given else obj, args[given:], kwargs, place, frame)
        return NONE
    if name == "manual_backward" and args:
        training.backward(m, args[0], args[1:], kwargs, place, frame)
        return NONE
    if isinstance(obj, Tensor):
        handler = METHODS.get(name)
        if handler is None:
            return m.unknown(f"the tensor method {name}")
        return libraries.run_handler(m, handler, [obj, *args], kwargs, place, frame)
    if isinstance(obj, Unknown):
        return _on_unknown(m, obj, name, args, kwargs, place, frame)
    if name.startswith("super."):
        return _super_call(m, obj, name[6:], args, kwargs, place, frame)
    if isinstance(obj, (ExtObj, Instance)):
        if nn_modules.is_module(obj) or "items" in obj.attrs:
            result = nn_modules.call_method(m, obj, name, args, kwargs, place, frame)
            if result is not None:
                return result
        if isinstance(obj, Instance):
            inner = obj.attrs.get("__ext__")
            if isinstance(inner, ExtObj):
                return call_named(m, inner, name, args, kwargs, place, frame)
            return m.unknown(f"a method of a library class: {name}")
        return libraries.call_method(m, obj, name, args, kwargs, place, frame)
    return python_methods.call(m, obj, name, args, kwargs, place, frame)


def _on_unknown(
    m: Machine,
    obj: Unknown,
    name: str,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
) -> Value:
    if name == "parse_args":
        return Unknown("an option of the command line", None, True)
    handler = METHODS.get(name)
    if handler is not None and name in nn_modules.DISTINCT_METHODS:
        return libraries.run_handler(m, handler, [obj, *args], kwargs, place, frame)
    if name in ("train", "eval"):
        return obj
    libraries.run_callbacks(m, args, place, frame)
    if obj.config and all(isinstance(a, Const) for a in args):
        # A method of an option's value: the same question has the same answer.
        return obj.derived("method", name, tuple(args))
    return Unknown(obj.reason)


def _super_call(
    m: Machine, obj: Value, name: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    if isinstance(obj, ClassV):  # Base.__init__(self, ...)
        if name == "__init__" and args and isinstance(args[0], Instance):
            _library_init(m, args[0], args[1:], kwargs, place, frame)
        return NONE
    if not isinstance(obj, Instance):
        return m.unknown("super() of an unknown object")
    if name == "__init__":
        _library_init(m, obj, args, kwargs, place, frame)
        return NONE
    if name in ("forward", "__call__"):
        return _as_library_object(m, obj, args, kwargs, place, frame)
    if name == "__setattr__" and len(args) == 2 and isinstance(args[0], Const):
        m.write(obj.attrs, str(args[0].value), args[1])
        return NONE
    result = nn_modules.call_method(m, obj, name, args, kwargs, place, frame)
    return result if result is not None else m.unknown(f"a method of a library class: {name}")


def _library_init(
    m: Machine, obj: Instance, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> None:
    for base in obj.cls.mro:
        if isinstance(base, External):
            nn_modules.init_library_base(m, obj, base.qual, args, kwargs)
            inner = obj.attrs.get("__ext__")
            if isinstance(inner, ExtObj):
                constructions.made(m, inner, place, frame)
            return


def instantiate(
    m: Machine, cls: ClassV, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame | None
) -> Value:
    """Construct an instance of a class of the program."""
    obj = Instance(cls, place)
    m.note_instance(obj)
    for klass in cls.mro:
        if isinstance(klass, ClassV):
            init = klass.attrs.get("__init__")
            if isinstance(init, Func):
                if args or kwargs:
                    constructions.given(m, cls, init, args, kwargs, place)
                call_function(m, init, [obj, *args], kwargs, place, frame)
                return obj
            if klass.is_dataclass and klass.fields:
                _init_fields(m, obj, cls, args, kwargs)
                return obj
        elif isinstance(klass, External):
            nn_modules.init_library_base(m, obj, klass.qual, args, kwargs)
            if klass.qual not in ("builtins.object",):
                return obj
    return obj


def _init_fields(m: Machine, obj: Instance, cls: ClassV, args: list[Value], kwargs: dict[str, Value]) -> None:
    for i, name in enumerate(cls.fields):
        if i < len(args):
            m.write(obj.attrs, name, args[i])
        elif name in kwargs:
            m.write(obj.attrs, name, kwargs[name])
        elif find_in_class(cls, name) is None:
            m.write(obj.attrs, name, Unknown("a field of a dataclass", None, True))
    values = [obj.attrs.get(n) or find_in_class(cls, n) or m.unknown("a field") for n in cls.fields]
    m.write(obj.attrs, "items", TupleV(tuple(values)))
    post = find_in_class(cls, "__post_init__")
    if isinstance(post, Func):
        call_function(m, post, [obj], {}, obj.place, m.frame)


def call_instance(
    m: Machine, obj: Instance, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """Call an instance: `__call__`, or `forward` through nn.Module."""
    if m.declared is not None:
        by_word = declared.call_instance(m, obj, args, kwargs, place, frame)
        if by_word is not None:
            return by_word
    own = find_in_class(obj.cls, "__call__")
    if isinstance(own, Func):
        return call_function(m, own, [obj, *args], kwargs, place, frame)
    forward = m.read(obj.attrs["forward"]) if "forward" in obj.attrs else find_in_class(obj.cls, "forward")
    if forward is not None and any(isinstance(b, External) for b in obj.cls.mro):
        if isinstance(forward, Func) and forward.owner is not None and "forward" not in obj.attrs:
            result = call_function(m, forward, [obj, *args], kwargs, place, frame)
            result = training.from_module(m, result, obj, [*args, *kwargs.values()])
            return through(m, result, place, f"comes back from {obj.cls.name}.forward")
        return call(m, forward, args, kwargs, place, frame)
    return _as_library_object(m, obj, args, kwargs, place, frame)


def through(m: Machine, value: Value, place: Place, note: str) -> Value:
    """Note on the trail of tensors that they came through a call."""
    if isinstance(value, Tensor):
        trail = value.trail
        if trail is None or trail.place == place:
            return value
        return value.with_(trail=Step(trail, place, note))
    if isinstance(value, TupleV) and any(isinstance(v, Tensor) for v in value.items):
        return TupleV(tuple(through(m, v, place, note) for v in value.items), value.fields, value.cls)
    if isinstance(value, Choice):
        return Choice(tuple((g, through(m, v, place, note)) for g, v in value.alts))
    return value


def _as_library_object(
    m: Machine, obj: Instance, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """An instance of a subclass of a library layer, loss or container that keeps its forward."""
    if "items" in obj.attrs and nn_modules.SEQUENTIAL in obj.cls.bases_external():
        return run_sequence(m, obj, args, place, frame)
    inner = obj.attrs.get("__ext__")
    if isinstance(inner, ExtObj):
        return call_object(m, inner, args, kwargs, place, frame)
    for qual in obj.cls.bases_external():
        if qual in LAYERS or losses.contract_of(qual) is not None:
            return call_object(m, ExtObj(qual, (), {}, obj.place), args, kwargs, place, frame)
    return m.unknown(f"a call of {obj.cls.name}, whose forward is not in sight")


def run_sequence(m: Machine, obj: ExtObj | Instance, args: list[Value], place: Place, frame: Frame) -> Value:
    """The forward of a Sequential."""
    value: Value = args[0] if args else m.unknown("no input")
    if len(m.containers) > MAX_DEPTH or m.containers.count(id(obj)) >= MAX_RECURSION:
        return m.unknown("a Sequential that holds itself, or a very deep one")
    m.containers.append(id(obj))
    try:
        return _sequence(m, obj, value, place, frame)
    finally:
        m.containers.pop()


def _sequence(m: Machine, obj: ExtObj | Instance, value: Value, place: Place, frame: Frame) -> Value:
    held = m.read(obj.attrs["items"]) if "items" in obj.attrs else None
    if isinstance(held, Choice):
        return m.under(list(held.alts), lambda v: _run_items(m, v, value, place, frame))
    if held is None:
        return m.unknown("an empty Sequential", value)
    return _run_items(m, held, value, place, frame)


def _run_items(m: Machine, held: Value, value: Value, place: Place, frame: Frame) -> Value:
    if not isinstance(held, TupleV):
        return m.unknown("a Sequential of unknown layers")
    for item in held.items:
        for layer in item.items if isinstance(item, StarV) else (item,):
            layer = m.read(layer)
            if isinstance(layer, Unknown) and value is not None:
                value = Unknown(layer.reason)
                continue
            value = call(m, layer, [value], {}, place, frame)
    return value


def call_object(
    m: Machine, obj: ExtObj, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """Call an instance of a library class: a layer, a loss, a container, a known model."""
    qual = obj.qual
    if m.declared is not None:
        by_word = declared.call_object(m, obj, args, kwargs, place, frame)
        if by_word is not None:
            return by_word
    if "forward" in obj.attrs and qual not in nn_modules.LISTS:
        return call(m, m.read(obj.attrs["forward"]), args, kwargs, place, frame)
    contract = losses.contract_of(qual)
    if contract is not None:
        return losses.reach_module(m, contract, obj, args, kwargs, place, frame)
    if qual == nn_modules.SEQUENTIAL:
        return training.from_module(m, run_sequence(m, obj, args, place, frame), obj, args)
    if qual in nn_modules.WRAPPERS:
        inner = nn_modules.wrapped(obj)
        return (
            call(m, inner, args, kwargs, place, frame) if inner is not None else m.unknown("an empty wrapper")
        )
    handler = LAYERS.get(qual)
    if handler is not None:
        # The activation's own place is where it was made: that is what a user would edit.
        made = libraries.run_handler(m, handler, args, kwargs, obj.place or place, frame, obj)
        if qual in nn_modules.WEIGHTED:
            made = training.from_module(m, made, obj, args)
        return through(m, made, place, "is applied here") if obj.place not in (None, place) else made
    if models.is_model(obj):
        return training.from_module(m, models.call(m, obj, args, kwargs, place, frame), obj, args)
    return libraries.call_object(m, obj, args, kwargs, place, frame)
