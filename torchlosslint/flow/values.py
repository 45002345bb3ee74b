"""Abstract values: what an expression of the analysed program may evaluate to.

Immutable values compare by content; the steps that made a value (`trail`) and its
identity (`uid`) stand outside equality, so that they never split a join or a memo.
Heap objects (`Obj` and its kin) are compared by identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlosslint.flow.tensor import (
    COUNTER as COUNTER,
    CPU as CPU,
    DOTS as DOTS,
    FALSE as FALSE,
    MAX_KEY as MAX_KEY,
    MAX_NESTING as MAX_NESTING,
    MAX_PARTS as MAX_PARTS,
    MAX_ROOTS as MAX_ROOTS,
    MIXED as MIXED,
    MOVED as MOVED,
    NO_ROOTS as NO_ROOTS,
    NONE as NONE,
    TRUE as TRUE,
    VAGUE as VAGUE,
    Const as Const,
    Dots as Dots,
    Flat as Flat,
    Place as Place,
    Ragged as Ragged,
    Roots as Roots,
    Shape as Shape,
    Step as Step,
    SymInt as SymInt,
    Tensor as Tensor,
    Unknown as Unknown,
    Value as Value,
    fresh_uid as fresh_uid,
)

if TYPE_CHECKING:
    from torchlosslint.program.module import ModuleInfo
    from torchlosslint.syntax import ir


def sized(items: tuple[Value, ...]) -> tuple[tuple[Value, ...], int, int]:
    """The parts of a value, how many they are in all and how deep; what is too large becomes unknown."""
    parts, nesting = len(items), 1
    if parts > MAX_PARTS:
        return (StarV((Unknown("a very long sequence"),)),), 1, 1
    for item in items:
        if item.parts:
            parts += item.parts
            if item.nesting >= nesting:
                nesting = item.nesting + 1
    if parts > MAX_PARTS or nesting > MAX_NESTING:
        plain = tuple([Unknown("part of something very large") if v.parts else v for v in items])
        return plain, len(plain), 1
    return items, parts, nesting


class TupleV(Value):
    """An immutable sequence of known length."""

    __slots__ = ("items", "fields", "cls", "parts", "nesting")

    def __init__(self, items: tuple[Value, ...], fields: tuple[str, ...] = (), cls: str = "") -> None:
        self.items, self.parts, self.nesting = sized(items)
        self.fields = fields  # names, for a namedtuple
        self.cls = cls

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleV) and self.items == other.items and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"({', '.join(map(repr, self.items))})"


class Attrs(dict[Any, Value]):
    """What a heap object holds; `birth` is when the object was made, in the time of identities."""

    __slots__ = ("birth",)
    birth: int


class Obj(Value):
    """Base of heap objects. `attrs` is written through the state's journal only."""

    __slots__ = ("attrs", "place", "serial", "__weakref__")

    def __init__(self, place: Place | None) -> None:
        self.attrs = Attrs()
        self.place = place
        self.serial = self.attrs.birth = fresh_uid()


class StarV(Value):
    """Inside the items of a sequence: the group `items`, any number of times (a widened loop)."""

    __slots__ = ("items", "parts", "nesting")

    def __init__(self, items: tuple[Value, ...]) -> None:
        self.items, self.parts, self.nesting = sized(items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StarV) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)


GROWN = "grown"


class ListV(Obj):
    """A list (or set, deque). attrs["items"] is a TupleV (which may hold StarVs), a Choice of
    TupleVs, or Unknown. attrs[GROWN] is there where a loop added to it any number of times: "items" is
    what it may hold, and its length is not known."""

    __slots__ = ()


class DictV(Obj):
    """A dict. attrs maps constant keys, wrapped as ("k", key), to values; attrs["open"] is TRUE
    where unknown further keys may exist, attrs["rest"] what values under unknown keys are like, and
    attrs["keyed"] pairs of such a key and its value, where all are known."""

    __slots__ = ()


class Instance(Obj):
    """An instance of a class of the analysed program."""

    __slots__ = ("cls",)

    def __init__(self, cls: ClassV, place: Place | None) -> None:
        super().__init__(place)
        self.cls = cls

    def __repr__(self) -> str:
        return f"<{self.cls.name}>"


class ExtObj(Obj):
    """An instance made by a known external callable, e.g. `torch.nn.Linear(10, 2)`.

    qual: the qualified name, normalised ("torch.nn.Linear").
    args, kwargs: what it was made with. Children of containers are in attrs.
    """

    __slots__ = ("qual", "args", "kwargs")

    def __init__(
        self, qual: str, args: tuple[Value, ...], kwargs: dict[str, Value], place: Place | None
    ) -> None:
        super().__init__(place)
        self.qual = qual
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"<{self.qual}>"


class External(Value):
    """Something of a library, by its qualified, normalised name: `torch.nn.functional.relu`."""

    __slots__ = ("qual",)

    def __init__(self, qual: str) -> None:
        self.qual = qual

    def __eq__(self, other: object) -> bool:
        return isinstance(other, External) and self.qual == other.qual

    def __hash__(self) -> int:
        return hash(self.qual)

    def __repr__(self) -> str:
        return f"<ext {self.qual}>"


