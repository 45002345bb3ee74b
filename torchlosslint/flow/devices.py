"""Where tensors and modules are, as far as the program says so: enough to see weights that were left behind.

`Machine.moved` has the modules that `.to(device)` or `.cuda()` was called on, with what they hold: buffers
of a criterion move with it. Branches are not told apart: what may have been moved counts as moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow.facts import disjoin
from torchlosslint.flow.values import (
    CPU,
    MOVED,
    NO_GUARD,
    Choice,
    Const,
    DictV,
    ExtObj,
    Instance,
    ListV,
    Obj,
    StarV,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

MOVES = frozenset("to cuda cpu xpu mps npu to_empty".split())
_ACCELERATORS = ("cuda", "mps", "xpu", "npu", "hpu")
# Calls after which tensors are made elsewhere than on the CPU.
DEFAULTS = frozenset({"torch.set_default_device", "torch.set_default_tensor_type"})
_LARGE = 2_000  # objects that are moved at once


def kind(value: Value | None) -> object:
    """What a device is: CPU; the guard under which it is an accelerator; MOVED for the rest."""
    if isinstance(value, ExtObj) and value.qual == "torch.device":
        return kind(value.args[0] if value.args else value.kwargs.get("device"))
    if isinstance(value, Choice):
        kinds = [(g, kind(v)) for g, v in value.alts]
        guards = [g | k for g, k in kinds if isinstance(k, frozenset)]
        return disjoin(guards) if guards else CPU if all(k == CPU for _, k in kinds) else MOVED
    if isinstance(value, Const):
        if isinstance(value.value, str) and not value.value.startswith(_ACCELERATORS):
            return CPU if value.value == "cpu" else MOVED
        return NO_GUARD if isinstance(value.value, str) or type(value.value) is int else MOVED
    return MOVED


def asked(name: str, args: list[Value], kwargs: dict[str, Value]) -> object:
    """Where a method moves its object; "" where it moves nothing (`.to(torch.float64)`)."""
    if name in ("cpu", "cuda", "xpu", "mps", "npu"):
        return CPU if name == "cpu" else NO_GUARD
    given = kwargs.get("device", args[0] if args else None)
    dtype = getattr(given, "qual", "").startswith("torch.") and not isinstance(given, ExtObj)
    return "" if given is None or dtype or names_dtype(given) else kind(given)


def names_dtype(value: Value | None) -> bool:
    """Whether an unknown is the dtype of something: nothing else is asked of a tensor by that name."""
    key = value.key if isinstance(value, Unknown) else None
    return isinstance(key, tuple) and len(key) == 3 and key[0] in ("attr", "param") and key[2] == "dtype"


def move(m: Machine, obj: Value, name: str, args: list[Value], kwargs: dict[str, Value]) -> None:
    """A module is moved with all it holds. One that is moved to several devices is nowhere in particular."""
    where = asked(name, args, kwargs)
    if where != "":
        _move(m, obj, where | m.facts if isinstance(where, frozenset) else MOVED, set())


def _move(m: Machine, obj: Value, where: object, seen: set[int]) -> None:
    if isinstance(obj, Choice):
        for _, alternative in obj.alts:
            _move(m, alternative, where, seen)
    elif isinstance(obj, (TupleV, StarV)):
        for part in obj.items:
            _move(m, part, where, seen)
    elif isinstance(obj, (Instance, ExtObj, ListV, DictV)) and id(obj) not in seen and len(seen) < _LARGE:
        seen.add(id(obj))
        m.moved[obj.serial] = where if m.moved.get(obj.serial, where) == where else MOVED
        for part in (*obj.attrs.values(), *(obj.args if isinstance(obj, ExtObj) else ())):
            if isinstance(part, (Obj, TupleV, Choice)):
                _move(m, part, where, seen)


def placed(m: Machine, tensor: Tensor, module: Obj) -> Tensor:
    """What a module gives is where the module is."""
    where = m.moved.get(module.serial, "")
    return tensor.with_(device=where) if where != "" and not m.elsewhere else tensor


def apart(m: Machine, scores: Value, weight: Value, criterion: Obj | None) -> bool:
    """Whether weights are on the CPU and the scores on an accelerator, where there is one."""
    if not isinstance(scores, Tensor) or not isinstance(weight, Tensor) or weight.device != CPU:
        return False
    if not isinstance(scores.device, frozenset) or not m.consistent(scores.device):
        return False
    return criterion is None or criterion.serial not in m.moved
