"""Which labels an array holds: an identity that survives splits, slices and conversions.

Two values with one origin are the same numbers, or some rows of them: `y_train` of a split, what a data set
gives of it, the batch of a loader, the tensor of a list. What computes other numbers, and what picks rows by
a mask or by indices (which may balance the classes), makes a new origin. Programs that count the classes of
some labels are remembered by the labels' origin (`Machine.tallies`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from torchlosslint.flow.values import (
    MIXED,
    TRUE,
    Bound,
    Choice,
    Const,
    ExtObj,
    ListV,
    Place,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

V = TypeVar("V", bound=Value)
PART = "part of"  # the first of the key of an unknown that is part of something
SOURCE = ("source",)  # under this key a table holds an unknown whose key is its origin
TABLES = frozenset({"pandas.DataFrame", "pandas.Series"})
MOST = 64  # tallies of one program

# Functions that count classes: position and name of the labels.
_LABELS: dict[str, tuple[int, str]] = {
    "collections.Counter": (0, "iterable"),
    "torch.bincount": (0, "input"),
    "numpy.bincount": (0, "x"),
    "pandas.value_counts": (0, "values"),
    "sklearn.utils.class_weight.compute_class_weight": (2, "y"),
    "sklearn.utils.compute_class_weight": (2, "y"),
    "sklearn.utils.class_weight.compute_sample_weight": (1, "y"),
    "sklearn.utils.compute_sample_weight": (1, "y"),
}
_UNIQUE: dict[str, tuple[int, str]] = {"torch.unique": (0, "input"), "numpy.unique": (0, "ar")}
COUNTING = _LABELS.keys() | _UNIQUE.keys() | {"seaborn.countplot"}
COUNTING_METHODS = frozenset({"value_counts", "bincount", "unique"})
# Methods of unknown arrays and columns after which they hold the same labels.
_SAME = frozenset(
    "to_numpy astype tolist to_list copy ravel flatten reshape squeeze get_values reset_index".split()
)


def origin(value: Value | None) -> object:
    """The identity of the labels that a value holds; None where it may be one of several, or has none."""
    if isinstance(value, Tensor):
        return None if value.part_of is MIXED else value.uid if value.part_of is None else value.part_of
    if isinstance(value, Unknown):
        return None if value.mixed else _whole(value.key)
    if isinstance(value, ListV):
        return _of_elements(value)
    if isinstance(value, ExtObj):
        source = value.attrs.get(SOURCE)
        if isinstance(source, Unknown):
            return source.key
        made_of = value.args[0] if value.qual == "pandas.Series" and value.args else None
        return value.serial if made_of is None else origin(made_of)
    if isinstance(value, Bound) and value.func == "values" and isinstance(value.self, Unknown):
        return origin(value.self)  # the array of an unknown column
    return recorded(value) if value is not None else None


def recorded(value: Value) -> object:
    """The origin of what is known to be part, or another form, of something else; None for the rest."""
    if isinstance(value, Tensor):
        return None if value.part_of is MIXED else value.part_of
    if isinstance(value, Unknown):
        whole = _whole(value.key)
        return whole if whole is not value.key and not value.mixed else None
    if isinstance(value, SymInt) and isinstance(value.base, tuple) and not value.offset:
        if value.base[0] == "label" or (value.base[0] == "int" and len(value.base) == 3):
            found: object = value.base if value.base[0] == "label" else value.base[2]
            return found
    return None


def _whole(key: object) -> object:
    """The key of what an unknown is a part of: rows of a column are part of the column of all rows."""
    if isinstance(key, tuple) and len(key) == 3:
        if key[0] == PART:
            return key[1]
        if key[0] == "attr" and key[2] == "codes":
            named = _whole(key[1])
            of_column = isinstance(named, tuple) and named[0] == "column" and named[2] == "cat"
            return named[1] if of_column and isinstance(named, tuple) else key
        if key[0] == "item" or (key[0] == "attr" and key[2] == "values"):
            inner = _whole(key[1])
            if key[0] == "attr":
                return inner
            return key if inner is key[1] else ("item", inner, key[2])
    return key


def _of_elements(value: ListV) -> object:
    """A list that holds one thing any number of times is that; any other list is itself."""
    held = value.attrs.get("items")
    if isinstance(held, TupleV) and held.items and all(isinstance(v, StarV) for v in held.items):
        found = {origin(v) for star in held.items if isinstance(star, StarV) for v in star.items}
        if len(found) == 1 and None not in found:
            return found.pop()
    return value.serial


def marked(made: V, of: Value) -> V:
    """`made`, which holds the labels of `of`, or some of them, in another form."""
    return with_origin(made, origin(of))


def with_origin(made: V, found: object) -> V:
    """A value with a known origin; a new table is written to."""
    if found is None:
        return made
    if isinstance(made, Tensor):
        return made.with_(part_of=found)  # type: ignore[return-value]
    if isinstance(made, Unknown):
        return Unknown(made.reason, (PART, found, fresh_uid()), made.config)  # type: ignore[return-value]
    if isinstance(made, ExtObj):
        made.attrs[SOURCE] = Unknown("the origin of labels", found)
    return made


def together(made: V, parts: Iterable[Value]) -> V:
    """What is put together of labels of data sets of one name is labels of such a set."""
    names = {found[1] if _of_set(found := origin(v)) else None for v in parts}  # type: ignore[index]
    if len(names) != 1 or None in names:
        return made
    return with_origin(made, ("label", names.pop(), fresh_uid()))


def _of_set(found: object) -> bool:
    return isinstance(found, tuple) and len(found) == 3 and found[0] == "label"


def column(frame: ExtObj, name: object) -> object:
    """The origin of a column of a table."""
    return ("column", origin(frame), name)


def counted(m: Machine, qual: str, args: list[Value], kwargs: dict[str, Value], place: Place) -> None:
    """A function that counts classes was called."""
    if qual == "seaborn.countplot":
        table, x = kwargs.get("data"), kwargs.get("x", args[0] if args else None)
        if isinstance(x, Const) and isinstance(table, ExtObj) and table.qual in TABLES:
            written = table.attrs.get(("item", x.value))
            remember(m, origin(written) if written is not None else column(table, x.value), place)
        elif x is not None and not isinstance(x, Const):
            remember(m, origin(x), place)
        return
    if qual in _UNIQUE and kwargs.get("return_counts") != TRUE:
        return
    position, name = _LABELS.get(qual) or _UNIQUE[qual]
    labels = args[position] if position < len(args) else kwargs.get(name)
    if labels is not None:
        remember(m, origin(labels), place)


def counted_by_method(m: Machine, obj: Value, name: str, kwargs: dict[str, Value], place: Place) -> None:
    """`labels.value_counts()`, `labels.bincount()`, `labels.unique(return_counts=True)`."""
    if name in COUNTING_METHODS and (name != "unique" or kwargs.get("return_counts") == TRUE):
        remember(m, origin(obj), place)


def of_unknown(m: Machine, callee: Unknown, kwargs: dict[str, Value], place: Place) -> Value | None:
    """A method of something unknown that counts, or that keeps the labels; None for any other."""
    key = callee.key
    if not (isinstance(key, tuple) and len(key) == 3 and key[0] == "attr"):
        return None
    obj = Unknown(callee.reason, key[1], callee.config).of_several(callee.mixed)
    if key[2] in COUNTING_METHODS:
        counted_by_method(m, obj, key[2], kwargs, place)
    return marked(Unknown(callee.reason), obj) if key[2] in _SAME else None


def remember(m: Machine, found: object, place: Place) -> None:
    """The classes of labels of this origin are counted here."""
    if found is not None and len(m.tallies) < MOST:
        m.tallies[place, found] = None


def altered(m: Machine, obj: Value, name: Value | None = None, value: Value | None = None) -> None:
    """Labels are written to, in a table under a name: what was counted before tells nothing of them any
    more, unless they are the same labels in another form."""
    if not m.tallies:
        return
    if isinstance(obj, Choice):
        for _, v in obj.alts:
            altered(m, v, name, value)
        return
    gone = origin(obj)
    if isinstance(obj, ExtObj) and isinstance(name, Const):
        gone = column(obj, name.value)
        if value is not None and origin(value) == gone:
            return
    for place, found in list(m.tallies):
        inner = found
        while inner != gone and isinstance(inner, tuple) and len(inner) == 3:
            inner = inner[1]
        if inner == gone:
            del m.tallies[place, found]
