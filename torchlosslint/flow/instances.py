"""Instances, of the program's classes and of libraries': how they are made, and calls of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import (
    constructions,
    declared,
    libraries,
    losses,
    models,
    nn_modules,
    training,
)
from torchlosslint.flow.attributes import find_in_class
from torchlosslint.flow.functions import call_function
from torchlosslint.flow.machine import MAX_DEPTH, MAX_RECURSION
from torchlosslint.flow.ops import LAYERS
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.values import (
    Choice,
    ClassV,
    External,
    ExtObj,
    Func,
    Instance,
    Place,
    StarV,
    Step,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine


def instantiate(
    m: Machine, cls: ClassV, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame | None
) -> Value:
    """Construct an instance of a class of the program."""
    obj = Instance(cls, place)
    m.note_instance(obj)
    if m.declared is not None:
        declared.made(m, obj, args, kwargs)
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
        return m.call(forward, args, kwargs, place, frame)
    return as_library_object(m, obj, args, kwargs, place, frame)


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


def as_library_object(
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
            value = m.call(layer, [value], {}, place, frame)
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
        return m.call(m.read(obj.attrs["forward"]), args, kwargs, place, frame)
    contract = losses.contract_of(qual)
    if contract is not None:
        return losses.reach_module(m, contract, obj, args, kwargs, place, frame)
    if qual == nn_modules.SEQUENTIAL:
        return training.from_module(m, run_sequence(m, obj, args, place, frame), obj, args)
    if qual in nn_modules.WRAPPERS:
        inner = nn_modules.wrapped(obj)
        return (
            m.call(inner, args, kwargs, place, frame) if inner is not None else m.unknown("an empty wrapper")
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
