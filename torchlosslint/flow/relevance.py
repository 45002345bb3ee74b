"""Which functions may lead to a loss, by the names in them.

This decides what is worth running where nothing calls it, and is no evidence of anything: it
errs on the side of running. A function matters if it mentions a loss, or a function, class or
criterion that does; or a logarithm or an argmax next to something that leads to a softmax or sigmoid.
"""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import ALL, distributions, third_party
from torchlosslint.contracts.activations import ACTIVATIONS
from torchlosslint.flow import nn_modules
from torchlosslint.flow.ops import METHODS
from torchlosslint.syntax import ir

TRIGGERS: frozenset[str] = frozenset(
    {name.rsplit(".", 1)[-1] for c in ALL for name in (c.module, c.function, *c.deprecated_names) if name}
) | {"backward", "compute_loss", "training_step", "validation_step"}
# The same for other libraries, which count where they are imported.
FOREIGN: dict[str, set[str]] = {}
for _name in (*(loss.name for loss in third_party.ALL), *(d.name for d in distributions.ALL)):
    FOREIGN.setdefault(_name.split(".")[0], set()).add(_name.rsplit(".", 1)[-1])
AFTER_SOFTMAX = frozenset({"log", "log2", "log10", "log_", "argmax"})
SOFTMAX = frozenset(
    (
        "softmax Softmax log_softmax LogSoftmax Softmax2d softmin gumbel_softmax "
        "sigmoid Sigmoid sigmoid_ expit"
    ).split()
)

CLASSES = frozenset(name.rsplit(".", 1)[-1] for name in ACTIVATIONS)


# Names that mean a method of a tensor or a module nearly everywhere: a method of such a name is
# not followed to whoever mentions it.
_COMMON = (
    frozenset("forward __init__ __call__ call run step get".split())
    | frozenset(METHODS)
    | nn_modules.MODULE_METHODS
)


def identifiers(root: object) -> set[str]:
    """Names and attributes anywhere below a node."""
    out: set[str] = set()
    stack: list[object] = [root]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is list:
            stack.extend(node)  # type: ignore[arg-type]
        elif kind is ir.Name:
            out.add(node.id)  # type: ignore[attr-defined]
        elif kind is ir.Attr:
            out.add(node.attr)  # type: ignore[attr-defined]
            stack.append(node.value)  # type: ignore[attr-defined]
        else:
            for field in _PARTS.get(kind, ()):
                part = getattr(node, field)
                if part is not None:
                    stack.append(part)
    return out


# Of each kind of node the fields that may hold other nodes.
_NO_PARTS = frozenset(
    "o op ops kind name names star is_from module level asname is_generator binds wildcard id attr".split()
)
_PARTS: dict[type, tuple[str, ...]] = {
    kind: tuple(f for f in kind.__struct_fields__ if f not in _NO_PARTS)
    for kind in vars(ir).values()
    if isinstance(kind, type) and hasattr(kind, "__struct_fields__") and kind is not ir.Const
}


def given_values(function: object) -> bool:
    """Whether an activation's class is given something that is no number: `nn.Softmax(scores)`."""
    stack: list[object] = [function]
    while stack:
        node = stack.pop()
        if type(node) is list:
            stack.extend(node)
            continue
        if type(node) is ir.Call:
            func = node.func
            name = func.attr if type(func) is ir.Attr else func.id if type(func) is ir.Name else ""
            first = node.args[0] if node.args else None
            if name in CLASSES and first is not None and not first.name and type(first.value) is not ir.Const:
                return True
        stack.extend(getattr(node, field) for field in getattr(node, "__struct_fields__", ()))
    return False