class ModuleV(Value):
    """A module of the analysed program."""

    __slots__ = ("info",)

    def __init__(self, info: ModuleInfo) -> None:
        self.info = info

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModuleV) and self.info is other.info

    def __hash__(self) -> int:
        return id(self.info)


class Func(Value):
    """A function of the program: its definition, its module, the scope it closes over."""

    __slots__ = ("node", "module", "scope", "owner", "defaults", "kind", "qualname", "modes")

    def __init__(
        self,
        node: ir.FuncDef | ir.Lambda,
        module: ModuleInfo,
        scope: Any,
        owner: ClassV | None,
        defaults: dict[str, Value],
        kind: str = "",
        qualname: str = "",
    ) -> None:
        self.node = node
        self.module = module
        self.scope = scope
        self.owner = owner
        self.defaults = defaults
        self.kind = kind  # "" | "static" | "class" | "property"
        self.qualname = qualname
        self.modes: tuple[Value, ...] = ()  # decorators under which it runs: torch.no_grad() and the like

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Func)
            and self.node is other.node
            and self.scope is other.scope
            and self.defaults == other.defaults
        )

    def __hash__(self) -> int:
        return id(self.node)

    def __repr__(self) -> str:
        return f"<def {self.qualname}>"


class Bound(Value):
    """A callable with its first argument: a method of the program, of a tensor, of a library object.

    func: a Func, or the method's name (str) for tensors, lists, strings, ExtObj and Externals.
    """

    __slots__ = ("func", "self", "parts", "nesting")

    def __init__(self, func: Func | str, self_: Value) -> None:
        self.func = func
        (self.self,), self.parts, self.nesting = sized((self_,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bound) and self.func == other.func and self.self == other.self

    def __hash__(self) -> int:
        return hash((self.func, self.self if not isinstance(self.self, Obj) else id(self.self)))


class Partial(Value):
    """functools.partial."""

    __slots__ = ("func", "args", "kwargs", "parts", "nesting")

    def __init__(self, func: Value, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
        (self.func, *rest), self.parts, self.nesting = sized((func, *args[:MAX_PARTS], *kwargs.values()))
        self.args = tuple(rest[: len(rest) - len(kwargs)])
        self.kwargs = dict(zip(kwargs, rest[len(rest) - len(kwargs) :], strict=True))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Partial)
            and self.func == other.func
            and self.args == other.args
            and self.kwargs == other.kwargs
        )

    def __hash__(self) -> int:
        return hash((self.func, self.args))


class ClassV(Obj):
    """A class of the program. `mro` lists ClassV and External bases, itself first.

    attrs holds the class attributes and methods (Func values)."""

    __slots__ = ("name", "module", "node", "mro", "is_dataclass", "fields")

    def __init__(self, name: str, module: ModuleInfo, node: ir.ClassDef, place: Place) -> None:
        super().__init__(place)
        self.name = name
        self.module = module
        self.node = node
        self.mro: list[Value] = [self]
        self.is_dataclass = False
        self.fields: list[str] = []

    def bases_external(self) -> list[str]:
        """Qualified names of the library classes that it inherits from."""
        return [b.qual for b in self.mro if isinstance(b, External)]

    def __repr__(self) -> str:
        return f"<class {self.name}>"


class Super(Value):
    """`super()` inside a method: lookup starts after `after` in the MRO of `obj`."""

    __slots__ = ("obj", "after")

    def __init__(self, obj: Value, after: ClassV) -> None:
        self.obj = obj
        self.after = after


# A fact is (source key, constant or condition, polarity). A guard is a conjunction of facts.
Fact = tuple[object, object, bool]
Guard = frozenset[Fact]
NO_GUARD: Guard = frozenset()


class Choice(Value):
    """Guarded alternatives, at most `MAX_ALTERNATIVES`; never nested, never of length one."""

    __slots__ = ("alts", "parts", "nesting")

    def __init__(self, alts: tuple[tuple[Guard, Value], ...]) -> None:
        self.alts = alts
        self.parts = len(alts) + sum([v.parts for _, v in alts])
        self.nesting = 1 + max([v.nesting for _, v in alts])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and self.alts == other.alts

    def __hash__(self) -> int:
        return hash(self.alts)

    def __repr__(self) -> str:
        return " | ".join(f"{v!r}" for _, v in self.alts)


MAX_ALTERNATIVES = 8


# Unknown values of these kinds are batches of data: no gradient comes through them.
_BATCHES = (
    "comes out of a data loader",
    "parameter of a function that nothing calls",
    "a detached tensor",
)
_WAYS = frozenset({"module", "leaf", "loss", "unknown"})  # roots that a gradient leads through


def vague(value: Value | None) -> bool:
    """Whether a gradient may lead through a value in a way that is not known."""
    if isinstance(value, Tensor):
        return value.grad is not False and not any(kind in _WAYS for kind, _ in value.roots)
    if isinstance(value, Choice):
        return any(vague(v) for _, v in value.alts)
    if isinstance(value, (TupleV, StarV)):
        return any(vague(v) for v in value.items)
    return isinstance(value, Unknown) and not value.config and value.reason not in _BATCHES
