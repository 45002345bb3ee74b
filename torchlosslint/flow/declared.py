"""Losses, models and activations that the user's configuration declares: its word counts.

What is declared is not looked into: a loss is compared with what it is said to want, a model or an
activation gives what it is said to give, whether the program has its source or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from torchlosslint.contracts import base as words
from torchlosslint.contracts.declared import OUTPUTS, Declared, DeclaredLoss, DeclaredOutput, as_external
from torchlosslint.contracts.external import as_contract
from torchlosslint.flow import losses
from torchlosslint.flow.attributes import find_in_class
from torchlosslint.flow.domain import ANY, LOGPROBS, POSITIVE, PROBS, SCORES, UNIT, Domain
from torchlosslint.flow.values import (
    ClassV,
    Const,
    External,
    ExtObj,
    Func,
    Instance,
    Place,
    StarV,
    Step,
    Tensor,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

_KINDS = {
    words.LOGITS: SCORES,
    words.PROBS: PROBS,
    words.UNIT: UNIT,
    words.LOG_PROBS: LOGPROBS,
    words.NON_NEGATIVE: POSITIVE,
}
_MADE = "__made__"  # the attribute that keeps what an instance was made with
_ARGUMENTS = ("input", "target")  # of losses that nothing is known of
Record = DeclaredLoss | DeclaredOutput


class Declarations:
    """What the configurations of a program declare.

    of: what the configuration of a module declares, by the module's path. all_of: all of these.
    """

    def __init__(self, of: Callable[[str], Declared], all_of: Iterable[Declared]) -> None:
        self.of = of
        every: list[Record] = []
        for each in all_of:
            every += [*each.losses, *each.models, *each.activations]
        self.names = frozenset(record.name.rsplit(".", 1)[-1] for record in every)
        self.losses = frozenset(r.name.rsplit(".", 1)[-1] for r in every if isinstance(r, DeclaredLoss))
        self.switched = frozenset(
            r.name.rsplit(".", 1)[-1] for r in every if isinstance(r, DeclaredLoss) and r.switches
        )
        self._known: dict[tuple[int, str], tuple[str, Record] | None] = {}
        self._tables: dict[int, dict[str, tuple[str, Record]]] = {}

    def table(self, frame: Frame) -> dict[str, tuple[str, Record]]:
        """By dotted name, what counts in the module of a frame: the kind of thing, and its record."""
        declared = self.of(frame.module.path)
        table = self._tables.get(id(declared))
        if table is None:
            table = {loss.name: ("loss", loss) for loss in declared.losses}
            table.update({each.name: ("model", each) for each in declared.models})
            table.update({each.name: ("activation", each) for each in declared.activations})
            self._tables[id(declared)] = table
        return table

    def of_library(self, qual: str, frame: Frame) -> tuple[str, Record] | None:
        """What is declared of something that the program does not define."""
        if qual.rsplit(".", 1)[-1] not in self.names:
            return None
        return self.table(frame).get(qual)

    def of_program(self, m: Machine, value: Func | ClassV, frame: Frame) -> tuple[str, Record] | None:
        """What is declared of a function or class of the program, by any name that it is imported by."""
        name = value.name if isinstance(value, ClassV) else value.qualname
        if name not in self.names:
            return None
        key = (id(value.node), frame.module.path)
        if key not in self._known:
            self._known[key] = self._find(m, value, name, frame)
        return self._known[key]

    def _find(self, m: Machine, value: Func | ClassV, name: str, frame: Frame) -> tuple[str, Record] | None:
        for dotted, found in self.table(frame).items():
            package, _, last = dotted.rpartition(".")
            if last != name:
                continue
            info = m.program.find(package, frame.module)
            if info is None:
                continue
            if info.path and info.path == value.module.path:
                return found
            m.import_module(info)  # the package may hand on what one of its modules defines
            if info.globals.get(name) is value:
                return found
        return None


class Setup(NamedTuple):
    """What a loss was set up with. names: of the parameters, in order; defaults: of these, in sight."""

    names: tuple[str, ...]
    args: Sequence[Value]
    kwargs: Mapping[str, Value]
    defaults: Mapping[str, Value] = MappingProxyType({})


def call_function(
    m: Machine, func: Func, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """A function of the program is called; None where nothing is declared of it."""
    assert m.declared is not None
    found = m.declared.of_program(m, func, frame)
    if found is None:
        return None
    kind, record = found
    if isinstance(record, DeclaredLoss):
        own = tuple(p.name for p in func.node.params if p.kind in (0, 1))
        setup = Setup(max(own, record.arguments, key=len), args, kwargs, func.defaults)
        return _loss(m, record, own, setup, None, args, kwargs, place, frame)
    if kind == "model":
        return ExtObj(record.name, tuple(args), kwargs, place)
    return _output(record, args, place)


def call_library(
    m: Machine, qual: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """Something of a library is called; None where nothing is declared of it."""
    assert m.declared is not None
    found = m.declared.of_library(qual, frame)
    if found is None:
        return None
    kind, record = found
    if kind == "model" or qual.rsplit(".", 1)[-1][:1].isupper():
        return ExtObj(qual, tuple(args), kwargs, place)
    if isinstance(record, DeclaredLoss):
        setup = Setup(record.arguments or _ARGUMENTS, args, kwargs)
        return _loss(m, record, (), setup, None, args, kwargs, place, frame)
    return _output(record, args, place)


def call_object(
    m: Machine, obj: ExtObj, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """A library object is called; None where nothing is declared of its class."""
    assert m.declared is not None
    found = m.declared.of_library(obj.qual, frame)
    return None if found is None else _obey(m, found[1], (), obj, obj.place, args, kwargs, place, frame)


def call_instance(
    m: Machine, obj: Instance, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """An instance of a class of the program is called; None where nothing is declared of the class whose
    forward it has."""
    assert m.declared is not None
    for klass in obj.cls.mro:
        if isinstance(klass, External):
            found = m.declared.of_library(klass.qual, frame)
            if found is not None:
                inner = obj.attrs.get("__ext__")
                inner = inner if isinstance(inner, ExtObj) and inner.qual == klass.qual else None
                return _obey(m, found[1], (), inner, obj.place, args, kwargs, place, frame)
        elif isinstance(klass, ClassV):
            own = klass.attrs.get("__call__") or klass.attrs.get("forward")
            found = m.declared.of_program(m, klass, frame)
            if found is not None:
                params = own.node.params[1:] if isinstance(own, Func) else []
                names = tuple(p.name for p in params if p.kind in (0, 1))
                init = find_in_class(klass, "__init__")
                same = init is find_in_class(obj.cls, "__init__")
                inner = obj.attrs.get(_MADE) if same else None
                inner = inner if isinstance(inner, ExtObj) else None
                record, func = found[1], init if isinstance(init, Func) else None
                return _obey(m, record, names, inner, obj.place, args, kwargs, place, frame, func)
            if own is not None:
                return None
    return None


def made(m: Machine, obj: Instance, args: list[Value], kwargs: dict[str, Value]) -> None:
    """An instance is made: what with is kept for declared losses that have switches."""
    assert m.declared is not None
    if any(isinstance(klass, ClassV) and klass.name in m.declared.switched for klass in obj.cls.mro):
        m.write(obj.attrs, _MADE, ExtObj(obj.cls.name, tuple(args), kwargs, obj.place))


def _obey(
    m: Machine,
    record: Record,
    own: tuple[str, ...],
    maker: ExtObj | None,
    made: Place | None,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
    init: Func | None = None,
) -> Value:
    """An object is called. maker: what it was made with, None where that is not known; init: its
    constructor, where it is in sight."""
    if not isinstance(record, DeclaredLoss):
        return _output(record, args, place)
    setup = None
    if maker is not None:
        seen = tuple(p.name for p in init.node.params[1:] if p.kind in (0, 1)) if init is not None else ()
        later = {k: v for k, v in maker.attrs.items() if isinstance(k, str)}
        setup = Setup(
            record.parameters or seen,
            maker.args,
            {**maker.kwargs, **later},
            init.defaults if init is not None else {},
        )
    return _loss(m, record, own, setup, made, args, kwargs, place, frame)


def _loss(
    m: Machine,
    record: DeclaredLoss,
    own: tuple[str, ...],
    setup: Setup | None,
    made: Place | None,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
) -> Value:
    """A declared loss is reached. own: the names of its parameters, where they are in sight."""
    arguments = record.arguments or own or _ARGUMENTS
    if record.arguments != arguments:
        record = replace(record, arguments=arguments)
    config, defaults = _settings(m, record, setup)
    external = as_external(record, defaults)
    given = losses.bind(args, kwargs, arguments)
    return losses.reach(m, as_contract(external), given, config, made, place, frame, external)


def _settings(
    m: Machine, record: DeclaredLoss, setup: Setup | None
) -> tuple[dict[str, Value], tuple[tuple[str, object], ...]]:
    """What the parameters that switches look at are set to, and the known defaults of the rest."""
    if not record.switches:
        return {}, ()
    config: dict[str, Value] = {}
    defaults: list[tuple[str, object]] = []
    names, args, kwargs, theirs = setup or Setup((), (), {"**": m.unknown("a constructor")})
    given = losses.bind(list(args), dict(kwargs), names)
    # Arguments whose parameters are not known may be any of them.
    vague = "**" in kwargs or len(args) > len(names) or any(isinstance(arg, StarV) for arg in args)
    for name in record.settings:
        if name in given:
            config[name] = given[name]
        elif vague:
            config[name] = m.unknown("a parameter that may have been given")
        elif name in theirs:
            default = theirs[name]
            if isinstance(default, Const):
                defaults.append((name, default.value))
            else:
                config[name] = default
    return config, tuple(defaults)


def _output(record: DeclaredOutput, args: list[Value], place: Place) -> Tensor:
    """What a model or an activation gives."""
    short = record.name.rsplit(".", 1)[-1]
    given = args[0] if args and isinstance(args[0], Tensor) else None
    kind = _KINDS.get(OUTPUTS[record.output])
    dom = Domain(kind, how=short, dim=record.dim) if kind is not None else ANY
    note = f"{short} gives {record.output.replace('-', ' ')}, as the configuration says"
    trail = Step(given.trail if given is not None else None, place, note, dom)
    if given is None:
        return Tensor(dom, "float32", None, True, role="model", trail=trail)
    grad = True if given.role == "data" or given.grad is None else given.grad
    return Tensor(dom, "float32", None, grad, given.cut, "model", trail, roots=given.roots)
