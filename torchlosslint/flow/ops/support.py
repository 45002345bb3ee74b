"""What the handlers share: the registry; how gradient, role, dtype and identity pass through an operation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torchlosslint.flow.domain import ANY, INDICES, LOGPROBS, LOGUNIT, PROBS, SCORES, UNIT, UNKNOWN, Domain
from torchlosslint.flow.ops.call import Handler, OpCall, const, integer
from torchlosslint.flow.values import (
    NO_ROOTS,
    VAGUE,
    Choice,
    Const,
    External,
    ListV,
    Roots,
    StarV,
    Step,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
    vague,
)

FUNCTIONS: dict[str, Handler] = {}
METHODS: dict[str, Handler] = {}
LAYERS: dict[str, Handler] = {}

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64", "float"})
SOME_FLOAT = "some float"  # in the key of an unknown dtype that is a floating one
INTS = ("bool", "uint8", "int8", "int16", "int32", "int64")
DTYPES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "bool_": "bool",
    "float_": "float64",
    "int_": "int64",
    "intp": "int64",
    "single": "float32",
    **{name: name for name in ("float16", "bfloat16", "float32", "float64", *INTS)},
}
TINY = 1e-3
MAX_BASE = 3


def register(handler: Handler, functions: str = "", methods: str = "", layers: str = "") -> None:
    """Enter a handler under names separated by blanks: `softmax` is torch.softmax, `F.softmax` functional."""
    for name in functions.split():
        if name.startswith("F."):
            name = "torch.nn.functional." + name[2:]
        elif "." not in name:
            name = "torch." + name
        FUNCTIONS[name] = handler
    for name in methods.split():
        METHODS[name] = handler
    for name in layers.split():
        LAYERS["torch.nn." + name] = handler


def everywhere(handler: Handler, *names: str) -> None:
    """Enter a handler as torch.X, F.X, tensor.X and in place as X_."""
    for name in names:
        register(handler, f"{name} {name}_ F.{name} F.{name}_", f"{name} {name}_")


def operand(call: OpCall, position: int = 0, *names: str) -> Value:
    """An operand; an unknown where there is none."""
    for name in names or ("input", "x", "a", "self", "data"):
        found = call.arg(position, name)
        if found is not None:
            return found
    return Unknown("missing operand")


def setting(call: OpCall, position: int, name: str) -> Value | None:
    """A parameter of an operation: of the constructor for a layer (which has no input), else of the call."""
    if call.layer is not None:
        return call.init(position - 1, name)
    return call.arg(position, name)


def unknown(op: str, *operands: Value | None) -> Unknown:
    """What comes of an operation that says nothing; keeps the reason of an unknown operand."""
    for value in operands:
        if isinstance(value, Unknown):
            return Unknown(value.reason)
    return Unknown(f"result of {op}")


def domain(value: Value | None) -> Domain:
    """The domain of an operand."""
    return value.dom if isinstance(value, Tensor) else ANY


def numbered(op: str, *parts: object) -> int:
    """An identity that follows from the operation and its operands: same computation, same numbers."""
    return (hash((op, *parts)) & ((1 << 60) - 1)) | (1 << 60)


def uid_of(value: Value | None) -> int:
    """The identity of the numbers of any operand."""
    if isinstance(value, Tensor):
        return value.uid
    if isinstance(value, Unknown):
        return numbered("unknown", value.key)
    if isinstance(value, (Const, SymInt, External)):
        return numbered("const", value)
    return fresh_uid()


def trimmed(dom: Domain, depth: int = MAX_BASE) -> Domain:
    """A domain whose chain of bases is no longer than `depth`."""
    if dom.base is None:
        return dom
    if depth <= 1:
        return dom.replace(base=None)
    base = trimmed(dom.base, depth - 1)
    return dom if base is dom.base else dom.replace(base=base)


def flagged(dom: Domain, *flags: str) -> Domain:
    """The domain with more flags."""
    return dom if dom.flags.issuperset(flags) else dom.replace(flags=dom.flags | set(flags))


def unflagged(dom: Domain, *flags: str) -> Domain:
    """The domain without some flags."""
    return dom.replace(flags=dom.flags - set(flags)) if dom.flags.intersection(flags) else dom


def loose(dom: Domain) -> Domain:
    """A domain of which the bounds are no longer known."""
    return dom if dom.high is None else dom.replace(low=None, high=None)


def spoken(how: str) -> str:
    """`softmax` as `softmax()`, for use inside another operation's name."""
    return how if not how or how.endswith(")") else f"{how}()"


def nothing(how: str = "") -> Domain:
    """An unknown domain that says which operation lost it."""
    return Domain(UNKNOWN, how)


