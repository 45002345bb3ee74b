"""Methods of lists, dicts, tuples and strings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlosslint.flow import training
from torchlosslint.flow.facts import choose
from torchlosslint.flow.iteration import content, elements, grows
from torchlosslint.flow.operators import MAX_TEXT
from torchlosslint.flow.origins import altered
from torchlosslint.flow.state import MISSING
from torchlosslint.flow.values import (
    GROWN,
    NONE,
    TRUE,
    Choice,
    Const,
    DictV,
    ListV,
    Obj,
    Place,
    StarV,
    TupleV,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame


def call(
    m: Machine, obj: Value, name: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """A method of a Python value."""
    if isinstance(obj, DictV):
        return _dict_method(m, obj, name, args, kwargs, place, frame)
    if isinstance(obj, ListV):
        return list_method(m, obj, name, args, place, frame)
    if isinstance(obj, Const) and isinstance(obj.value, str):
        return _string_method(m, obj.value, name, args, place)
    if isinstance(obj, TupleV):
        if name == "_asdict":
            out = DictV(place)
            for key, value in zip(obj.fields, obj.items, strict=False):
                m.write(out.attrs, ("k", key), value)
            return out
        if name == "keys":
            return TupleV(tuple(Const(f) for f in obj.fields))
        if (
            name in ("get", "to_tuple")
            and args
            and isinstance(args[0], Const)
            and args[0].value in obj.fields
        ):
            return m.read(obj.items[obj.fields.index(str(args[0].value))])
        if name == "to_tuple":
            return obj
    return m.unknown(f"a method: {name}")


_ADDING = frozenset({"append", "add", "appendleft", "extend", "update", "insert"})
_WRITING = frozenset("append add appendleft extend update insert pop popleft remove clear".split())


def list_method(m: Machine, obj: Obj, name: str, args: list[Value], place: Place, frame: Frame) -> Value:
    """A method of a list, or of a module container with one."""
    held = content(m, obj)
    if name in _ADDING and args:
        grows(m, obj)
    if name in _WRITING:
        altered(m, obj)
    if name in ("append", "add", "appendleft") and args:
        added = training.kept(m, held, args[0], place, frame) if held is not None else args[0]
        _grow(m, obj, held, (added,), front=name == "appendleft")
        if name == "add":
            make_set(m, obj)
        return NONE
    if name in ("extend", "update") and args:
        more = content(m, args[0])
        if more is None:
            more = TupleV(tuple(elements(m, args[0], place).items))
        if isinstance(more, Choice) and isinstance(held, TupleV):
            m.write(
                obj.attrs,
                "items",
                choose(
                    [(g, TupleV(held.items + v.items) if isinstance(v, TupleV) else v) for g, v in more.alts]
                ),
            )
        elif isinstance(more, TupleV):
            _grow(m, obj, held, more.items)
        else:
            m.write(obj.attrs, "items", m.unknown("extended by an unknown sequence"))
        if name == "update":
            make_set(m, obj)
        return NONE
    if name == "insert" and len(args) == 2:
        at = args[0].value if isinstance(args[0], Const) else None
        if (
            isinstance(held, TupleV)
            and isinstance(at, int)
            and not any(isinstance(v, StarV) for v in held.items)
        ):
            items = list(held.items)
            items.insert(at, args[1])
            m.write(obj.attrs, "items", TupleV(tuple(items)))
        else:
            m.write(obj.attrs, "items", m.unknown("inserted at an unknown place"))
        return NONE
    if name in ("pop", "popleft"):
        if isinstance(held, TupleV) and held.items and not isinstance(held.items[-1], StarV):
            at = args[0].value if args and isinstance(args[0], Const) else 0 if name == "popleft" else -1
            if (
                isinstance(at, int)
                and -len(held.items) <= at < len(held.items)
                and not isinstance(held.items[at], StarV)
            ):
                if GROWN in obj.attrs:
                    return m.read(held.items[at])
                items = list(held.items)
                value = items.pop(at)
                m.write(obj.attrs, "items", TupleV(tuple(items)))
                return m.read(value)
        m.write(obj.attrs, "items", m.unknown("something was popped"))
        return m.unknown("popped from a list")
    if name in ("reverse", "sort", "remove", "clear"):
        if name == "reverse" and isinstance(held, TupleV):
            m.write(obj.attrs, "items", TupleV(tuple(reversed(held.items))))
        elif name == "clear":
            m.write(obj.attrs, "items", TupleV(()))
            if GROWN in obj.attrs:
                m.write(obj.attrs, GROWN, MISSING)
        else:
            m.write(obj.attrs, "items", m.unknown(f"a list after .{name}()"))
        return NONE
    if name == "copy":
        out = ListV(place)
        m.write(out.attrs, "items", held if held is not None else TupleV(()))
        if GROWN in obj.attrs:
            m.write(out.attrs, GROWN, TRUE)
        return out
    return m.unknown(f"a method of a list: {name}")


def make_set(m: Machine, obj: Obj) -> None:
    """Take what a list holds for the elements of a set: what is there once more is not counted again, and
    of unknown elements it is not known how many differ."""
    held = content(m, obj)
    if isinstance(held, TupleV):
        m.write(obj.attrs, "items", _distinct(held))
    elif isinstance(held, Choice):
        m.write(
            obj.attrs,
            "items",
            choose([(g, _distinct(v) if isinstance(v, TupleV) else v) for g, v in held.alts]),
        )


def _distinct(held: TupleV) -> TupleV:
    plain = list(dict.fromkeys(v for v in held.items if not isinstance(v, StarV)))
    groups = tuple(v for v in held.items if isinstance(v, StarV))
    if len(plain) == 1 and not groups:
        return TupleV((plain[0],))
    known = tuple(v for v in plain if isinstance(v, (Const, Obj)))
    other = tuple(v for v in plain if not isinstance(v, (Const, Obj)))
    return TupleV((*known, *((StarV(other),) if other else ()), *groups))


def _grow(m: Machine, obj: Obj, held: Value | None, more: tuple[Value, ...], front: bool = False) -> None:
    if isinstance(held, TupleV):
        if len(held.items) > 256:
            if not isinstance(held.items[-1], StarV):
                m.write(obj.attrs, "items", TupleV((*held.items, StarV(more))))
            return
        m.write(obj.attrs, "items", TupleV(more + held.items if front else held.items + more))
    elif isinstance(held, Choice):
        m.write(
            obj.attrs,
            "items",
            choose([(g, TupleV(v.items + more) if isinstance(v, TupleV) else v) for g, v in held.alts]),
        )


def _dict_method(
    m: Machine, obj: DictV, name: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    from torchlosslint.flow.containers import get_item, set_item

    keys = [k for k in obj.attrs if isinstance(k, tuple) and k[0] == "k"]
    if name == "get" and args:
        if isinstance(args[0], Const):
            found = obj.attrs.get(("k", args[0].value))
            if found is not None:
                return m.read(found)
            if "open" not in obj.attrs:
                return args[1] if len(args) > 1 else NONE
        return get_item(m, obj, args[0], place, frame)
    if name in ("items", "values", "keys"):
        rows: list[Value] = []
        for key in keys:
            value = m.read(obj.attrs[key])
            rows.append(
                TupleV((Const(key[1]), value))
                if name == "items"
                else value
                if name == "values"
                else Const(key[1])
            )
        if "open" in obj.attrs:
            rest = m.read(obj.attrs["rest"]) if "rest" in obj.attrs else m.unknown("a value of a dict")
            unknown = m.unknown("a key of a dict")
            rows.append(
                StarV(
                    (TupleV((unknown, rest)) if name == "items" else rest if name == "values" else unknown,)
                )
            )
        out = ListV(place)
        m.write(out.attrs, "items", TupleV(tuple(rows)))
        return out
    if name == "update":
        source = args[0] if args else None
        if isinstance(source, DictV):
            for key, value in source.attrs.items():
                m.write(obj.attrs, key, value)
        elif source is not None:
            m.write(obj.attrs, "open", TRUE)
        for word, value in kwargs.items():
            m.write(obj.attrs, "open" if word == "**" else ("k", word), value)
        return NONE
    if name == "setdefault" and args and isinstance(args[0], Const):
        if ("k", args[0].value) not in obj.attrs:
            set_item(m, obj, args[0], args[1] if len(args) > 1 else NONE, place, frame)
        return m.read(obj.attrs[("k", args[0].value)])
    if name == "setdefault" and args:
        set_item(m, obj, args[0], args[1] if len(args) > 1 else NONE, place, frame)
        return m.unknown("an item under an unknown key")
    if name == "pop" and args and isinstance(args[0], Const):
        found = obj.attrs.get(("k", args[0].value))
        if found is not None:
            m.write(obj.attrs, ("k", args[0].value), MISSING)
            return m.read(found)
        return args[1] if len(args) > 1 else m.unknown("popped from a dict")
    if name == "copy":
        out_dict = DictV(place)
        for key, value in obj.attrs.items():
            m.write(out_dict.attrs, key, value)
        return out_dict
    return m.unknown(f"a method of a dict: {name}")


def _string_method(m: Machine, text: str, name: str, args: list[Value], place: Place) -> Value:
    constants = [a.value for a in args if isinstance(a, Const)]
    if len(constants) == len(args) and all(isinstance(c, (str, int)) for c in constants):
        if name in ("lower", "upper", "strip", "lstrip", "rstrip", "title", "capitalize") and len(args) <= 1:
            method = {
                "lower": str.lower, "upper": str.upper, "title": str.title, "capitalize": str.capitalize,
            }.get(name)  # fmt: skip
            if method is not None and not args:
                return Const(method(text))
            if name.endswith("strip"):
                chars = str(constants[0]) if constants else None
                return Const({"strip": text.strip, "lstrip": text.lstrip, "rstrip": text.rstrip}[name](chars))
        if name in ("startswith", "endswith") and len(constants) == 1 and isinstance(constants[0], str):
            return Const(
                text.startswith(constants[0]) if name == "startswith" else text.endswith(constants[0])
            )
        if name == "replace" and len(constants) == 2:
            old, new = str(constants[0]), str(constants[1])
            if len(text) + text.count(old) * len(new) > MAX_TEXT:
                return m.unknown("a long string")
            return Const(text.replace(old, new))
        if name == "split" and len(text) < 1000:
            out = ListV(place)
            parts = text.split(str(constants[0])) if constants else text.split()
            m.write(out.attrs, "items", TupleV(tuple(Const(p) for p in parts[:64])))
            return out
        if name == "format":
            return _formatted(m, text, [str(c) for c in constants])
    return m.unknown(f"a method of a string: {name}")


_FIELD = re.compile(r"\{\d{0,3}\}")


def _formatted(m: Machine, text: str, values: list[str]) -> Value:
    """`text.format(*values)` where the fields are plain: an attribute or a width in them is not followed."""
    fields = _FIELD.findall(text)
    if len(text) + len(fields) * max(map(len, values), default=0) > MAX_TEXT:
        return m.unknown("a long string")
    if "{" in _FIELD.sub("", text) or "}" in _FIELD.sub("", text):
        return m.unknown("a formatted string")
    try:
        return Const(text.format(*values))
    except (IndexError, ValueError):
        return m.unknown("a formatted string")
