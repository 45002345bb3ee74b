"""Items of lists, dicts, tuples, module containers and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import nn_modules, tables
from torchlosslint.flow.facts import choose, equals
from torchlosslint.flow.iteration import content, flat
from torchlosslint.flow.ops import index as tensor_index
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.ops.indexing import ELLIPSIS, SliceV
from torchlosslint.flow.origins import TABLES, altered, marked
from torchlosslint.flow.state import MISSING
from torchlosslint.flow.values import (
    FALSE,
    GROWN,
    TRUE,
    Choice,
    ClassV,
    Const,
    DictV,
    External,
    ExtObj,
    Guard,
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
    from torchlosslint.flow.scope import Frame


KEYED = "keyed"
MOST_KEYED = 4


def is_whole(index: Value) -> bool:
    """Whether an index is one integer."""
    return isinstance(index, Const) and isinstance(index.value, int)


def get_item(m: Machine, obj: Value, index: Value, place: Place, frame: Frame) -> Value:
    """`obj[index]`."""
    if isinstance(obj, Choice) or isinstance(index, Choice):
        return m.distribute([obj, index], lambda vs: get_item(m, vs[0], vs[1], place, frame))
    if isinstance(obj, Tensor):
        parts = [
            ELLIPSIS if isinstance(p, Unknown) and p.key == ("opaque",) else p
            for p in (index.items if isinstance(index, TupleV) else [index])
        ]
        if obj.shape == () and is_whole(index) and obj.cut != "item()":
            m.sink.event(m, "index" if obj.role == "loss" else "picked", obj, place, frame, index=index)
        return tensor_index(obj, parts, OpCall([], {}, place, no_grad=frame.no_grad))
    if isinstance(obj, DictV):
        return _dict_item(m, obj, index)
    held = content(m, obj)
    if isinstance(held, Choice):
        return m.distribute([held], lambda vs: _sequence_item(m, obj, vs[0], index, place))
    if held is not None:
        if isinstance(index, Const) and isinstance(index.value, str):
            named = nn_modules.child_by_name(m, obj, index.value)
            if named is not None:
                return named
        return _sequence_item(m, obj, held, index, place)
    if isinstance(obj, Unknown):
        written = None
        if isinstance(index, Const):
            written = m.overlay.get((obj.key, ("item", index)))
            if m.outside is not None:
                m.outside.append((m.overlay, (obj.key, ("item", index)), written))
        if written is not None:
            return m.read(written)
        if isinstance(index, (Const, Unknown)):
            return obj.derived("item", index.value if isinstance(index, Const) else index)
        rows = marked(Unknown(obj.reason, None, obj.config), obj)
        return rows if isinstance(index, (SymInt, SliceV)) else Unknown(obj.reason, None, obj.config)
    if (
        isinstance(obj, Const)
        and isinstance(obj.value, str)
        and isinstance(index, Const)
        and isinstance(index.value, int)
    ):
        return (
            Const(obj.value[index.value])
            if -len(obj.value) <= index.value < len(obj.value)
            else m.unknown("a character")
        )
    if isinstance(obj, Instance):
        from torchlosslint.flow.attributes import find_special

        method = find_special(obj, "__getitem__")
        if method is not None:
            return m.call(method, [index], {}, place, frame)
    if isinstance(obj, External):
        if obj.qual.endswith(".__dict__"):
            base = obj.qual[: -len(".__dict__")]
            return External(f"{base}.{index.value}") if isinstance(index, Const) else External(f"{base}.*")
        return obj  # a subscripted generic: List[int]
    if isinstance(obj, ExtObj):
        return nn_modules.item(m, obj, index, place)
    if isinstance(obj, ClassV):
        return obj
    return m.unknown("an item of something unknown")


def _dict_item(m: Machine, obj: DictV, index: Value) -> Value:
    if isinstance(index, Const):
        value = obj.attrs.get(("k", index.value))
        if value is not None:
            return m.read(value)
        keyed = obj.attrs.get(KEYED)
        if isinstance(keyed, TupleV):
            return m.read(_written_under(keyed, index))
        if "rest" in obj.attrs:
            return m.read(obj.attrs["rest"])
        return Unknown("a key that was never assigned", ("item", obj.serial, index.value))
    if isinstance(index, Unknown):
        options: list[tuple[frozenset[object], Value]] = []
        for key, value in obj.attrs.items():
            if isinstance(key, tuple) and key[0] == "k":
                guard = equals(index, key[1], True)
                if m.consistent(guard):
                    options.append((guard, value))
        if "rest" in obj.attrs:
            options.append((frozenset(), obj.attrs["rest"]))
        if "open" not in obj.attrs and options and len(options) <= 12:
            return m.read(choose(options))  # type: ignore[arg-type]
    return Unknown("an item under an unknown key")


def _written_under(keyed: TupleV, index: Const) -> Value:
    """What was written under unknown keys, as far as they may be this one."""
    from torchlosslint.flow.facts import alternatives, equals

    options: list[tuple[Guard, Value]] = []
    for pair in keyed.items:
        if isinstance(pair, TupleV) and isinstance(key := pair.items[0], Unknown):
            options.extend(alternatives(pair.items[1], equals(key, index.value, True)))
    return choose(options) if options else Unknown("a key that was never assigned")


def _keep_key(m: Machine, obj: DictV, index: Value, value: Value, first: bool) -> None:
    """Note which value was written under which unknown key, where that is known of all of them."""
    known = obj.attrs.get(KEYED)
    if isinstance(index, Unknown) and (first or isinstance(known, TupleV)):
        pairs = [p for p in (known.items if isinstance(known, TupleV) else ()) if isinstance(p, TupleV)]
        others = [p for p in pairs if p.items[0] != index]
        same = [p.items[1] for p in pairs if p.items[0] == index]
        # One unknown may stand for the keys of several rounds of a loop.
        value = choose([(frozenset(), v) for v in (*same, value)])
        if len(others) < MOST_KEYED:
            m.write(obj.attrs, KEYED, TupleV((*others, TupleV((index, value)))))
            return
    if known is not None:
        m.write(obj.attrs, KEYED, MISSING)


def _sequence_item(m: Machine, obj: Value, held: Value, index: Value, place: Place) -> Value:
    if not isinstance(held, TupleV):
        return m.unknown("an item of an unknown sequence")
    items = held.items
    starred = any(isinstance(v, StarV) for v in items)
    if isinstance(index, Const) and isinstance(index.value, int) and not isinstance(index.value, str):
        i = int(index.value)
        if not starred:
            return m.read(items[i]) if -len(items) <= i < len(items) else m.unknown("an index out of range")
        edge = items[: i + 1] if i >= 0 else items[i:]
        if len(edge) == (i + 1 if i >= 0 else -i) and not any(isinstance(v, StarV) for v in edge):
            return m.read(items[i])
        if i == -1 and isinstance(items[-1], StarV):
            return items[-1].items[-1]
    if isinstance(index, SymInt) and index.offset == -1 and items and not isinstance(items[-1], StarV):
        if index.base == ("len", id(held)):
            return m.read(items[-1])
    if isinstance(index, SliceV):
        return _slice(m, obj, items, index, starred, place)
    pool = flat(list(items))
    if not pool or len(pool) > 16:
        return m.unknown("an item under an unknown index")
    if isinstance(index, Unknown) and not starred:
        return m.read(choose([(equals(index, i, True), v) for i, v in enumerate(pool)]))
    first = pool[0]
    if all(v == first for v in pool):
        return first
    one = m.unknown("an item under an unknown index")
    return marked(one, obj) if starred and isinstance(index, SymInt) else one


def _slice(
    m: Machine, obj: Value, items: tuple[Value, ...], index: SliceV, starred: bool, place: Place
) -> Value:
    bounds = []
    for part in (index.start, index.stop, index.step):
        value = part.value if isinstance(part, Const) else None
        if not isinstance(part, Const) or not (value is None or isinstance(value, int)):
            return m.unknown("a slice with unknown bounds")
        bounds.append(value)
    if isinstance(obj, ListV) and GROWN in obj.attrs and not starred:
        cut = (StarV(items),) if items else items
    elif starred:
        tail = bounds[1] if bounds[0] in (None, 0) and bounds[2] is None else None
        if tail is not None and tail < 0 and not any(isinstance(v, StarV) for v in items[tail:]):
            cut = items[:tail]
        elif bounds == [None, None, None]:
            cut = items
        elif (
            bounds[1] is None
            and bounds[2] is None
            and bounds[0] is not None
            and bounds[0] >= 0
            and not any(isinstance(v, StarV) for v in items[: bounds[0]])
        ):
            cut = items[bounds[0] :]
        else:
            return marked(m.unknown("a slice of a list of unknown length"), obj)
    else:
        try:
            cut = items[bounds[0] : bounds[1] : bounds[2]]
        except ValueError:
            return m.unknown("a slice with step zero")
    if isinstance(obj, TupleV):
        return TupleV(cut)
    out: Obj = ListV(place)
    if isinstance(obj, (ExtObj, Instance)):
        qual = obj.qual if isinstance(obj, ExtObj) else "torch.nn.Sequential"
        out = ExtObj(qual, (), {}, place)
    m.write(out.attrs, "items", TupleV(cut))
    return out


def set_item(m: Machine, obj: Value, index: Value, value: Value, place: Place, frame: Frame) -> None:
    """`obj[index] = value`."""
    if isinstance(obj, Choice):
        for guard, alt in obj.alts:
            if m.consistent(guard):
                set_item(m, alt, index, value, place, frame)
        return
    if isinstance(obj, DictV):
        if isinstance(index, Const):
            m.write(obj.attrs, ("k", index.value), value)
        else:
            m.write(obj.attrs, "open", TRUE)
            old = obj.attrs.get("rest")
            _keep_key(m, obj, index, value, old is None)
            m.write(
                obj.attrs,
                "rest",
                value if old is None else choose([(frozenset(), old), (frozenset(), value)]),
            )
        return
    if isinstance(obj, Unknown):
        altered(m, obj)
        if isinstance(index, Const):
            m.write(m.overlay, (obj.key, ("item", index)), value)
        return
    held = content(m, obj)
    if isinstance(obj, ListV):
        altered(m, obj)
    if isinstance(obj, Obj) and isinstance(held, TupleV) and not isinstance(obj, ClassV):
        if isinstance(index, Const) and isinstance(index.value, str):
            nn_modules.assign_attribute(m, obj, index.value, value)
            return
        i = index.value if isinstance(index, Const) and isinstance(index.value, int) else None
        if isinstance(index, SymInt) and index.offset == -1 and index.base == ("len", id(held)):
            i = -1
        if i is not None and -len(held.items) <= i < len(held.items):
            before = held.items[: i + 1] if i >= 0 else held.items[i:]
            if not any(isinstance(v, StarV) for v in before):
                items = list(held.items)
                items[i] = value
                m.write(obj.attrs, "items", TupleV(tuple(items)))
                if "one_hot" in obj.attrs:
                    m.write(obj.attrs, "one_hot", FALSE)
                return
        # Zeros of which one becomes a 1 are a one-hot row, until more is written.
        fresh = "one_hot" not in obj.attrs and value == Const(1) and all(v == Const(0) for v in held.items)
        if fresh or "one_hot" in obj.attrs:
            m.write(obj.attrs, "one_hot", TRUE if fresh and isinstance(index, (SymInt, Unknown)) else FALSE)
        m.spend(len(held.items))
        mixed = tuple(_mixed(v, value) for v in held.items)
        m.write(
            obj.attrs, "items", TupleV(mixed) if held.items else m.unknown("written under an unknown index")
        )
        return
    if isinstance(obj, ExtObj):
        altered(m, tables.whole(obj), index if obj.qual in TABLES else None, value)
        nn_modules.assign_item(m, obj, index, value)
    elif isinstance(obj, Instance):
        from torchlosslint.flow.attributes import find_special

        method = find_special(obj, "__setitem__")
        if method is not None:
            m.call(method, [index, value], {}, place, frame)


def _mixed(old: Value, new: Value) -> Value:
    """An element that may have been written: the one that was there, or the new one."""
    if isinstance(old, StarV):
        return StarV(tuple(_rewritten(v, new) for v in old.items))
    return choose([(frozenset(), old), (frozenset(), new)])


def _rewritten(old: Value, new: Value) -> Value:
    """One of any number of elements, of which some were written: what held their places is gone."""
    if old == new or isinstance(old, Const):
        return new if not isinstance(new, Const) else choose([(frozenset(), old), (frozenset(), new)])
    return Unknown("one of several elements")


def delete_attr(m: Machine, obj: Value, name: str) -> None:
    """`del obj.name`."""
    if isinstance(obj, (Instance, ExtObj)) and name in obj.attrs:
        m.write(obj.attrs, name, MISSING)


def delete_item(m: Machine, obj: Value, index: Value) -> None:
    """`del obj[index]`."""
    if isinstance(obj, DictV) and isinstance(index, Const):
        m.write(obj.attrs, ("k", index.value), MISSING)
        return
    held = content(m, obj)
    if isinstance(obj, Obj) and isinstance(held, TupleV):
        if (
            isinstance(index, Const)
            and isinstance(index.value, int)
            and -len(held.items) <= index.value < len(held.items)
        ):
            if GROWN in obj.attrs:
                return
            items = list(held.items)
            del items[index.value]
            m.write(obj.attrs, "items", TupleV(tuple(items)))
        else:
            m.write(obj.attrs, "items", m.unknown("deleted under an unknown index"))