class Relevance:
    """The names that matter in a set of modules. further: names of losses that the user declares."""

    def __init__(self, bodies: Iterable[list[ir.Stmt]], further: frozenset[str] = frozenset()) -> None:
        self.names: dict[int, set[str]] = {}
        self.owners: dict[int, set[str]] = {}  # of a method, the names in its class
        self.foreign: set[str] = set()  # names of losses of the other libraries that are imported
        definitions: list[tuple[set[str], set[str]]] = []
        bindings: list[tuple[set[str], set[str]]] = []
        for body in bodies:
            self._collect(body, definitions, bindings)
        # What leads to a softmax.
        self.matter: set[str] = set(SOFTMAX)
        self._close(definitions)
        self.soft = frozenset(self.matter)
        self.matter = self.foreign | TRIGGERS | further
        definitions = self._close(definitions)
        # Variables that hold what matters: a criterion in `self.loss_fn`, a dict of them. What is
        # computed with these in turn (the losses) does not count, or everything would.
        held = set()
        for bound, used in bindings:
            if used & self.matter:
                held |= bound - _COMMON
        self.matter |= held
        self._close(definitions)

    def _close(self, definitions: list[tuple[set[str], set[str]]]) -> list[tuple[set[str], set[str]]]:
        """Add the definitions that use what matters, until none is left; the others."""
        changed = True
        while changed:
            changed = False
            rest = []
            for bound, used in definitions:
                if used.isdisjoint(self.matter):
                    rest.append((bound, used))
                else:
                    changed = changed or not bound <= self.matter
                    self.matter |= bound
            definitions = rest
        return definitions

    def _collect(
        self,
        body: list[ir.Stmt],
        definitions: list[tuple[set[str], set[str]]],
        bindings: list[tuple[set[str], set[str]]],
        in_class: bool = False,
    ) -> set[str]:
        """Note definitions and bindings below; the identifiers of the whole body."""
        out: set[str] = set()
        for stmt in body:
            if isinstance(stmt, ir.FuncDef):
                used = self._collect(stmt.body, definitions, bindings)
                for param in stmt.params:
                    if param.default is not None:
                        found = identifiers(param.default)
                        bindings.append(({param.name}, found))
                        used |= found
                self.names[id(stmt)] = used
                # `forward` is mentioned everywhere; its class carries what it leads to.
                common = in_class and stmt.name in _COMMON
                definitions.append((set() if common else {stmt.name}, used))
            elif isinstance(stmt, ir.ClassDef):
                used = self._collect(stmt.body, definitions, bindings, in_class=True)
                used |= identifiers([a.value for a in stmt.bases])
                for inner in stmt.body:
                    if isinstance(inner, ir.FuncDef):
                        self.owners[id(inner)] = used
                definitions.append(({stmt.name}, used))
            elif isinstance(stmt, (ir.Assign, ir.AnnAssign)):
                targets = stmt.targets if isinstance(stmt, ir.Assign) else [stmt.target]
                bound, used = identifiers(targets), identifiers(stmt.value)
                bindings.append((bound - {"self"}, used))
                used |= bound
            elif isinstance(stmt, (ir.If, ir.For, ir.While, ir.With, ir.Try)):
                used = set()
                for field in stmt.__struct_fields__:
                    part = getattr(stmt, field)
                    if field in ("body", "orelse", "final"):
                        used |= self._collect(part, definitions, bindings)
                    elif field == "handlers":
                        for handler in part:
                            used |= self._collect(handler.body, definitions, bindings)
                    else:
                        used |= identifiers(part)
            else:
                if isinstance(stmt, (ir.Import, ir.ImportFrom)):
                    self._imported(stmt)
                used = identifiers(stmt)
            out |= used
        return out

    def _imported(self, stmt: ir.Import | ir.ImportFrom) -> None:
        packages = [stmt.module] if isinstance(stmt, ir.ImportFrom) else [a.name for a in stmt.names]
        for package in packages:
            names = FOREIGN.get(package.split(".")[0])
            if names is None:
                continue
            self.foreign |= names
            self.foreign |= {a.asname for a in stmt.names if a.asname is not None and a.name in names}

    def of(self, function: ir.FuncDef | ir.Lambda) -> bool:
        """Whether the function may lead to a loss."""
        used = self.names.get(id(function))
        if used is None or not used.isdisjoint(self.matter):
            return True
        if used.isdisjoint(AFTER_SOFTMAX):
            return not used.isdisjoint(CLASSES) and given_values(function)
        return not self.around(function).isdisjoint(self.soft)

    def mentions(self, function: ir.FuncDef | ir.Lambda) -> set[str]:
        """The names in a function."""
        return self.names.get(id(function)) or set()

    def around(self, function: ir.FuncDef | ir.Lambda) -> set[str]:
        """The names in a function and in the class that it is a method of."""
        return self.mentions(function) | self.owners.get(id(function), set())
