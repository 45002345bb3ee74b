"""Attributes: of instances through the MRO, of library objects, of modules, of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import nn_modules
from torchlosslint.flow.facts import choose, negations
from torchlosslint.flow.ops import METHODS, normalise
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.ops.casts import dtype_value
from torchlosslint.flow.state import NEVER
from torchlosslint.flow.values import (
    TRUE,
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
    ModuleV,
    Obj,
    Partial,
    Place,
    Super,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.program.module import ModuleInfo


def get_attr(m: Machine, obj: Value, name: str, place: Place) -> Value:
    """Read an attribute of any value."""
    if isinstance(obj, Choice):
        return m.under(list(obj.alts), lambda v: get_attr(m, v, name, place))
    kind = type(obj)
    if kind is Unknown:
        return _of_unknown(m, obj, name)  # type: ignore[arg-type]
    if kind is Instance:
        return _of_instance(m, obj, name, place)  # type: ignore[arg-type]
    if kind is External:
        return External(normalise(f"{obj.qual}.{name}"))  # type: ignore[attr-defined]
    if kind is ModuleV:
        from torchlosslint.flow.definitions import member

        if name == "__dict__":
            return _namespace(m, obj.info, place)  # type: ignore[attr-defined]
        return member(m, obj.info, name)  # type: ignore[attr-defined]
    if kind is Tensor:
        return _of_tensor(m, obj, name, place)  # type: ignore[arg-type]
    if kind is ExtObj:
        return nn_modules.attribute(m, obj, name, place)  # type: ignore[arg-type]
    if kind is ClassV:
        return _of_class(m, obj, name)  # type: ignore[arg-type]
    if kind is Super:
        return _of_super(m, obj, name)  # type: ignore[arg-type]
    if kind is TupleV and isinstance(obj, TupleV) and name in obj.fields:
        return m.read(obj.items[obj.fields.index(name)])
    if kind is DictV and isinstance(obj, DictV) and "namespace" in obj.attrs:
        value = obj.attrs.get(("k", name))
        if value is not None:
            return m.read(value)
        if not hasattr(dict, name):
            return Unknown("an attribute that was never assigned", ("attr", obj.serial, name))
    if kind in (TupleV, ListV, DictV, Const):
        return Bound(name, obj)
    if kind is Partial and isinstance(obj, Partial) and name == "func":
        return obj.func
    if kind is Bound and name == "__self__" and isinstance(obj, Bound):
        return obj.self
    return m.unknown("an attribute that is not followed")


def _namespace(m: Machine, info: ModuleInfo, place: Place) -> DictV:
    """The public functions and classes of a module as a mapping, as `models.__dict__[name]` asks for them."""
    out = DictV(place)
    for name, value in info.globals.items():
        if not name.startswith("_") and isinstance(value, (Func, ClassV)):
            m.write(out.attrs, ("k", name), value)
    return out


def _of_unknown(m: Machine, obj: Unknown, name: str) -> Value:
    written = m.overlay.get((obj.key, name))
    if m.outside is not None:
        m.outside.append((m.overlay, (obj.key, name), written))
    if written is not None:
        return m.read(written)
    if name in nn_modules.DISTINCT_METHODS or name in _UNKNOWN_METHODS:
        return Bound(name, obj)
    return obj.derived("attr", name)


# Methods of unknown receivers that keep the receiver, or whose writes matter.
_UNKNOWN_METHODS = frozenset(
    {"train", "eval", "parse_args", "get", "items", "values", "keys", "append", "extend", "backward"}
)


def find_in_class(cls: ClassV, name: str, after: ClassV | None = None) -> Value | None:
    """Look a name up along the MRO (after one of its classes); None where only a library has it."""
    mro = cls.mro
    start = mro.index(after) + 1 if after is not None and after in mro else 0
    for klass in mro[start:]:
        if isinstance(klass, ClassV) and name in klass.attrs:
            value: Value = klass.attrs[name]
            return value
    return None


def find_special(obj: Obj, name: str) -> Value | None:
    """A special method of an instance of the program's classes, bound."""
    if isinstance(obj, Instance):
        found = find_in_class(obj.cls, name)
        if isinstance(found, Func):
            return Bound(found, obj)
    return None


def assigned(value: Choice) -> Value:
    """The alternatives in which an attribute is there: what is read has been assigned."""
    kept = [(g, v) for g, v in value.alts if v is not NEVER]
    return value if len(kept) == len(value.alts) else choose(kept)


def _of_instance(m: Machine, obj: Instance, name: str, place: Place) -> Value:
    value = obj.attrs.get(name)
    if value is not None and name != "items":
        return m.read(assigned(value)) if type(value) is Choice else value
    found = find_in_class(obj.cls, name)
    if found is not None:
        return bind(m, m.read(found), obj, obj.cls, place)
    if nn_modules.is_module(obj):
        known = nn_modules.instance_attribute(m, obj, name)
        if known is not None:
            return known
    if name == "items" and "items" in obj.attrs and not nn_modules.is_module(obj):
        return m.read(obj.attrs["items"])
    if name == "__class__":
        return obj.cls
    if name == "__dict__":
        return Unknown("the attributes of an object as a mapping", ("dict", obj.serial))
    if any(isinstance(b, External) for b in obj.cls.mro):
        getter = find_in_class(obj.cls, "__getattr__")
        if getter is None:
            external = obj.cls.bases_external()
            if external and external[0] not in ("?", "builtins.object"):
                return Bound(name, obj)
    getter = find_in_class(obj.cls, "__getattr__")
    if isinstance(getter, Func) and m.frame is not None:
        return m.call(Bound(getter, obj), [Const(name)], {}, place, m.frame)
    return Unknown("an attribute that was never assigned", ("attr", obj.serial, name))


