"""Abstract values without parts: unknowns, constants, numbers, and tensors with the steps that made them.

The other values, and these again, are in `values`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from torchlosslint.flow.domain import ANY, Domain

_uids = count(1)


def fresh_uid() -> int:
    """A new identity for the numbers of a tensor."""
    return next(_uids)


class Place(NamedTuple):
    """Where in the source: a file as the program knows it and a node's ordinal."""

    path: str
    o: int


class Step:
    """One step of how a value came about; a linked list, newest first. `dom`: what the numbers
    are after the step, None where it only hands them on. `layer`: the module that took the step
    (or one that was made alike)."""

    __slots__ = ("prev", "place", "note", "dom", "layer")

    def __init__(
        self,
        prev: Step | None,
        place: Place,
        note: str,
        dom: Domain | None = None,
        layer: Value | None = None,
    ) -> None:
        self.prev = prev
        self.place = place
        self.note = note
        self.dom = dom
        self.layer = layer

    def __iter__(self) -> Iterator[Step]:
        step: Step | None = self
        while step is not None:
            yield step
            step = step.prev


MAX_PARTS = 2_048  # of an immutable value, those of its parts included: comparing and hashing walk them all
MAX_NESTING = 24
MAX_KEY = 32  # unknowns that the key of an unknown is made of


class Value:
    """Base of all abstract values.

    parts, nesting: how many values an immutable value holds, and how deep; 0 where it has none. What
    is shared counts every time: `x = (x, x)` doubles both the parts and the time of a comparison."""

    __slots__ = ()
    parts = 0
    nesting = 0


class Unknown(Value):
    """Nothing is known. `reason` says why (for the count of unjudged losses); `key`
    names an immutable source, so that two reads of `args.loss` are the same unknown.

    `config`: it is a choice of whoever runs the program (a parameter, an option). `mixed`: it stands for
    another unknown as well, which ways that met had made; outside equality.
    """

    __slots__ = ("reason", "key", "config", "size", "mixed")

    def __init__(self, reason: str, key: object = None, config: bool = False, size: int = 1) -> None:
        self.reason = reason
        self.key = key if key is not None else ("u", fresh_uid())
        self.config = config
        self.size = size  # unknowns that the key is made of
        self.mixed = False

    def derived(self, tag: str, *what: object) -> Unknown:
        """What comes out of it in one way: the same unknown each time, unless the way is very long."""
        size = self.size + 1
        for part in what:
            if type(part) is Unknown:
                size += part.size
        if size > MAX_KEY:
            return Unknown(self.reason, None, self.config)
        return Unknown(self.reason, (tag, self.key, *what), self.config, size).of_several(self.mixed)

    def of_several(self, mixed: bool = True) -> Unknown:
        """The same, where it stands for another unknown as well."""
        if self.mixed or not mixed:
            return self
        twin = Unknown(self.reason, self.key, self.config, self.size)
        twin.mixed = True
        return twin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"?{self.reason}"


COUNTER = "a loop counter"  # the reason of an unknown that is a whole number


class Const(Value):
    """A known Python constant: None, bool, int, float or str."""

    __slots__ = ("value",)

    def __init__(self, value: bool | int | float | str | None) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Const) and type(self.value) is type(other.value) and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))

    def __repr__(self) -> str:
        return repr(self.value)


NONE = Const(None)
TRUE = Const(True)
FALSE = Const(False)


class SymInt(Value):
    """`base + offset`, where `base` is an unknown whole number (a length, a bound)."""

    __slots__ = ("base", "offset")

    def __init__(self, base: object, offset: int = 0) -> None:
        self.base = base
        self.offset = offset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymInt) and (self.base, self.offset) == (other.base, other.offset)

    def __hash__(self) -> int:
        return hash((self.base, self.offset))


