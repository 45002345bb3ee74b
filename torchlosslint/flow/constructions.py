"""What the rules are told when a loss or an activation is made, or a loss function is called.

This happens where the call stands, whether or not the thing made is ever used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.contracts import LossContract, by_module
from torchlosslint.contracts.activations import ACTIVATIONS
from torchlosslint.flow.datasets import LOADERS
from torchlosslint.flow.domain import DATA, Domain
from torchlosslint.flow.values import (
    NONE,
    TRUE,
    Choice,
    ClassV,
    Const,
    External,
    ExtObj,
    Func,
    Place,
    StarV,
    Tensor,
    Value,
)
from torchlosslint.syntax import ir

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

CONSTRUCT = "construct"
LOSS_FUNCTION = "loss_function"
# What may be made for a loss and not be used.
CRITERION = "criterion"  # with weights
PARAMETER = "parameter"  # given to a class of the program
COMPUTED = "computed"  # class weights of scikit-learn
COUNTED = "counted"  # how often each class occurs
SAMPLERS = frozenset(
    {"torch.utils.data.WeightedRandomSampler", "torch.utils.data.sampler.WeightedRandomSampler"}
)
SAMPLER = "sampler"
_CHOOSERS = frozenset({"sampler", "batch_sampler", "**"})
# Samplers that draw every sample alike.
_EVEN = frozenset("RandomSampler SequentialSampler DistributedSampler".split())
COUNTERS = frozenset({"torch.bincount", "numpy.bincount"})
# `how` of values that the classes of labels were counted for.
FROM_COUNTS = frozenset({"bincount", "compute_class_weight"})


def made(m: Machine, obj: ExtObj, place: Place, frame: Frame) -> None:
    """An instance of a library class was made: told where it is a loss, an activation, or a loader
    that samples by weights.

    The event's data: "called", the last part of the name that was called ("MSELoss", "criterion");
    "sampled", of a loader.
    """
    contract = by_module(obj.qual)
    if contract is not None or obj.qual in ACTIVATIONS:
        if contract is not None and contract.parameters and (obj.args or obj.kwargs):
            _weighted(m, contract, obj, place)
        m.sink.event(m, CONSTRUCT, obj, place, frame, called=Const(_called_as(m.calling)))
    elif obj.qual in LOADERS and (len(obj.args) > 3 or obj.kwargs.keys() & _CHOOSERS):
        if _sampled(obj.kwargs.get("sampler")):
            m.sink.event(m, CONSTRUCT, obj, place, frame, called=Const("DataLoader"), sampled=TRUE)
        if any(_may_balance(v) for v in (*obj.args[3:5], *(obj.kwargs.get(n) for n in _CHOOSERS))):
            m.sink.event(m, SAMPLER, obj, place, frame)


def _may_balance(sampler: Value | None) -> bool:
    """Whether a sampler may draw some classes more often than others, for all that is known."""
    found = [v for _, v in sampler.alts] if isinstance(sampler, Choice) else [sampler]
    plain = [isinstance(v, ExtObj) and v.qual.rsplit(".", 1)[-1] in _EVEN for v in found]
    return any(not even and v is not None and v != NONE for even, v in zip(plain, found, strict=True))


def _sampled(sampler: Value | None) -> bool:
    """Whether a loader draws its samples by weights, whatever is chosen."""
    found = [v for _, v in sampler.alts] if isinstance(sampler, Choice) else [sampler]
    return all(isinstance(v, ExtObj) and v.qual in SAMPLERS for v in found)


def _weighted(m: Machine, contract: LossContract, obj: ExtObj, place: Place) -> None:
    given = dict(zip(contract.module_params, obj.args, strict=False)) | obj.kwargs
    for parameter in contract.parameters:
        value = given.get(parameter.name)
        if isinstance(value, Tensor):
            m.made[CRITERION, place] = obj


def counted(m: Machine, counts: Value, place: Place) -> None:
    """The classes of some labels were counted: what is made of it may be meant for a loss."""
    if isinstance(counts, Tensor):
        m.made[COUNTED, place] = counts


def given(
    m: Machine, cls: ClassV, init: Func, args: list[Value], kwargs: dict[str, Value], place: Place
) -> None:
    """A class of the program is made with arguments: a row of floats, or one that came of counting
    classes, is noted."""
    names = [p.name for p in init.node.params][1:]
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        if isinstance(value, Tensor) and _row(value):
            m.made[PARAMETER, place] = value
            m.given[place] = (cls, init, name)


def _row(value: Tensor) -> bool:
    """Whether this is a row of two floats or more, or came of counting classes."""
    if value.dom.how in FROM_COUNTS:
        return True
    shape = value.shape
    return (
        shape is not None and len(shape) == 1 and isinstance(shape[0], int) and shape[0] > 1
    ) and value.dtype in ("float32", "float64")


def computed(m: Machine, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame) -> Value:
    """compute_class_weight of scikit-learn: an array of doubles, one for each class."""
    dom = Domain(DATA, "compute_class_weight", flags=frozenset({"numpy"}))
    weights = m.made[COMPUTED, place] = Tensor(dom, "float64", grad=False)
    return weights


def called(
    m: Machine,
    contract: LossContract,
    qual: str,
    args: list[Value],
    given: dict[str, Value],
    place: Place,
    frame: Frame,
) -> None:
    """A loss function was called. The event's data: the arguments by name, as far as they are known;
    "**" where further ones may have been spread."""
    params = contract.params_of(qual)
    data = {name: given[name] for name in params if name in given}
    if "**" in given or any(isinstance(a, StarV) for a in args):
        data["**"] = Const(True)
    m.sink.event(m, LOSS_FUNCTION, External(qual), place, frame, **data)


def _called_as(callee: ir.Expr | None) -> str:
    if isinstance(callee, ir.Attr):
        return callee.attr
    return callee.id if isinstance(callee, ir.Name) else ""
