"""Calls: of the program's functions and classes, of bound methods, of libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import (
    constructions,
    declared,
    libraries,
    nn_modules,
    origins,
    python_methods,
    training,
)
from torchlosslint.flow.functions import call_function
from torchlosslint.flow.instances import as_library_object, call_instance, call_object, instantiate, through
from torchlosslint.flow.ops import METHODS
from torchlosslint.flow.scope import Frame
from torchlosslint.flow.values import (
    NONE,
    Bound,
    Choice,
    ClassV,
    Const,
    External,
    ExtObj,
    Func,
    Instance,
    Obj,
    Partial,
    Place,
    Tensor,
    Unknown,
    Value,
)

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
                if isinstance(callee.self, Instance):
                    result = training.from_module(m, result, callee.self, [*args, *kwargs.values()])
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
        same = origins.of_unknown(m, callee, kwargs, place)
        if same is not None:
            return same
        if isinstance(callee.key, tuple) and callee.key[0] == "attr" and callee.config:
            if all(isinstance(a, Const) for a in args):
                return callee.derived("method", tuple(args))
        return Unknown(callee.reason)
    return m.unknown("a call of something that cannot be called")


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
        if name in origins.COUNTING_METHODS:
            origins.counted_by_method(m, obj, name, kwargs, place)
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
        return as_library_object(m, obj, args, kwargs, place, frame)
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
