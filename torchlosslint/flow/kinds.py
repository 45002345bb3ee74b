"""What kind of thing a value is, as isinstance, issubclass, callable and inspect are asked."""

from __future__ import annotations

from collections.abc import Callable

from torchlosslint.contracts import by_function, by_module
from torchlosslint.flow import nn_modules
from torchlosslint.flow.ops import FUNCTIONS, LAYERS
from torchlosslint.flow.values import (
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
    Partial,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

_KINDS: dict[str, tuple[type, ...]] = {
    "list": (ListV,),
    "tuple": (TupleV,),
    "dict": (DictV,),
    "collections.OrderedDict": (DictV,),
}
_PLAIN: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float), "bool": bool}
# Of collections.abc and typing: what has these methods, whatever its class.
_ABSTRACT: dict[str, tuple[type, ...]] = {
    "Iterable": (ListV, TupleV, DictV, Tensor),
    "Collection": (ListV, TupleV, DictV, Tensor),
    "Sized": (ListV, TupleV, DictV, Tensor),
    "Sequence": (ListV, TupleV),
    "Mapping": (DictV,),
    "MutableMapping": (DictV,),
}
_CLASSES = frozenset(f"builtins.{n}" for n in "bool bytes dict float frozenset int list object set".split())
_CLASSES |= frozenset(f"builtins.{n}" for n in "slice str super tuple type".split())
_DEFINED = (Func, Bound, Partial, ClassV)
_FUNCTIONS = frozenset({"types.FunctionType", "types.LambdaType"})


def is_class(value: Value) -> bool | None:
    """Whether a value is a class; None where that is not known."""
    if isinstance(value, External):
        qual = value.qual
        if qual in LAYERS or by_module(qual) is not None or qual in _CLASSES or qual == "torch.nn.Module":
            return True
        function = qual in FUNCTIONS or by_function(qual) is not None or qual.startswith("builtins.")
        return False if function and not qual.rsplit(".", 1)[-1][:1].isupper() else None
    if isinstance(value, (Unknown, Choice)):
        return None
    return isinstance(value, ClassV)


def is_callable(value: Value) -> bool | None:
    """Whether a value can be called; None where that is not known."""
    if isinstance(value, _DEFINED):
        return True
    if isinstance(value, External):
        return True if is_class(value) is not None else None
    if isinstance(value, (Instance, ExtObj)):
        return True if nn_modules.is_module(value) else None
    return None if isinstance(value, (Unknown, Choice)) else False


def is_function(value: Value) -> bool | None:
    """Whether a value is a function written in Python; None where that is not known."""
    if isinstance(value, External):
        return False if is_class(value) else None
    return None if isinstance(value, (Unknown, Choice)) else isinstance(value, Func)


def is_instance(value: Value, cls: Value) -> bool | None:
    """isinstance for one plain value and one class; None where not known."""
    if isinstance(value, Unknown):
        return None
    if isinstance(cls, ClassV):
        if isinstance(value, Instance):
            return cls in value.cls.mro
        return False if not isinstance(value, (Unknown, Choice)) else None
    if not isinstance(cls, External):
        return None
    qual = cls.qual
    name = qual.removeprefix("builtins.")
    if name in ("type", "object"):
        return is_class(value) if name == "type" else True
    module, _, last = qual.rpartition(".")
    if module in ("typing", "collections.abc", "collections"):
        if last == "Callable":
            return is_callable(value)
        if last in _ABSTRACT and not isinstance(value, (External, Instance, ExtObj, Const)):
            return isinstance(value, _ABSTRACT[last])
    if qual in _FUNCTIONS:
        return is_function(value)
    if isinstance(value, External) and is_class(value) is None and not value.qual.startswith("torch."):
        return None
    if name in _KINDS:
        if name == "list" and isinstance(value, ExtObj):
            return None
        return isinstance(value, _KINDS[name])
    if name in _PLAIN:
        return isinstance(value.value, _PLAIN[name]) if isinstance(value, Const) else False
    if qual in ("torch.Tensor", "torch.autograd.Variable", "torch.FloatTensor"):
        return isinstance(value, Tensor) and "numpy" not in value.dom.flags
    if qual == "numpy.ndarray" and isinstance(value, Tensor):
        return "numpy" in value.dom.flags
    if isinstance(value, Tensor):
        return False
    if isinstance(value, ExtObj):
        if value.qual == qual:
            return True
        if qual == "torch.nn.Module":
            return nn_modules.is_module(value) or None
        return False if value.qual.startswith("torch.nn.") and qual.startswith("torch.nn.") else None
    if isinstance(value, Instance):
        return True if any(isinstance(b, External) and b.qual == qual for b in value.cls.mro) else None
    return _plain_instance(value, module)


def _plain_instance(value: Value, module: str) -> bool | None:
    """isinstance of what belongs to the language, and a class of a library."""
    return None if isinstance(value, Const) and module in ("numbers", "typing", "collections.abc") else False


def is_subclass(value: Value, cls: Value) -> bool | None:
    """issubclass for one plain value and one class; None where not known."""
    if isinstance(value, ClassV):
        if cls in value.mro:
            return True
        # What a library's class inherits from is not known.
        known = all(
            isinstance(base, ClassV) or base.qual == "builtins.object"
            for base in value.mro
            if isinstance(base, (ClassV, External))
        )
        return False if isinstance(cls, ClassV) or (known and isinstance(cls, External)) else None
    if isinstance(value, External) and isinstance(cls, External) and is_class(value):
        if value == cls:
            return True
        layer = value.qual in LAYERS or by_module(value.qual) is not None
        return True if layer and cls.qual == "torch.nn.Module" else None
    if isinstance(value, External) and isinstance(cls, ClassV):
        return False if is_class(value) else None
    return None


QUESTIONS: dict[str, Callable[[Value], bool | None]] = {
    "callable": is_callable,
    "inspect.isclass": is_class,
    "inspect.isfunction": is_function,
}