def gradient(call: OpCall, values: Iterable[Value | None]) -> tuple[bool | None, str]:
    """Whether a gradient flows through an operation on these operands, and what cut it where not."""
    found: bool | None = False
    cut = ""
    for value in values:
        if isinstance(value, Tensor):
            if value.grad:
                found = True
            elif value.grad is None and found is False:
                found = None
            cut = cut or value.cut
        elif isinstance(value, Unknown) and found is False and may_be_tensor(value):
            found = None
    if found is not False and call.no_grad:
        return False, "no_grad"
    return (found, "") if found is not False else (False, cut)


def may_be_tensor(value: Unknown) -> bool:
    """Whether something unknown may be a tensor: an option of the command line is none."""
    return not value.config or (isinstance(value.key, tuple) and value.key[0] in ("param", "attr"))


def role(values: Iterable[Value | None]) -> str:
    """What the result of an operation on these operands is in the program: a model's output before all."""
    found: set[str] = set()
    vague = False
    for value in values:
        if isinstance(value, Tensor):
            found.add(value.role)
        elif isinstance(value, Unknown) and not value.config:
            vague = True
    for known in ("loss", "model"):
        if known in found:
            return known
    if vague:
        return ""
    return "data" if "data" in found else "noise" if "noise" in found else ""


# Roots that speak of a number and not of its gradient: they last where the gradient is cut.
LASTING = frozenset({"mean", "summed", "total"})


def lasting(found: Roots, dead: bool = False) -> Roots:
    """The roots that a cut of the gradient leaves. `dead`: and the marks of losses that never had one,
    which a sum of such losses hands on."""
    if not found:
        return found
    return frozenset(r for r in found if r[0] in LASTING or r[0] == "was" or (dead and r[0] == "dead"))


def roots(operands: Iterable[Value | None]) -> Roots:
    """What the gradient of an operation on these operands leads through."""
    found = NO_ROOTS
    for value in operands:
        if isinstance(value, Tensor) and value.roots:
            if value.roots is not found:
                found = found | value.roots if found else value.roots
        if VAGUE not in found and vague(value):
            found = found | {VAGUE}
    return found


