"""Losses of other libraries: constructed, called, told to the rules like torch's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.contracts.external import ExternalLoss
from torchlosslint.contracts.third_party import CONSTANTS, WRAPPERS, as_contract, by_name
from torchlosslint.flow import losses
from torchlosslint.flow.values import (
    NONE,
    Const,
    External,
    ExtObj,
    ListV,
    Place,
    StarV,
    TupleV,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame


def call_function(
    m: Machine, qual: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """A loss function of another library; None for anything else."""
    record = by_name(qual)
    if record is None or not record.is_function:
        return None
    given = losses.bind(args, kwargs, record.params)
    config = {k: v for k, v in given.items() if k not in record.call_params}
    return _reach(m, record, given, config, None, place, frame)


def call_object(
    m: Machine, obj: ExtObj, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """A loss object of another library is called; None for anything else."""
    record = by_name(obj.qual)
    if record is not None and not record.is_function:
        config = losses.bind(list(obj.args), obj.kwargs, record.params)
        config.update({k: v for k, v in obj.attrs.items() if isinstance(k, str) and k in record.params})
        if any(isinstance(a, StarV) for a in obj.args):
            config["**"] = m.unknown("spread from an unknown sequence")
        given = losses.bind(args, kwargs, record.call_params)
        return _reach(m, record, given, config, obj.place, place, frame)
    if obj.qual in WRAPPERS:
        inner = obj.args[0] if obj.args else obj.kwargs.get(WRAPPERS[obj.qual])
        if inner is not None and args:
            return _each(m, m.read(inner), args, kwargs, place, frame)
    return None


def _each(
    m: Machine, inner: Value, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """A wrapper hands its input to the loss inside, a list of inputs one by one."""
    first = m.read(args[0])
    held = first.attrs.get("items") if isinstance(first, ListV) else first
    if not isinstance(held, TupleV):
        return m.call(inner, args, kwargs, place, frame)
    result: Value = NONE
    for item in held.items:
        for one in item.items if isinstance(item, StarV) else (item,):
            result = m.call(inner, [one, *args[1:]], kwargs, place, frame)
    return result


def _reach(
    m: Machine,
    record: ExternalLoss,
    given: dict[str, Value],
    config: dict[str, Value],
    made: Place | None,
    place: Place,
    frame: Frame,
) -> Value:
    contract = as_contract(record)
    if record.input_field and contract.input_arg in given:
        whole = given[contract.input_arg]
        if isinstance(whole, (TupleV, ListV, ExtObj)):
            given = {**given, contract.input_arg: m.get_attr(whole, record.input_field, place)}
    plain = {name: _constant(value) for name, value in config.items()}
    if dict(record.defaults).get("reduction") == "none":
        plain.setdefault("reduction", Const("none"))
    return losses.reach(m, contract, given, plain, made, place, frame)


def _constant(value: Value) -> Value:
    """Constants of the libraries themselves: `losses.BINARY_MODE`."""
    if isinstance(value, External):
        name = value.qual.rsplit(".", 1)[-1]
        if value.qual.split(".")[0] in CONSTANTS and name in CONSTANTS[value.qual.split(".")[0]]:
            return Const(CONSTANTS[value.qual.split(".")[0]][name])
    return value
