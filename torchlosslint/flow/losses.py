"""Where a torch loss is reached: arguments are bound by its contract and the rules are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlosslint.contracts import LossContract, by_function, by_module
from torchlosslint.flow.domain import ANY, POSITIVE, Domain
from torchlosslint.flow.values import (
    Const,
    ExtObj,
    Place,
    StarV,
    Step,
    Tensor,
    TupleV,
    Unknown,
    Value,
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
    place: Place = NOWHERE
    name: str = ""  # as the program calls it: "F.cross_entropy", "CrossEntropyLoss"
    made: Place | None = None


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
    reached = _loss(m, contract, given, contract.input_arg, contract.target_arg, config)
    reached.place, reached.name, reached.made = place, contract.title, obj.place
    return _tell(m, reached, frame)


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
    given = bind(args, kwargs, contract.params_of(qual))
    input_arg = contract.function_input_arg or contract.input_arg
    target_arg = contract.function_target_arg or contract.target_arg
    reached = _loss(m, contract, given, input_arg, target_arg, dict(given))
    last = qual.rsplit(".", 1)[-1]
    reached.place, reached.name = place, f"F.{last}" if ".functional." in qual else last
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


def _loss(
    m: Machine,
    contract: LossContract,
    given: dict[str, Value],
    input_arg: str,
    target_arg: str,
    config: dict[str, Value],
) -> LossReached:
    missing = Unknown("an argument that was spread or left out")
    return LossReached(
        contract,
        m.read(given.get(input_arg, missing)),
        m.read(given.get(target_arg, missing)),
        {k: v for k, v in config.items() if k not in (input_arg, target_arg)},
    )


def _tell(m: Machine, reached: LossReached, frame: Frame) -> Value:
    """Report the loss; what it gives."""
    m.sink.loss(m, reached, frame)
    result = _result(reached, reached.place)
    if reached.contract.loss_attr:
        return TupleV((Tensor(ANY, role="model"), result), ("output", "loss"))
    return result


def _result(reached: LossReached, place: Place) -> Tensor:
    reduction = reached.config.get("reduction")
    unreduced = isinstance(reduction, Const) and reduction.value == "none"
    shape = None if unreduced or (reduction is not None and not isinstance(reduction, Const)) else ()
    return Tensor(
        Domain(POSITIVE, how="loss"),
        "float32",
        shape,
        True,
        role="loss",
        trail=Step(getattr(reached.input, "trail", None), place, f"{reached.contract.title} is computed"),
    )