def bind(m: Machine, value: Value, obj: Value, cls: ClassV, place: Place) -> Value:
    """What a class attribute gives when read through an instance."""
    if isinstance(value, Func) and value.owner is not None:
        if value.kind == "static":
            return value
        if value.kind == "class":
            return Bound(value, cls)
        if value.kind == "property":
            if m.frame is None:
                return m.unknown("a property")
            return m.call(Bound(value, obj), [], {}, place, m.frame)
        return Bound(value, obj)
    if isinstance(value, Choice):
        return choose([(g, bind(m, v, obj, cls, place)) for g, v in value.alts])
    return value


def _of_class(m: Machine, obj: ClassV, name: str) -> Value:
    found = find_in_class(obj, name)
    if isinstance(found, Func) and found.kind == "class":
        return Bound(found, obj)
    if found is not None:
        return m.read(found)
    if name == "__name__":
        return Const(obj.name)
    for base in obj.mro:
        if isinstance(base, External) and base.qual != "?":
            return (
                Bound("super." + name, obj)
                if name == "__init__"
                else External(normalise(f"{base.qual}.{name}"))
            )
    return Unknown("an attribute of a class that was never assigned", ("attr", obj.serial, name))


def _of_super(m: Machine, obj: Super, name: str) -> Value:
    target = obj.obj
    cls = target.cls if isinstance(target, Instance) else target if isinstance(target, ClassV) else None
    if cls is None:
        return m.unknown("super() of an unknown object")
    found = find_in_class(cls, name, obj.after)
    if found is not None:
        return bind(m, m.read(found), target, cls, obj.after.place or Place("", 0))
    return Bound("super." + name, target)


_TENSOR_SAME = frozenset({"data", "T", "mT", "H", "real", "grad"})


def _of_tensor(m: Machine, obj: Tensor, name: str, place: Place) -> Value:
    if name in _TENSOR_SAME and name in METHODS:
        return METHODS[name](OpCall([obj], {}, place))
    if name == "shape":
        return _shape(m, obj)
    if name == "grad":
        return Tensor()
    if name == "requires_grad":
        return Const(obj.grad) if obj.grad is not None else m.unknown("requires_grad")
    if name in ("ndim", "dtype", "device", "is_cuda", "grad_fn", "size_"):
        if (
            name == "ndim"
            and obj.shape is not None
            and all(d is None or isinstance(d, int) for d in obj.shape)
        ):
            return Const(len(obj.shape))
        if name == "dtype":
            return dtype_value(obj)
        return m.unknown(f"the {name} of a tensor")
    if name in ("logits", "sample", "last_hidden_state", "pooler_output") and name not in METHODS:
        return m.unknown("an attribute of a tensor")
    return Bound(name, obj)


def _shape(m: Machine, obj: Tensor) -> Value:
    if obj.shape is None or any(not (d is None or isinstance(d, (int, str))) for d in obj.shape):
        return Unknown("the shape of a tensor", ("shape", obj.uid))
    return TupleV(
        tuple(
            Const(d)
            if isinstance(d, int)
            else SymInt(d, 0)
            if isinstance(d, str)
            else SymInt(("size", obj.uid, i), 0)
            for i, d in enumerate(obj.shape)
        )
    )


def set_attr(m: Machine, obj: Value, name: str, value: Value) -> None:
    """Write an attribute of any value."""
    if name in ("grad", "_grad"):
        m.steps_seen.meddled = True
    if isinstance(obj, Choice):
        for guard, alt in obj.alts:
            if isinstance(alt, Obj) and m.consistent(guard):
                old, new = alt.attrs.get(name), value
                if old is not None:
                    new = choose([(guard, value), *((other, old) for other in negations(guard))])
                set_attr(m, alt, name, new)
        return
    if isinstance(obj, Unknown):
        m.write(m.overlay, (obj.key, name), value)
    elif isinstance(obj, DictV):
        m.write(obj.attrs, ("k", name), value)
    elif isinstance(obj, (Instance, ExtObj)):
        if isinstance(obj, Instance):
            setter = find_in_class(obj.cls, name)
            if isinstance(setter, Func) and setter.kind == "property":
                m.write(obj.attrs, "_" + name, value)
                return
        nn_modules.assign_attribute(m, obj, name, value)
    elif isinstance(obj, ModuleV):
        m.write(obj.info.globals, name, value)
    elif isinstance(obj, ClassV):
        m.write(obj.attrs, name, value)


__all__ = ["TRUE", "bind", "find_in_class", "find_special", "get_attr", "set_attr"]
