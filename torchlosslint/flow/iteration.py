"""What comes out of iterating and unpacking a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.datasets import LOADERS, batch
from torchlosslint.flow.facts import alternatives, choose
from torchlosslint.flow.ops import index as tensor_index
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.ops.indexing import row
from torchlosslint.flow.origins import TABLES, marked
from torchlosslint.flow.values import (
    GROWN,
    TRUE,
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
    Place,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

MAX_UNROLL = 32


def grows(m: Machine, obj: Obj, before: Obj | None = None) -> None:
    """Something is added to a list (or `before`, to make it): in a loop that is not unrolled any
    number of times, so that from now on nothing is known of its length."""
    if type(obj) is not ListV or GROWN in obj.attrs:
        return
    old = obj.attrs if before is None else before.attrs
    if GROWN in old or (m.widening and old.birth < m.widening[-1]):
        m.write(obj.attrs, GROWN, TRUE)


class Elements:
    """Elements in order. known: the list where the length is known; otherwise `groups`, where a
    StarV stands for any number of repetitions of its group. sym: an identity for the length."""

    __slots__ = ("items", "length_key")

    def __init__(self, items: list[Value], length_key: object = None) -> None:
        self.items = items
        self.length_key = length_key

    @property
    def known(self) -> bool:
        """Whether the number of elements is known."""
        return not any(isinstance(v, StarV) for v in self.items)


def content(m: Machine, value: Value) -> Value | None:
    """The TupleV (or Choice of them, or Unknown) behind a list-like value; None if it is not one."""
    if isinstance(value, TupleV):
        return value
    if isinstance(value, Obj) and not isinstance(value, (DictV, ClassV)) and "items" in value.attrs:
        return m.read(value.attrs["items"])
    return None


def elements(m: Machine, value: Value, place: Place) -> Elements:
    """What a loop over the value sees; unknown iterables give one repeated unknown element."""
    held = content(m, value)
    if isinstance(held, Choice):
        # The longest of several, one of unknown length before all.
        held = max(
            (v for _, v in held.alts if isinstance(v, TupleV)),
            key=lambda v: (_starred(v), len(v.items)),
            default=None,
        )
    if isinstance(held, TupleV):
        if type(value) is ListV and GROWN in value.attrs and not _starred(held):
            group = held.items or (m.unknown("an element of a list that grows"),)
            return Elements([StarV(group)], ("len", id(held)))
        return Elements(list(held.items), ("len", id(held)))
    if isinstance(value, Choice) and all(isinstance(v, DictV) for _, v in value.alts):
        # One of several dicts: their keys, where they have the same.
        sets = {tuple(k for k in v.attrs if type(k) is tuple) for _, v in value.alts}  # type: ignore[attr-defined]
        value = value.alts[0][1] if len(sets) == 1 else value
    if isinstance(value, DictV):
        keys: list[Value] = [Const(k[1]) for k in value.attrs if isinstance(k, tuple) and k[0] == "k"]
        if "open" in value.attrs:
            keys.append(StarV((m.unknown("key of a dict"),)))
        return Elements(keys, ("len", value.serial))
    if isinstance(value, Const) and isinstance(value.value, str) and len(value.value) <= MAX_UNROLL:
        return Elements([Const(c) for c in value.value])
    if isinstance(value, Tensor):
        # Rows of a tensor, as many as dimension 0 has.
        return Elements([StarV((row(value),))], ("len", value.uid))
    if isinstance(value, Instance):
        got = _instance(m, value, place)
        if got is not None:
            return got
    if isinstance(value, ExtObj) and value.qual in _WRAPPED_LOADERS and value.args:
        return elements(m, value.args[0], place)
    if isinstance(value, ExtObj) and value.qual in LOADERS:
        return Elements([StarV((batch(m, value, place),))], ("len", value.serial))
    key: object = (
        value.serial if isinstance(value, Obj) else value.key if isinstance(value, Unknown) else id(value)
    )
    reason = value.reason if isinstance(value, Unknown) else "comes out of an iterable"
    one = Unknown(reason if "parameter" not in reason else "comes out of an iterable")
    if isinstance(value, Unknown) or (isinstance(value, ExtObj) and value.qual in TABLES):
        one = marked(one, value)
    return Elements([StarV((one,))], ("len", key))


_WRAPPED_LOADERS = frozenset(
    {"tqdm.tqdm", "tqdm.auto.tqdm", "tqdm.notebook.tqdm", "tqdm.trange", "rich.progress.track"}
)


def _instance(m: Machine, value: Instance, place: Place) -> Elements | None:
    from torchlosslint.flow.attributes import find_in_class

    method = find_in_class(value.cls, "__iter__")
    if isinstance(method, Func) and m.frame is not None:
        result = m.call(m.get_attr(value, "__iter__", place), [], {}, place, m.frame)
        if result is not value and not isinstance(result, Instance):
            return elements(m, result, place)
        method = find_in_class(value.cls, "__next__")
        if isinstance(method, Func):
            item = m.call(m.get_attr(value, "__next__", place), [], {}, place, m.frame)
            return Elements([StarV((item,))], ("len", value.serial))
    method = find_in_class(value.cls, "__getitem__")
    if isinstance(method, Func) and m.frame is not None:
        item = m.call(m.get_attr(value, "__getitem__", place), [m.unknown("an index")], {}, place, m.frame)
        return Elements([StarV((item,))], ("len", value.serial))
    return None


def flat(items: list[Value]) -> list[Value]:
    """Elements with each repeated group taken once."""
    out: list[Value] = []
    for item in items:
        out.extend(item.items if isinstance(item, StarV) else (item,))
    return out


def length(m: Machine, value: Value) -> Value:
    """`len(value)`: a Const, a SymInt or an unknown."""
    if isinstance(value, Const) and isinstance(value.value, str):
        return Const(len(value.value))
    held = content(m, value)
    if type(value) is ListV:
        attrs = value.attrs
        if GROWN in attrs:
            return SymInt(("len", id(held)), 0)
        if m.widening and attrs.birth < m.widening[-1]:
            m.measured.add(id(attrs))
    if isinstance(held, Choice):
        sizes = {len(v.items) for _, v in held.alts if isinstance(v, TupleV) and not _starred(v)}
        if len(sizes) == 1 and all(isinstance(v, TupleV) and not _starred(v) for _, v in held.alts):
            return Const(sizes.pop())
    if isinstance(held, TupleV):
        if not _starred(held):
            return Const(len(held.items))
        return SymInt(("len", id(held)), 0)
    if isinstance(value, DictV) and "open" not in value.attrs:
        return Const(sum(1 for k in value.attrs if isinstance(k, tuple) and k[0] == "k"))
    if isinstance(value, Tensor):
        if value.shape and isinstance(value.shape[0], int):
            return Const(value.shape[0])
        return SymInt(("len", value.uid), 0)
    if isinstance(value, Unknown):
        return SymInt(("len", value.key), 0)
    if isinstance(value, Obj):
        return SymInt(("len", value.serial), 0)
    return m.unknown("a length")


def _starred(value: TupleV) -> bool:
    return any(isinstance(v, StarV) for v in value.items)


def unpacked(m: Machine, value: Value, count: int, star: int | None, place: Place) -> list[Value]:
    """`count` values out of one, the one at `star` taking the rest as a list."""
    if isinstance(value, Choice):
        live = alternatives(value, m.facts)
        columns = [(g, unpacked(m, v, count, star, place)) for g, v in live]
        return [choose([(g, c[i]) for g, c in columns]) for i in range(count)]
    held = content(m, value)
    if isinstance(held, Choice):
        return unpacked(m, held, count, star, place)
    if isinstance(held, TupleV):
        items = list(held.items)
        if _starred(held):
            pool = flat(items)
            if all(p == pool[0] for p in pool):
                items = [pool[0]] * count
            else:
                return [m.unknown("unpacked from a list of unknown length") for _ in range(count)]
        if star is None and len(items) == count:
            return items
        if star is not None and len(items) >= count - 1:
            tail = count - 1 - star
            rest = ListV(place)
            rest.attrs["items"] = TupleV(tuple(items[star : len(items) - tail]))
            return [*items[:star], rest, *(items[len(items) - tail :] if tail else [])]
        return [m.unknown("unpacked from a sequence of another length") for _ in range(count)]
    if isinstance(value, Tensor):
        if value.role == "model-tuple":
            return [value.with_(role="model") for _ in range(count)]
        if not value.shape or value.shape[0] != count:
            # A batch of unknown size into so many names: this is not how the tensor is meant.
            return [m.unknown("a tensor unpacked into names") for _ in range(count)]
        return [tensor_index(value, [Const(i)], OpCall([], {}, place)) for i in range(count)]
    if isinstance(value, Unknown):
        return [value.derived("item", i) for i in range(count)]
    if isinstance(value, (External, ExtObj, Instance)):
        got = flat(elements(m, value, place).items)
        if len(got) == count:
            return got
    return [m.unknown("unpacked from something unknown") for _ in range(count)]
