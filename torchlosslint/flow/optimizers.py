"""Optimizers: which modules they step, and whether a step finds a gradient there.

What backward() is called on leads through modules (`Tensor.roots`). A step of an optimizer all of
whose modules are known, after a backward that leads through none of them, changes nothing. Where the
way of a gradient, a module or a parameter is not known, nothing is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.values import (
    VAGUE,
    Choice,
    ClassV,
    DictV,
    ExtObj,
    Instance,
    ListV,
    Obj,
    Place,
    Roots,
    StarV,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

MAX_PARTS = 4000


class Steps:
    """What happened to gradients since an entry point began."""

    __slots__ = ("backwards", "hidden", "meddled", "modules", "opaque", "since")

    def __init__(self) -> None:
        self.modules: dict[int, Obj] = {}  # modules that were called or asked for their parameters
        self.opaque: set[int] = set()  # modules that gave something that is not followed
        self.meddled = False  # somebody writes gradients by hand
        self.begin()

    def begin(self) -> None:
        """A new entry point."""
        self.backwards: list[tuple[Value, Roots, Place]] = []
        self.since: dict[int, int] = {}  # by optimizer, the number of backwards before its last step
        self.hidden: set[int] = set()  # backwards that some optimizer has stepped on


def is_optimizer(obj: ExtObj) -> bool:
    """Whether an object is one of torch's optimizers."""
    return obj.qual.startswith("torch.optim.") and obj.qual.count(".") <= 3 and "lr_scheduler" not in obj.qual


def called(m: Machine, module: Obj, result: Value) -> None:
    """A module was called and gave this."""
    m.steps_seen.modules[module.serial] = module
    if not _followed(result):
        m.steps_seen.opaque.add(module.serial)


def _followed(value: Value) -> bool:
    if isinstance(value, Choice):
        return all(_followed(v) for _, v in value.alts)
    if isinstance(value, TupleV):
        return all(_followed(v) for v in value.items)
    return not isinstance(value, (Unknown, Obj, StarV))


def propagated(m: Machine, value: Value, roots: Roots, place: Place) -> None:
    """backward() was called on a value."""
    plain = [v for _, v in value.alts] if isinstance(value, Choice) else [value]
    if not all(isinstance(v, Tensor) and v.grad for v in plain):
        roots = roots | {VAGUE}
    m.steps_seen.backwards.append((value, roots, place))


def stepped(m: Machine, optimizer: ExtObj, args: list[Value], frame: Frame) -> None:
    """optimizer.step() is called."""
    seen = m.steps_seen
    start = seen.since.get(optimizer.serial, 0)
    seen.since[optimizer.serial] = len(seen.backwards)
    held = optimizer.args[0] if optimizer.args else optimizer.kwargs.get("params")
    owned = _owned(_modules(m, held, 0))
    if not owned or args or "extended" in optimizer.attrs or seen.meddled or m.exhausted():
        seen.hidden.update(range(start, len(seen.backwards)))
        return
    idle: tuple[Value, Place] | None = None
    for i in range(start, len(seen.backwards)):
        value, roots, where = seen.backwards[i]
        led = _led(m, roots)
        if led is None or led & owned:
            seen.hidden.update(range(start, len(seen.backwards)))
            return
        if i not in seen.hidden:
            idle = value, where
    if idle is not None and not owned & seen.opaque:
        m.sink.event(m, "idle", idle[0], idle[1], frame)


def _owned(modules: list[Obj] | None) -> set[int]:
    """The serials of these modules and of all in them; none where one of them is not known."""
    found: set[int] = set()
    for module in modules or ():
        inside = _inside(module)
        if inside is None:
            return set()
        found |= inside
    return found


def _led(m: Machine, roots: Roots) -> set[int] | None:
    """All modules that a gradient leads through; None where that is not known."""
    found: set[int] = set()
    for kind, what in roots:
        if kind in ("unknown", "leaf"):
            return None
        if kind == "module":
            module = m.steps_seen.modules.get(what)
            inside = _inside(module) if module is not None else None
            if inside is None:
                return None
            found |= inside
    return found or None


def _modules(m: Machine, held: Value | None, depth: int) -> list[Obj] | None:
    """The modules whose parameters an optimizer was given; None where not all are known."""
    if depth > 6 or held is None:
        return None
    if isinstance(held, Unknown):
        key = held.key
        module = (
            m.steps_seen.modules.get(key[1]) if isinstance(key, tuple) and key[0] == "parameters" else None
        )
        return [module] if module is not None else None
    parts: list[Value]
    if isinstance(held, Choice):
        parts = [v for _, v in held.alts]
    elif isinstance(held, ListV):
        parts = [held.attrs.get("items", Unknown("a list"))]
    elif isinstance(held, (TupleV, StarV)):
        parts = list(held.items)
    elif isinstance(held, DictV):
        parts = [held.attrs.get(("k", "params"), Unknown("a group"))]
    elif isinstance(held, ExtObj) and held.qual == "itertools.chain":
        parts = list(held.args)
    else:
        return None
    found: list[Obj] = []
    for item in parts:
        inner = _modules(m, item, depth + 1)
        if inner is None:
            return None
        found += inner
    return found


def _inside(module: Obj) -> set[int] | None:
    """The serials of a module and of all modules in it; None where there are too many to tell."""
    found: set[int] = set()
    todo: list[Value] = [module]
    while todo:
        value = todo.pop()
        if isinstance(value, Choice):
            todo += [v for _, v in value.alts]
        elif isinstance(value, (TupleV, StarV)):
            todo += value.items
        elif isinstance(value, (Instance, ExtObj, ListV, DictV)) and not isinstance(value, ClassV):
            if value.serial in found:
                continue
            found.add(value.serial)
            if len(found) > MAX_PARTS:
                return None
            todo += value.attrs.values()
            if isinstance(value, ExtObj):
                todo += value.args
                todo += value.kwargs.values()
    return found