def made(
    call: OpCall,
    before: Value | None,
    dom: Domain,
    note: str = "",
    others: Iterable[Value | None] = (),
    **changes: Any,
) -> Tensor:
    """A new tensor from `before` and others: merged gradient and role; a longer trail if there is a note."""
    operands = [before, *others]
    tensors = [v for v in operands if type(v) is Tensor]
    first = tensors[0] if tensors else None
    if len(tensors) == len(operands) == 1 and first is not None:
        # One operand, as of most operations: what `gradient`, `role` and `roots` would say.
        grad, cut, part_of_program = first.grad, "", first.role if first.role in _ROLES else ""
        found = first.roots
        if grad is False:
            cut = first.cut
        elif vague(first):
            found = found | {VAGUE}
        if grad is not False and call.no_grad:
            grad, cut = False, "no_grad"
    else:
        grad, cut = gradient(call, operands)
        part_of_program = role(operands)
        found = roots(operands)
    if first is not None and "numpy" in first.dom.flags and all("numpy" in t.dom.flags for t in tensors):
        dom = flagged(dom, "numpy")
    if type(before) is Tensor:
        first = before
    trail = first.trail if first is not None else None
    if note:
        trail = Step(trail, call.place, note, dom, call.layer)
    made = Tensor(
        dom,
        first.dtype if first is not None else None,
        first.shape if first is not None else None,
        grad,
        cut,
        part_of_program,
        trail,
        changes.pop("uid", None),
        None,
        found if grad is not False else lasting(found, not call.no_grad),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    if first is not None and first.device and all(t.device == first.device for t in tensors):
        made.device = first.device
    return made


_ROLES = frozenset({"loss", "model", "data", "noise"})


def part(tensor: Tensor, **changes: Any) -> Tensor:
    """Some of a tensor's numbers: nothing to tell, but no longer the same numbers."""
    changes.setdefault("uid", fresh_uid())
    changes.setdefault("of", None)
    dom = unflagged(changes.get("dom", tensor.dom), "unreduced", "listed", "marks")
    changes["dom"] = loose(dom) if dom.kind == INDICES else dom  # perhaps those that fit were picked
    return tensor.with_(**changes)


def reshaped(tensor: Tensor, **changes: Any) -> Tensor:
    """A tensor after a shape-only operation: the same numbers in another order or form."""
    dom = changes.get("dom", tensor.dom)
    changes["dom"] = unflagged(dom, "squeezed", "ragged")
    return tensor.with_(**changes)


# What gives the same number without its graph.
_COPIES = frozenset({"detach()", ".data", "item()", "numpy()"})


def cut_off(call: OpCall, tensor: Tensor, what: str, note: str = "", **changes: Any) -> Tensor:
    """A tensor through which no gradient flows; says what cut it, where something flowed."""
    if tensor.grad is False:
        return tensor.with_(**changes) if changes else tensor
    trail = call.step(tensor, note or f"{what} cuts the gradient")
    left = lasting(tensor.roots)
    if tensor.role == "loss" and (what in _COPIES or what.startswith(("torch.", "numpy."))):
        # Which losses with a gradient this was.
        left |= {("was", place) for kind, place in tensor.roots if kind == "loss"}
    return tensor.with_(grad=False, cut=what, roots=left, trail=trail, **changes)


def is_score(dom: Domain) -> bool:
    """Whether the numbers are the scores of a layer, or a sigmoid of scores or of a log."""
    if dom.kind == SCORES:
        return dom.how != "" and dom.how != "randn"
    return dom.kind == UNIT and dom.base is not None and dom.base.kind in (SCORES, LOGPROBS, LOGUNIT)


def is_float(dtype: str | None) -> bool:
    """Whether a dtype is known to be a floating one."""
    return dtype in FLOATS


def floating(dtype: str | None) -> str:
    """The dtype of exp, sigmoid and the like of a tensor of this dtype."""
    if dtype is None:
        return "float"
    return dtype if dtype in FLOATS else "float32"


def activation_dtype(value: Value | None) -> str:
    """The dtype of a floating function of an operand (numpy takes float64 where torch takes float32)."""
    if isinstance(value, Tensor):
        if "numpy" in value.dom.flags and value.dtype is not None and value.dtype not in FLOATS:
            return "float64"
        return floating(value.dtype)
    return "float"


def dtype_of(value: Value | None) -> str | None:
    """The dtype that an argument names: torch.float, numpy.int64, 'float32', float, int."""
    if isinstance(value, External):
        root, _, name = value.qual.rpartition(".")
        if root in ("", "builtins"):
            return {"float": "float64", "int": "int64", "bool": "bool"}.get(name)
        if root == "numpy" and name in ("float", "int", "bool"):
            return {"float": "float64", "int": "int64", "bool": "bool"}[name]
        return DTYPES.get("bool" if name == "bool" else name)
    if isinstance(value, Unknown):
        key = value.key
        of = key[1] if isinstance(key, tuple) and len(key) == 3 and key[2] == "dtype" else None
        return "float" if isinstance(of, tuple) and of[0] == SOME_FLOAT else None
    name_ = const(value)
    return DTYPES.get(name_) if isinstance(name_, str) else None


def promoted(left: Value, right: Value) -> str | None:
    """The dtype of arithmetic between two operands."""
    if not isinstance(left, Tensor):
        left, right = right, left
    if not isinstance(left, Tensor):
        return None
    mine = left.dtype
    if isinstance(right, Const):
        value = right.value
        if mine is None or is_float(mine) or isinstance(value, bool):
            return mine
        if isinstance(value, float):
            return "float64" if "numpy" in left.dom.flags else "float32"
        return "int64" if mine == "bool" else mine
    if isinstance(right, SymInt):
        return "int64" if mine == "bool" else mine
    if not isinstance(right, Tensor):
        return "float" if is_float(mine) else None
    other = right.dtype
    if mine == other:
        return mine
    if is_float(mine) and is_float(other):
        return "float"
    if mine is None or other is None:
        return "float" if is_float(mine) or is_float(other) else None
    if is_float(mine) or is_float(other):
        numpy = "numpy" in left.dom.flags and "numpy" in right.dom.flags
        return "float" if numpy else mine if is_float(mine) else other
    if "uint8" in (mine, other) or not both_sized(left, right):
        return None
    return max(mine, other, key=INTS.index)


def both_sized(left: Tensor, right: Tensor) -> bool:
    """Whether both tensors are known to have at least one dimension (a 0-dim tensor yields in promotion)."""
    return bool(left.shape) and bool(right.shape) and len(left.shape or ()) > 0 and len(right.shape or ()) > 0


def integers(value: Value | None) -> list[int] | None:
    """An int or a sequence of ints as a list."""
    if (single := integer(value)) is not None:
        return [single]
    if isinstance(value, TupleV) and all(integer(v) is not None for v in value.items):
        return [n for v in value.items if (n := integer(v)) is not None]
    return None


def members(value: Value | None) -> list[Value] | None:
    """What a sequence holds, whatever the number of times; None where that is not known."""
    if isinstance(value, ListV):
        value = value.attrs.get("items")
    if isinstance(value, Choice):
        parts = [members(v) for _, v in value.alts]
        return [v for part_ in parts for v in part_ or []] if all(p is not None for p in parts) else None
    if not isinstance(value, TupleV):
        return None
    found: list[Value] = []
    for item in value.items:
        for inner in item.items if isinstance(item, StarV) else (item,):
            found.extend([v for _, v in inner.alts] if isinstance(inner, Choice) else [inner])
    return found


def is_probs(dom: Domain) -> bool:
    """Whether these are probabilities that sum to one (not scaled ones)."""
    return dom.kind == PROBS and "scaled" not in dom.flags
