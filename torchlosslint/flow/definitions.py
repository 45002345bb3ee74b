"""Functions, classes and imports: the statements that bind definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.machine import NORMAL
from torchlosslint.flow.ops import normalise
from torchlosslint.flow.ops.call import items
from torchlosslint.flow.scope import Frame, Scope
from torchlosslint.flow.training import is_mode
from torchlosslint.flow.values import (
    Choice,
    ClassV,
    Const,
    External,
    Func,
    ModuleV,
    Place,
    Unknown,
    Value,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.program.module import ModuleInfo


def make_function(
    m: Machine, node: ir.FuncDef | ir.Lambda, frame: Frame, owner: ClassV | None, qualname: str
) -> Func:
    """A function value; its defaults are evaluated now, as Python does."""
    defaults: dict[str, Value] = {}
    for param in node.params:
        if param.default is not None:
            defaults[param.name] = m.eval(param.default, frame)
    # A method does not see the names of its class body.
    scope = frame.scope.parent if owner is not None else frame.scope
    return Func(node, frame.module, scope, owner, defaults, "", qualname)


def exec_def(m: Machine, s: ir.FuncDef, frame: Frame) -> int:
    """`def`: binds the function, decorated."""
    owner = frame.klass
    func = make_function(m, s, frame, owner, f"{owner.name}.{s.name}" if owner else s.name)
    m.functions.append(func)
    value: Value = func
    for decorator in reversed(s.decorators):
        value = _decorate(m, decorator, value, func, frame)
    m.assign(ir.Name(s.o, s.name), value, frame)
    return NORMAL


_TRANSPARENT = ("functools", "torch", "hydra", "click", "typing", "abc", "numba", "overrides", "contextlib")


def _decorate(m: Machine, expr: ir.Expr, value: Value, func: Func, frame: Frame) -> Value:
    if type(expr) is ir.Name:
        if expr.id == "staticmethod":
            func.kind = "static"
            return value
        if expr.id == "classmethod":
            func.kind = "class"
            return value
        if expr.id == "property":
            func.kind = "property"
            return value
    if type(expr) is ir.Attr and expr.attr in ("setter", "getter", "deleter"):
        # The getter is what a reader wants to see.
        assert isinstance(func.node, ir.FuncDef)
        return frame.scope.names.get(func.node.name, value)
    decorator = m.eval(expr, frame)
    if is_mode(decorator):
        func.modes = (*func.modes, decorator)
        return value
    if isinstance(decorator, External) and decorator.qual.endswith("cached_property"):
        func.kind = "property"
        return value
    if isinstance(decorator, Func):
        # A decorator of the program is run; what it does not return as a function is left aside.
        result = _applied(m, decorator, value, Place(frame.module.path, expr.o), frame)
        return result if isinstance(result, (Func, ClassV)) else value
    return value


DECORATOR_STEPS = 500


def _applied(m: Machine, decorator: Func, value: Value, place: Place, frame: Frame) -> Value:
    """What a decorator of the program gives. One that takes very many steps writes documentation or code,
    not a wrapper or a registry: it is left aside from then on."""
    if id(decorator.node) in m.heavy:
        return value
    limit, start, limited = m.limit, m.steps, set(m.limited)
    m.limit = min(limit, start + DECORATOR_STEPS)
    result = m.call(decorator, [value], {}, place, frame)
    if m.exhausted() and m.limit < limit:
        m.heavy.add(id(decorator.node))
        m.limited = limited  # nothing of the program itself was left out
        m.steps, result = start + DECORATOR_STEPS, value
    m.limit = limit
    return result


def exec_class(m: Machine, s: ir.ClassDef, frame: Frame) -> int:
    """`class`: runs the body in a scope of its own and fixes the MRO."""
    klass = ClassV(s.name, frame.module, s, Place(frame.module.path, s.o))
    bases = [m.eval(a.value, frame) for a in s.bases if a.name is None and not a.star]
    body_frame = Frame(frame.module, Scope(klass.attrs, frame.scope), frame, klass.place)
    body_frame.klass = klass
    klass.mro = linearise(klass, bases)
    for expr in s.decorators:
        decorator = m.eval(expr, frame)
        if isinstance(decorator, External) and decorator.qual.endswith("dataclass"):
            klass.is_dataclass = True
    names = [b.qual for b in klass.mro if isinstance(b, External)]
    if any(n.endswith(("NamedTuple", "ModelOutput", "BaseModel")) for n in names):
        klass.is_dataclass = True
    for base in reversed(klass.mro[1:]):
        if isinstance(base, ClassV) and base.is_dataclass:
            klass.fields.extend(f for f in base.fields if f not in klass.fields)
            klass.is_dataclass = True
    for stmt in s.body:
        if type(stmt) is ir.AnnAssign and type(stmt.target) is ir.Name and stmt.target.id not in klass.fields:
            klass.fields.append(stmt.target.id)
    m.exec(s.body, body_frame)
    m.classes.append(klass)
    value: Value = klass
    for expr in s.decorators:
        decorator = m.eval(expr, frame)
        if isinstance(decorator, Func):
            # A registry's decorator: run for what it writes; the class stays itself.
            _applied(m, decorator, value, Place(frame.module.path, expr.o), frame)
    m.assign(ir.Name(s.o, s.name), value, frame)
    return NORMAL


MAX_BASES = 48  # classes that one inherits from; of more, only the nearest count, and what is from libraries


def linearise(klass: ClassV, bases: list[Value]) -> list[Value]:
    """The method resolution order: C3 where it exists, else depth first without repeats."""
    known: list[Value] = []
    for base in bases:
        if isinstance(base, Choice):
            base = base.alts[0][1]
        if isinstance(base, (ClassV, External)):
            known.append(base)
        elif isinstance(base, Unknown):
            known.append(External("?"))
    if len(known) == 1 and isinstance(known[0], ClassV):
        return [klass, *_nearest(known[0].mro)]
    if sum(len(b.mro) if isinstance(b, ClassV) else 1 for b in known) > MAX_BASES:
        return [klass, *_nearest(known)]
    sequences: list[list[Value]] = [list(b.mro) if isinstance(b, ClassV) else [b] for b in known] + [
        list(known)
    ]
    out: list[Value] = [klass]
    while any(sequences):
        sequences = [s for s in sequences if s]
        for candidate in (s[0] for s in sequences):
            if not any(candidate in s[1:] for s in sequences):
                break
        else:
            candidate = sequences[0][0]
        if candidate not in out:
            out.append(candidate)
        sequences = [[v for v in s if v != candidate] for s in sequences]
    return out


def _nearest(mro: list[Value]) -> list[Value]:
    if len(mro) <= MAX_BASES:
        return mro
    return [*mro[:MAX_BASES], *[b for b in mro[MAX_BASES:] if isinstance(b, External)][:MAX_BASES]]


def exec_import(m: Machine, s: ir.Import, frame: Frame) -> int:
    """`import a.b as c`."""
    for alias in s.names:
        parts = alias.name.split(".")
        value: Value = External(normalise(alias.name))
        top: Value = External(normalise(parts[0]))
        found = m.program.find(parts[0], frame.module)
        if found is not None:
            m.import_module(found)
            top = ModuleV(found)
            info: ModuleInfo | None = found
            for part in parts[1:]:
                info = m.program.submodule(info, part) if info is not None else None
                if info is not None:
                    m.import_module(info)
            value = ModuleV(info) if info is not None else Unknown("module not found: " + alias.name)
        if alias.asname:
            m.assign(ir.Name(s.o, alias.asname), value, frame)
        else:
            m.assign(ir.Name(s.o, parts[0]), top, frame)
    return NORMAL


def exec_import_from(m: Machine, s: ir.ImportFrom, frame: Frame) -> int:
    """`from a import b as c`, relative and star forms too."""
    if s.level:
        info = m.program.find_relative(s.module, s.level, frame.module)
        missing = "module not found: " + "." * s.level + s.module
    else:
        info = m.program.find(s.module, frame.module)
        missing = ""
    if info is not None:
        m.import_module(info)
    for alias in s.names:
        if alias.name == "*":
            if info is not None:
                _star(m, info, frame)
            elif not missing:
                _library_star(m, s.module, frame)
            continue
        value: Value
        if info is None:
            value = Unknown(missing) if missing else External(normalise(f"{s.module}.{alias.name}"))
        else:
            value = member(m, info, alias.name)
        m.assign(ir.Name(s.o, alias.asname or alias.name), value, frame)
    return NORMAL


def member(m: Machine, info: ModuleInfo, name: str) -> Value:
    """A name of a module: a global, or a submodule."""
    if name in info.globals:
        value: Value = info.globals[name]
        if m.outside is not None:
            m.outside.append((info.globals, name, value))
        return m.read(value)
    sub = m.program.submodule(info, name)
    if sub is not None:
        m.import_module(sub)
        return ModuleV(sub)
    star = info.globals.get("*libraries")
    if isinstance(star, External):
        return External(normalise(f"{star.qual}.{name}"))
    return Unknown(f"no {name} in module {info.name}", ("member", info.path or info.folder, name))


def _star(m: Machine, info: ModuleInfo, frame: Frame) -> None:
    public = info.globals.get("__all__")
    names: list[str] | None = None
    if public is not None:
        listed = items(public)
        if listed is not None and all(isinstance(v, Const) for v in listed):
            names = [str(v.value) for v in listed if isinstance(v, Const)]
    for name in names if names is not None else [n for n in info.globals if not n.startswith("_")]:
        if name in info.globals:
            m.assign(ir.Name(0, name), info.globals[name], frame)
    if "*libraries" in info.globals and "*libraries" not in frame.scope.names:
        m.write(frame.scope.names, "*libraries", info.globals["*libraries"])


# What `from X import *` of a library brings in that this analysis cares about.
_STAR_NAMES = {
    "torch": (
        "nn",
        "optim",
        "Tensor",
        "softmax",
        "sigmoid",
        "tanh",
        "relu",
        "log",
        "exp",
        "cat",
        "stack",
        "zeros",
        "ones",
    ),
    "torch.nn": (
        "Module Sequential ModuleList ModuleDict Linear Conv1d Conv2d Conv3d ConvTranspose2d BatchNorm1d "
        "BatchNorm2d Dropout Dropout2d ReLU LeakyReLU Sigmoid Tanh Softmax LogSoftmax Softmax2d "
        "MaxPool2d AvgPool2d Flatten AdaptiveAvgPool2d Embedding LSTM GRU RNN CrossEntropyLoss BCELoss "
        "BCEWithLogitsLoss NLLLoss MSELoss L1Loss KLDivLoss SmoothL1Loss functional init Parameter "
        "DataParallel Identity LayerNorm Upsample"
    ).split(),
    "torch.nn.functional": (
        "relu softmax log_softmax sigmoid tanh cross_entropy nll_loss mse_loss dropout "
        "binary_cross_entropy binary_cross_entropy_with_logits max_pool2d kl_div l1_loss"
    ).split(),
    "torch.nn.modules.loss": (
        "CrossEntropyLoss BCELoss BCEWithLogitsLoss NLLLoss MSELoss L1Loss KLDivLoss"
    ).split(),
}


def _library_star(m: Machine, module: str, frame: Frame) -> None:
    for name in _STAR_NAMES.get(normalise(module), ()):
        m.assign(ir.Name(0, name), External(normalise(f"{module}.{name}")), frame)


__all__ = ("NONE exec_class exec_def exec_import exec_import_from make_function member").split()