class Dots:
    """Stands for any number of leading dimensions in a shape."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "..."


DOTS = Dots()


class Flat(int):
    """The size of a dimension into which several were flattened; `parts` are their sizes, in order."""

    parts: tuple[Any, ...] = ()


class Ragged(int):
    """The number of samples of a batch, of which the last one may have fewer."""


# A product of symbols and numbers is a symbol with "*" between them ("N*20").
# A shape: sizes from left to right; None is an unknown size, a str a symbolic one, DOTS (only
# first) any number of leading sizes. A shape of None: nothing known.
Shape = tuple[Any, ...]
Roots = frozenset[tuple[str, Any]]
NO_ROOTS: Roots = frozenset()
MAX_ROOTS = 128  # of more, none is known
VAGUE: tuple[str, Any] = ("unknown", 0)  # a root: part of the way of the gradient is not known
CPU, MOVED = "cpu", "moved"  # devices of tensors
MIXED = ("mixed",)  # `part_of` of what may be part of one thing or of another


class Tensor(Value):
    """A tensor (or an array): domain x dtype x shape x gradient x role.

    dtype: "float32", "int64", "bool", ...; "float" for some floating type; None unknown.
    grad: True where a gradient flows to trained parameters, False where it is cut, None unknown.
    cut: what cut the gradient ("detach()", "argmax"), "" otherwise.
    role: "" | "model" (came out of a network) | "data" | "noise".
    of: for a reduction, (uid of what was reduced, dim), so that `e / e.sum(1)` is seen.
    roots: what its gradient leads through: ("loss", place), ("sum", place) of an accumulation,
        ("module", serial) of the outermost modules, ("leaf", uid) of parameters; ("dead", place) of a
        loss in it that no gradient leads through. Empty where none is known or the gradient is cut.
        Stands outside equality; a join keeps both sides'.
    part_of: the origin of the data that this is part, or another form, of (see flow.origins); None for
        itself. Stands outside equality; a join of two makes it MIXED.
    device: CPU where it was made there and never moved; a guard where it came out of a module that is on
        an accelerator where the guard holds; MOVED where it was moved itself; "" unknown. Outside
        equality; unequal ones join to "".
    """

    __slots__ = (
        *("dom", "dtype", "shape", "grad", "cut", "role", "trail", "uid", "of", "roots"),
        *("part_of", "device"),
    )

    def __init__(
        self,
        dom: Domain = ANY,
        dtype: str | None = None,
        shape: Shape | None = None,
        grad: bool | None = None,
        cut: str = "",
        role: str = "",
        trail: Step | None = None,
        uid: int | None = None,
        of: tuple[int, int | None] | None = None,
        roots: Roots = NO_ROOTS,
    ) -> None:
        self.dom = dom
        self.dtype = dtype
        self.shape = shape
        self.grad = grad
        self.cut = cut
        self.role = role
        self.trail = trail
        self.uid = uid if uid is not None else fresh_uid()
        self.of = of
        self.roots = roots if len(roots) <= MAX_ROOTS else frozenset((VAGUE,))
        self.part_of: object = None
        self.device: object = ""

    def with_(self, **changes: Any) -> Tensor:
        """A copy with some fields changed; keeps the identity and `part_of` unless `uid` is given."""
        new = Tensor.__new__(Tensor)
        new.dom = self.dom
        new.dtype = self.dtype
        new.shape = self.shape
        new.grad = self.grad
        new.cut = self.cut
        new.role = self.role
        new.trail = self.trail
        new.uid = self.uid
        new.of = self.of
        new.roots = self.roots
        new.part_of = None if "uid" in changes else self.part_of
        new.device = self.device
        for name, value in changes.items():
            setattr(new, name, value)
        if new.uid is None:  # what is asked for where the numbers are others
            new.uid = fresh_uid()
        if len(new.roots) > MAX_ROOTS:
            new.roots = frozenset((VAGUE,))
        return new

    @property
    def origin(self) -> Step | None:
        """The last step that said what the numbers are: the layer or activation behind them."""
        step = self.trail
        while step is not None and step.dom is None:
            step = step.prev
        return step

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Tensor)
            and self.dom == other.dom
            and self.dtype == other.dtype
            and self.shape == other.shape
            and self.grad == other.grad
            and self.role == other.role
        )

    def __hash__(self) -> int:
        return hash((self.dom, self.dtype, self.shape, self.grad, self.role))

    def __repr__(self) -> str:
        return f"T{self.dom}{self.shape or ''}{self.dtype or ''}"
