"""What the rules about constructors share."""

from __future__ import annotations

from collections.abc import Iterator

from torchlosslint.contracts import by_module
from torchlosslint.contracts.activations import ACTIVATIONS
from torchlosslint.flow.values import Choice, Const, ExtObj, StarV, Tensor, Unknown, Value
from torchlosslint.rule import Event, History

_SWITCHES = frozenset({"size_average", "reduce", "reduction"})


def options(value: Value) -> Iterator[Value]:
    """The alternatives of a value."""
    if isinstance(value, Choice):
        for _, alternative in value.alts:
            yield alternative
    else:
        yield value


def is_tensor(value: Value | None) -> bool:
    """Whether the value is a tensor on every way that is known, and on one at least."""
    return value is not None and all(isinstance(v, Tensor) for v in options(value))


def bound(obj: ExtObj, params: tuple[str, ...]) -> dict[str, Value]:
    """The arguments of a constructor by name, up to the first that was spread."""
    out: dict[str, Value] = {}
    for name, value in zip(params, obj.args, strict=False):
        if isinstance(value, StarV):
            break
        out[name] = value
    out.update(obj.kwargs)
    return out


def mistaken_for_a_function(obj: ExtObj) -> str:
    """What shows that the constructor of a loss or activation was called in place of the instance:
    "raises" where Python refuses the arguments, "tensors" where they end in settings, "" otherwise."""
    contract = by_module(obj.qual)
    if contract is not None:
        params, call_params = contract.module_params, contract.forward_params
        tensors = {p.name for p in contract.parameters if p.module}
    elif obj.qual in ACTIVATIONS:
        params, call_params, tensors = ACTIVATIONS[obj.qual], ("input",), set()
    else:
        return ""
    positional = []
    for value in obj.args:
        if isinstance(value, StarV):
            break
        positional.append(value)
    if len(positional) > len(params) or any(
        name in obj.kwargs and name not in params for name in call_params
    ):
        return "raises"
    if any(name in obj.kwargs for name in params[: len(positional)]):
        return "raises"
    given = bound(obj, params)
    for name, value in given.items():
        if name in tensors or name not in params or not is_tensor(value):
            continue
        if contract is None or name in _SWITCHES or any(_has_dimensions(v) for v in options(value)):
            return "tensors"
    return ""


def _has_dimensions(value: Value) -> bool:
    return isinstance(value, Tensor) and (value.role == "model" or bool(value.shape))


def called_as(event: Event) -> str:
    """The last part of the name that the program called."""
    name = event.data.get("called")
    return str(name.value) if isinstance(name, Const) else ""


def by_its_name(event: Event, made: ExtObj) -> bool:
    """Whether the class was called by its own name, not through a variable that holds it."""
    return called_as(event) in (made.qual.rsplit(".", 1)[-1], "__init__")


def taken_for_the_loss(history: History) -> Iterator[tuple[Event, ExtObj]]:
    """Losses that were made of values of which little is known, and on which backward() is called: the
    module was taken for the loss that it computes."""
    used = {e.value.place for e in history.of("backward") if isinstance(e.value, ExtObj)}
    for event in history.of("construct") if used else ():
        made = event.value
        if isinstance(made, ExtObj) and event.place in used and like_a_call(made):
            yield event, made


def like_a_call(made: ExtObj) -> bool:
    """Whether a loss was made of two values or more that may be tensors, and of nothing else."""
    unknown = all(isinstance(v, (Unknown, Tensor)) for v in made.args)
    loss = by_module(made.qual) is not None
    return loss and len(made.args) > 1 and unknown and not made.kwargs and not mistaken_for_a_function(made)
