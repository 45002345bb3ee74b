"""Where a torch loss is reached: arguments are bound by its contract and the rules are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING

from torchlosslint.contracts import LossContract, by_function, by_module
from torchlosslint.contracts.external import ExternalLoss
from torchlosslint.flow import constructions, devices
from torchlosslint.flow.domain import ANY, POSITIVE, Domain
from torchlosslint.flow.facts import choose
from torchlosslint.flow.values import (
    NO_ROOTS,
    NONE,
    VAGUE,
    Choice,
    Const,
    ExtObj,
    Place,
    Roots,
    StarV,
    Step,
    Tensor,
    TupleV,
    Unknown,
    Value,
    vague,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame


NOWHERE = Place("", 0)


@dataclass(slots=True)
class LossReached:
    """One loss call in one context; values may still hold alternatives."""

    contract: LossContract
    input: Value
    target: Value
    config: dict[str, Value] = field(default_factory=dict)
    given: dict[str, Value] = field(default_factory=dict)  # the arguments of the call, by name
    place: Place = NOWHERE
    name: str = ""  # as the program calls it: "F.cross_entropy", "CrossEntropyLoss"
    made: Place | None = None
    declared: ExternalLoss | None = None


def contract_of(qual: str) -> LossContract | None:
    """The contract of a loss class."""
    return by_module(qual)


def function_contract(qual: str) -> LossContract | None:
    """The contract of a loss function."""
    return by_function(qual)


def reach_module(
    m: Machine,
    contract: LossContract,
    obj: ExtObj,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
) -> Value:
    """An instance of a loss class is called."""
    config = dict(zip(contract.module_params, obj.args, strict=False))
    config.update(obj.kwargs)
    config.update({k: v for k, v in obj.attrs.items() if isinstance(k, str) and k in contract.module_params})
    given = bind(args, kwargs, contract.forward_params)
    takes = set(contract.forward_params)
    refused = not _spread(m, args, given) and (len(args) > len(takes) or given.keys() != takes)
    reached = _loss(m, contract, given, contract.input_arg, contract.target_arg, config)
    reached.place, reached.name, reached.made = place, contract.title, obj.place
    _compare_devices(m, reached, obj)
    return _refusal(m, reached, frame) if refused else _tell(m, reached, frame)


def _compare_devices(m: Machine, reached: LossReached, criterion: ExtObj | None) -> None:
    """Forget where the weights are, unless that is not where the scores are."""
    for parameter in reached.contract.parameters:
        weight = reached.config.get(parameter.name)
        if isinstance(weight, Tensor) and not devices.apart(m, reached.input, weight, criterion):
            reached.config[parameter.name] = weight.with_(device="")
        elif isinstance(weight, Choice):
            plain = [(g, v.with_(device="") if isinstance(v, Tensor) else v) for g, v in weight.alts]
            reached.config[parameter.name] = Choice(tuple(plain))


def reach_function(
    m: Machine,
    contract: LossContract,
    qual: str,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
) -> Value:
    """A loss function is called."""
    params = contract.params_of(qual)
    given = bind(args, kwargs, params)
    constructions.called(m, contract, qual, args, given, place, frame)
    input_arg = contract.function_input_arg or contract.input_arg
    target_arg = contract.function_target_arg or contract.target_arg
    config = {k: v for k, v in given.items() if k not in (input_arg, target_arg)}
    reached = _loss(m, contract, given, input_arg, target_arg, config)
    last = qual.rsplit(".", 1)[-1]
    reached.place, reached.name = place, f"F.{last}" if ".functional." in qual else last
    needed = {input_arg, target_arg} & set(params)
    refused = not _spread(m, args, given) and (len(args) > len(params) or not needed.issubset(given))
    _compare_devices(m, reached, None)
    return _refusal(m, reached, frame) if refused else _tell(m, reached, frame)


def reach(
    m: Machine,
    contract: LossContract,
    given: dict[str, Value],
    config: dict[str, Value],
    made: Place | None,
    place: Place,
    frame: Frame,
    declared: ExternalLoss | None = None,
) -> Value:
    """A loss is called with these arguments and settings, by name. declared: as the configuration has it."""
    reached = _loss(m, contract, given, contract.input_arg, contract.target_arg, config)
    reached.place, reached.name, reached.made = place, contract.title, made
    reached.declared = declared
    return _tell(m, reached, frame)


def bind(args: list[Value], kwargs: dict[str, Value], params: tuple[str, ...]) -> dict[str, Value]:
    """Arguments by parameter name."""
    out: dict[str, Value] = {}
    for name, value in zip(params, args, strict=False):
        if isinstance(value, StarV):
            break
        out[name] = value
    out.update(kwargs)
    return out


def _spread(m: Machine, args: list[Value], given: dict[str, Value]) -> bool:
    """Whether a call may have more arguments than are known; where it has not, Python refuses too many, and
    too few."""
    return m.spreading or "**" in given or any(isinstance(a, StarV) for a in args)


def _refusal(m: Machine, reached: LossReached, frame: Frame) -> Value:
    """The call raises before anything is computed: nothing is said of what it was given, but of what is done
    to the loss that it was meant to give."""
    result = _result(reached, frame.no_grad)
    reached.input = reached.target = Unknown("the loss does not take these arguments")
    reached.given = {}
    m.sink.loss(m, reached, frame)
    return result


_MISSING = Unknown("an argument that was spread or left out")


def _loss(
    m: Machine,
    contract: LossContract,
    given: dict[str, Value],
    input_arg: str,
    target_arg: str,
    config: dict[str, Value],
) -> LossReached:
    return LossReached(
        contract,
        m.read(given.get(input_arg, _MISSING)),
        _arrays_aside(m.read(given.get(target_arg, _MISSING))),
        config,
        given,
    )


def _arrays_aside(target: Value) -> Value:
    """Arrays beside something else: what turns them into tensors was not followed to its end."""
    if not isinstance(target, Choice):
        return target
    arrays = [isinstance(v, Tensor) and "numpy" in v.dom.flags for _, v in target.alts]
    if all(arrays) or not any(arrays):
        return target
    return choose(
        [
            (g, Unknown("an array or a tensor") if is_array else v)
            for (g, v), is_array in zip(target.alts, arrays, strict=True)
        ]
    )


def _tell(m: Machine, reached: LossReached, frame: Frame) -> Value:
    """Report the loss; what it gives."""
    m.sink.loss(m, reached, frame)
    result = _result(reached, frame.no_grad)
    if reached.contract.loss_attr:
        return TupleV((Tensor(ANY, role="model"), result), ("output", "loss"))
    return result


def _result(reached: LossReached, no_grad: bool) -> Tensor:
    """What the loss gives: a number, or as many as elements where the reduction is "none"."""
    reduced = _reduced(reached.config)
    flags = frozenset({"unreduced"}) if reduced is False else frozenset[str]()
    place = reached.place
    grad, cut, roots = _gradient(reached)
    if no_grad or grad is False:
        # A mark, so that a sum that is back-propagated tells that this term adds nothing to it.
        dead = grad is False and cut and not no_grad and getattr(reached.input, "role", "") == "model"
        grad, cut = False, "no_grad" if no_grad else cut
        roots = frozenset({("dead", place)}) if dead else NO_ROOTS
    else:
        roots = roots | {("loss", place)}
    if how := _averaged(reached):
        roots = roots | {(how, place)}
    dom = Domain(POSITIVE, how="loss", flags=flags)
    return Tensor(
        dom,
        "float32",
        () if reduced else None,
        grad,
        cut,
        role="loss",
        trail=Step(
            getattr(reached.input, "trail", None), place, f"{reached.contract.title} is computed", dom
        ),
        roots=roots,
    )


def _reduced(config: dict[str, Value]) -> bool | None:
    """Whether the loss comes out as one number; the deprecated `reduce` wins, as it does in torch."""
    old = config.get("reduce", NONE)
    if isinstance(old, Const) and old.value is not None:
        return bool(old.value)
    reduction = config.get("reduction")
    if not isinstance(old, Const) or not isinstance(reduction, (Const, NoneType)):
        return None
    return reduction is None or reduction.value != "none"


def _averaged(reached: LossReached) -> str:
    """Whether the number is the "mean" over the batch, or "summed"; "" where neither is known."""
    config = reached.config
    old = config.get("size_average", NONE)
    reduction = config.get("reduction")
    if config.get("reduce", NONE) != NONE or not isinstance(old, Const):
        return ""
    if old.value is not None:
        return "mean" if old.value else "summed"
    if reduction is None:
        return "mean" if reached.contract.default_reduction == "mean" else ""
    known = reduction.value if isinstance(reduction, Const) else ""
    return {"mean": "mean", "sum": "summed"}.get(str(known), "")


def _gradient(reached: LossReached) -> tuple[bool | None, str, Roots]:
    """Whether any argument carries a gradient, what cut it where none does, and where it leads."""
    grad: bool | None = False
    cut, roots = "", NO_ROOTS
    for value in reached.given.values():
        for part in [v for _, v in value.alts] if isinstance(value, Choice) else [value]:
            if vague(part):
                roots = roots | {VAGUE}
            if isinstance(part, Tensor):
                grad = True if part.grad else None if part.grad is None and grad is False else grad
                cut = cut or part.cut
                roots = roots | part.roots
            elif not isinstance(part, Const) and grad is False:
                grad = None
    return grad, cut, roots
