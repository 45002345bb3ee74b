"""Python's own functions, and a few of the standard library, on abstract values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torchlosslint.flow import kinds, nn_modules
from torchlosslint.flow.constructions import computed
from torchlosslint.flow.facts import choose
from torchlosslint.flow.iteration import content, elements, flat, length
from torchlosslint.flow.memo import copied
from torchlosslint.flow.names import lookup
from torchlosslint.flow.operators import constant
from torchlosslint.flow.ops import FUNCTIONS, normalise
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.ops.support import uid_of
from torchlosslint.flow.origins import origin
from torchlosslint.flow.python_methods import make_set
from torchlosslint.flow.state import NEVER
from torchlosslint.flow.values import (
    FALSE,
    GROWN,
    NONE,
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
    Place,
    StarV,
    Super,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

Args = list[Value]
Kwargs = dict[str, Value]
Function = Callable[["Machine", Args, Kwargs, Place, "Frame"], Value]


def call(m: Machine, name: str, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    """A builtin function or class by name."""
    handler = _BUILTINS.get(name)
    if handler is not None:
        return handler(m, args, kwargs, place, frame)
    if name in ("range", "enumerate", "zip", "reversed"):
        return ExtObj("builtins." + name, tuple(args), kwargs, place)
    if name == "print":
        return NONE
    return Unknown(f"a builtin: {name}")


def _len(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if not args:
        return m.unknown("len()")
    value = args[0]
    if isinstance(value, Choice):
        return choose([(g, length(m, v)) for g, v in value.alts])
    if isinstance(value, Instance):
        from torchlosslint.flow.attributes import find_special

        method = find_special(value, "__len__")
        if method is not None:
            size = m.call(method, [], {}, place, frame)
            data_set = any(base.startswith("torch.utils.data.") for base in value.cls.bases_external())
            if not data_set and (isinstance(size, Const) or find_special(value, "__getitem__") is None):
                return size
            # Of a data set: the number of its samples, however it comes by that.
    return length(m, value)


def _super(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    here: Frame | None = frame
    if len(args) == 2 and isinstance(args[0], ClassV):
        return Super(args[1], args[0])
    owner = lookup(m, "__class__", frame)
    while here is not None and here.self_value is None:
        here = here.caller
    if isinstance(owner, ClassV) and here is not None and here.self_value is not None:
        return Super(here.self_value, owner)
    return m.unknown("super()")


def _list(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    out = ListV(place)
    if not args:
        m.write(out.attrs, "items", TupleV(()))
        return out
    held = content(m, args[0])
    if held is None:
        from torchlosslint.flow.loops import counted

        held = TupleV(tuple(counted(m, args[0], place).items))
    m.write(out.attrs, "items", held)
    if isinstance(args[0], ListV) and GROWN in args[0].attrs:
        m.write(out.attrs, GROWN, TRUE)
    return out


def _set(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    """A set is a list without repetitions here; constants out of it come in some order."""
    out = ListV(place)
    m.write(out.attrs, "items", content(m, _list(m, args, kwargs, place, frame)) or TupleV(()))
    make_set(m, out)
    return out


def _ord(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    """A whole number, as ord() and hash() give it."""
    return SymInt(("int", fresh_uid()), 0)


def _tuple(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if not args:
        return TupleV(())
    held = content(m, args[0])
    if isinstance(held, TupleV) and not (isinstance(args[0], ListV) and GROWN in args[0].attrs):
        return TupleV(held.items)
    return TupleV(tuple(elements(m, args[0], place).items))


def _dict(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    out = DictV(place)
    if args:
        if isinstance(args[0], DictV):
            for key, value in args[0].attrs.items():
                m.write(out.attrs, key, value)
        else:
            held = content(m, args[0])
            for pair in held.items if isinstance(held, TupleV) else (None,):
                if isinstance(pair, TupleV) and len(pair.items) == 2 and isinstance(pair.items[0], Const):
                    m.write(out.attrs, ("k", pair.items[0].value), pair.items[1])
                else:
                    m.write(out.attrs, "open", TRUE)
    for name, value in kwargs.items():
        m.write(out.attrs, "open" if name == "**" else ("k", name), value)
    return out


def _getattr(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if len(args) < 2:
        return m.unknown("getattr()")
    name = args[1]
    if isinstance(name, Choice):
        return choose([(g, _getattr(m, [args[0], v, *args[2:]], {}, place, frame)) for g, v in name.alts])
    if isinstance(name, Const) and isinstance(name.value, str):
        m.frame = frame
        found = m.get_attr(args[0], name.value, place)
        if len(args) > 2 and isinstance(found, Unknown) and isinstance(args[0], (Instance, ClassV)):
            return args[2]
        return found
    if isinstance(args[0], External) and args[0].qual.startswith("torchvision.models"):
        return External(args[0].qual + ".*")
    return Unknown("getattr() with an unknown name")


def _hasattr(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if len(args) == 2 and isinstance(args[1], Const) and isinstance(args[0], Instance):
        from torchlosslint.flow.attributes import find_in_class

        held = args[0].attrs.get(args[1].value)
        if isinstance(held, Choice):
            return choose([(g, FALSE if v is NEVER else TRUE) for g, v in held.alts])
        if held is not None or find_in_class(args[0].cls, str(args[1].value)) is not None:
            return TRUE
        if not nn_modules.is_module(args[0]):
            return FALSE
    if len(args) == 2 and isinstance(args[1], Const) and args[1].value == "module":
        return TRUE if isinstance(args[0], ExtObj) and args[0].qual in nn_modules.WRAPPERS else FALSE
    return m.unknown("hasattr()")


def _setattr(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if len(args) == 3 and isinstance(args[1], Const):
        m.set_attr(args[0], str(args[1].value), args[2])
    return NONE


def _asked(
    m: Machine, name: str, ask: Callable[[Value, Value], bool | None], args: Args, place: Place, frame: Frame
) -> Value:
    """isinstance or issubclass of the first argument, whose alternatives are asked one by one."""
    if len(args) != 2:
        return m.unknown(f"{name}()")
    if isinstance(args[0], Choice):
        return choose([(g, _asked(m, name, ask, [v, args[1]], place, frame)) for g, v in args[0].alts])
    classes = args[1].items if isinstance(args[1], TupleV) else (args[1],)
    results = [ask(args[0], c) for c in classes]
    if any(r is True for r in results):
        return TRUE
    if all(r is False for r in results):
        return FALSE
    return Unknown(f"{name}()", None, isinstance(args[0], Unknown) and args[0].config)


def _isinstance(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return _asked(m, "isinstance", kinds.is_instance, args, place, frame)


def _issubclass(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return _asked(m, "issubclass", kinds.is_subclass, args, place, frame)


def _question(name: str) -> Function:
    """callable(x), inspect.isclass(x)."""

    def ask(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
        if len(args) != 1:
            return m.unknown(f"{name}()")
        if isinstance(args[0], Choice):
            return choose([(g, ask(m, [v], {}, place, frame)) for g, v in args[0].alts])
        found = kinds.QUESTIONS[name](args[0])
        return m.unknown(f"{name}()", args[0]) if found is None else TRUE if found else FALSE

    return ask


def _sum(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if not args:
        return m.unknown("sum()")
    from torchlosslint.flow.operators import binary

    items = flat(elements(m, args[0], place).items)
    if not items:
        return Const(0)
    total = items[0]
    for item in items[1:8]:
        total = binary(m, "+", total, item, place, frame)
    if len(items) == 1 and isinstance(total, Tensor):
        total = binary(m, "+", total, total, place, frame)
    return total


def _extreme(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return m.unknown("min() or max()")


def _number(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    value = args[0] if args else Const(0)
    if isinstance(value, Tensor) or (isinstance(value, Unknown) and not value.config):
        # A whole number; which one is not known.
        return SymInt(("int", uid_of(value), origin(value)), 0) if len(args) == 1 else m.unknown("a number")
    if isinstance(value, Const):
        try:
            number = value.value if isinstance(value.value, (int, float)) else str(value.value)
            return constant(m, int(number))
        except (ValueError, OverflowError):
            return m.unknown("a number")
    return value


def _float(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    value = args[0] if args else Const(0.0)
    if isinstance(value, Const) and isinstance(value.value, (int, float)):
        return Const(float(value.value))  # at most 256 bits
    return m.unknown("a number", value)


def _str(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    value = args[0] if args else Const("")
    return constant(m, str(value.value)) if isinstance(value, Const) else m.unknown("a string", value)


def _bool(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return choose([(g, TRUE if b else FALSE) for g, b in m.truth(args[0])]) if args else FALSE


def _map(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if len(args) < 2:
        return m.unknown("map()")
    from torchlosslint.flow.loops import counted

    several = len(args) > 2
    source = ExtObj("builtins.zip", tuple(args[1:]), {}, place) if several else args[1]
    rows: list[Value] = []
    for item in counted(m, source, place).items:
        group = item.items if isinstance(item, StarV) else (item,)
        given = [list(v.items) if several and isinstance(v, TupleV) else [v] for v in group]
        results = tuple(m.call(args[0], v, {}, place, frame) for v in given)
        rows.append(StarV(results) if isinstance(item, StarV) else results[0])
    out = ListV(place)
    m.write(out.attrs, "items", TupleV(tuple(rows)))
    return out


def _next(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if args and not isinstance(args[0], Unknown):
        items = flat(elements(m, args[0], place).items)
        if items and all(v == items[0] for v in items):
            return items[0]
    return m.unknown("next()", args[0] if args else None)


def _first(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return args[0] if args else NONE


def _type(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    if args and isinstance(args[0], Instance):
        return args[0].cls
    if args and isinstance(args[0], ExtObj):
        return External(args[0].qual)
    return m.unknown("type()")


def _globals(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    out = DictV(place)
    for name, value in list(frame.module.globals.items()):
        out.attrs[("k", name)] = value
    return out


def _eval(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    """`eval("Name")` and `eval("nn.Name")`: a dotted name is looked up, nothing else is followed."""
    if args and isinstance(args[0], Const) and isinstance(args[0].value, str):
        parts = args[0].value.strip().removesuffix("()").split(".")
        if all(p.isidentifier() for p in parts):
            value = lookup(m, parts[0], frame)
            for part in parts[1:]:
                value = m.get_attr(value, part, place)
            return m.call(value, [], {}, place, frame) if args[0].value.strip().endswith("()") else value
    return m.unknown("eval()")


def _object(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return ExtObj("builtins.object", (), {}, place)


_BUILTINS: dict[str, Function] = {
    "len": _len,
    "super": _super,
    "list": _list,
    "set": _set,
    "sorted": _list,
    "ord": _ord,
    "hash": _ord,
    "tuple": _tuple,
    "dict": _dict,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "setattr": _setattr,
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "callable": _question("callable"),
    "sum": _sum,
    "min": _extreme,
    "max": _extreme,
    "int": _number,
    "round": _number,
    "float": _float,
    "str": _str,
    "bool": _bool,
    "map": _map,
    "next": _next,
    "iter": _first,
    "abs": lambda m, a, k, p, f: (
        FUNCTIONS["torch.abs"](_op(a, p)) if a and isinstance(a[0], Tensor) else m.unknown("abs()")
    ),
    "type": _type,
    "globals": _globals,
    "vars": lambda m, a, k, p, f: m.unknown("vars()"),
    "locals": lambda m, a, k, p, f: m.unknown("locals()"),
    "eval": _eval,
    "object": _object,
    "filter": lambda m, a, k, p, f: _list(m, a[1:], k, p, f) if len(a) == 2 else m.unknown("filter()"),
}


def _op(args: Args, place: Place) -> OpCall:
    return OpCall(args, {}, place)


def _namespace(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    """SimpleNamespace, EasyDict, Munch: a dict that is read by attribute."""
    out = _dict(m, args, kwargs, place, frame)
    if isinstance(out, DictV):
        m.write(out.attrs, "namespace", TRUE)
    return out


def _namedtuple(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    names: tuple[str, ...] = ()
    if len(args) > 1:
        fields = args[1]
        held = content(m, fields)
        if isinstance(fields, Const):
            names = tuple(str(fields.value).replace(",", " ").split())
        elif isinstance(held, TupleV):
            names = tuple(str(v.value) for v in held.items if isinstance(v, Const))
    return ExtObj("collections.namedtuple", tuple(Const(n) for n in names), {}, place)


def _reduce(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    return m.unknown("functools.reduce()")


def _import_module(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    name = args[0] if args else None
    if isinstance(name, Const) and isinstance(name.value, str) and not name.value.startswith("."):
        found = m.program.find(name.value, frame.module)
        if found is not None:
            m.import_module(found)
            return ModuleV(found)
        return External(normalise(name.value))
    return Unknown("importlib.import_module() with an unknown name")


def _field(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    """dataclasses.field: its default, or what its factory makes."""
    if "default_factory" in kwargs:
        return m.call(kwargs["default_factory"], [], {}, place, frame)
    return kwargs.get("default", m.unknown("a field of a dataclass"))


def _deepcopy(m: Machine, args: Args, kwargs: Kwargs, place: Place, frame: Frame) -> Value:
    made: dict[int, Value] = {}
    out = copied(args[0], made) if args else NONE
    m.spend(len(made))
    return out


KNOWN_CALLS: dict[str, Function] = {
    "sklearn.utils.class_weight.compute_class_weight": computed,
    "sklearn.utils.compute_class_weight": computed,
    "copy.deepcopy": _deepcopy,
    "copy.copy": _first,
    "dataclasses.field": _field,
    "collections.OrderedDict": _dict,
    "collections.defaultdict": lambda m, a, k, p, f: _dict(m, a[1:], k, p, f),
    "collections.deque": _list,
    "collections.namedtuple": _namedtuple,
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
    "easydict.EasyDict": _namespace,
    "munch.Munch": _namespace,
    "functools.reduce": _reduce,
    "functools.wraps": lambda m, a, k, p, f: External("torch.compile"),
    "functools.lru_cache": lambda m, a, k, p, f: (
        a[0] if a and isinstance(a[0], (Func, Bound)) else External("torch.compile")
    ),
    "importlib.import_module": _import_module,
    "inspect.isclass": _question("inspect.isclass"),
    "inspect.isfunction": _question("inspect.isfunction"),
    "itertools.chain": lambda m, a, k, p, f: ExtObj("itertools.chain", tuple(a), k, p),
}
