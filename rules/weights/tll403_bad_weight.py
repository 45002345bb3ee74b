"""TLL403."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import LossContract, by_function, by_module
from torchlosslint.contracts.base import Parameter
from torchlosslint.flow.domain import NUMBER, Domain
from torchlosslint.flow.values import CPU, Const, DictV, External, ExtObj, ListV, Place, Tensor, TupleV, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import CHOOSING, is_none, options, size_of_classes

_INTEGERS = frozenset({"int64", "int32", "int16", "int8", "uint8", "bool"})
_FLOATS = frozenset({"float64", "float16", "bfloat16"})
# Losses that accept weights of any type of numbers: torch promotes.
_PROMOTE = "broadcast"


class BadWeight(Rule):
    """The weights given to a loss are no tensor, or one of the wrong type or length, or upside down.

    What it does
        Follows `weight` and `pos_weight` to where a loss is made or called: a list or a number where
        torch wants a tensor, integers or doubles where the scores are float32, a length that is not
        the number of classes, negative numbers, class counts themselves where their inverse is meant, and
        a `pos_weight` of positives / negatives instead of negatives / positives. A sampler by weights
        beside weights of the loss is a warning. A tensor of weights that is made on the CPU and never
        moved, beside a network that is moved to an accelerator (`.cuda()`, `.to(device)` with a device
        that is "cuda" on a machine that has one); a criterion that is moved itself takes its weights along.

    Why it is bad
        The first ones raise, some of them only at the first batch. Negative weights and counts do not
        raise. A negative weight rewards mistakes; counts make the frequent classes count even more, and
        positives / negatives make the rare positives count less.

    Example
        Wrong::

            nn.CrossEntropyLoss(weight=[0.2, 0.8])
            nn.CrossEntropyLoss(weight=torch.tensor([1, 4]))
            nn.CrossEntropyLoss(weight=torch.bincount(labels).float())

        Right::

            nn.CrossEntropyLoss(weight=torch.tensor([0.2, 0.8]))
            counts = torch.bincount(labels)
            nn.CrossEntropyLoss(weight=counts.sum() / (len(counts) * counts))

    When it is wrong to fix
        The frequent classes are meant to count more.
    """

    code = "TLL403"
    name = "bad-weight"
    severity = "error"
    watches = frozenset({"construct", "loss"})

    def check_event(self, event: Event) -> Iterable[Problem]:
        value = event.value
        if event.kind == "construct" and isinstance(value, ExtObj):
            contract = by_module(value.qual)
            if contract is not None:
                given = dict(zip(contract.module_params, value.args, strict=False)) | value.kwargs
                yield from _no_tensor(contract, given, True)
        elif event.kind == "loss_function" and isinstance(value, External):
            contract = by_function(value.qual)
            if contract is not None and contract.key != "multilabel_soft_margin":  # multiplies by anything
                yield from _no_tensor(contract, event.data, False)

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        made: dict[Place, Event] = {e.place: e for e in history.of("construct")}
        yield from _twice(history)
        for use in history.losses:
            for parameter in use.contract.parameters:
                value = use.config.get(parameter.name)
                if value is None or is_none(value):
                    continue
                problems = [_wrong(use, parameter, v) for v in options(value) if not is_none(v)]
                first = problems[0] if problems else None
                if first is not None and all(p is not None for p in problems):
                    yield made.get(use.made, use) if use.made is not None else use, first


def _twice(history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
    """Rare classes are drawn more often, and count more as well."""
    loaders = [e for e in history.of("construct") if "sampled" in e.data]
    if not loaders:
        return
    trained = [u for u in history.losses if u.contract.key in CHOOSING and not u.no_grad]
    for use in trained:
        weight = use.config.get("weight")
        # A pixel's class weights do other work than a sampler of images does.
        flat = isinstance(use.input, Tensor) and use.input.shape is not None and len(use.input.shape) == 2
        if flat and weight is not None and all(isinstance(v, Tensor) for v in options(weight)):
            yield (
                loaders[0],
                Problem(
                    f"The loader draws samples by weights, and {use.name or use.contract.title} weighs the "
                    "classes too: rare classes are favoured twice.",
                    "Keep one of the two: the sampler, or the weight of the loss.",
                    severity="warning",
                ),
            )
            return


def _no_tensor(contract: LossContract, given: dict[str, Value], module: bool) -> Iterable[Problem]:
    for parameter in contract.parameters:
        value = given.get(parameter.name)
        if value is None or is_none(value) or (module and not parameter.module):
            continue
        kinds = {_kind(v) for v in options(value) if not is_none(v)}
        if "" in kinds:
            continue
        yield Problem(
            f"{parameter.name} is {' or '.join(sorted(kinds))}, and torch wants a tensor: it raises.",
            f"Write {parameter.name}=torch.tensor(..., dtype=torch.float32), on the device of the scores.",
        )


def _kind(value: Value) -> str:
    """What a value is that is no tensor; "" where it may be one."""
    if isinstance(value, ListV):
        return "a list"
    if isinstance(value, TupleV):
        return "a tuple"
    if isinstance(value, DictV):
        return "a dict"
    if isinstance(value, Const) and value.value is not None:
        return "a number" if isinstance(value.value, (int, float)) else "a string"
    if isinstance(value, Tensor) and "numpy" in value.dom.flags:
        return "a numpy array"
    return ""


def _wrong(use: LossUse, parameter: Parameter, value: Value) -> Problem | None:
    """What is wrong with one weight tensor at one loss."""
    if not isinstance(value, Tensor) or "numpy" in value.dom.flags:
        return None
    name, title = parameter.name, use.name or use.contract.title
    scores = use.input if isinstance(use.input, Tensor) else None
    strict = parameter.length != _PROMOTE
    if strict and value.dtype in _INTEGERS:
        return Problem(
            f"{name} of {title} has dtype {value.dtype} and the scores are floats: torch raises at the first "
            "batch.",
            f"Make it float32: {name}=torch.tensor([...], dtype=torch.float32), or {name}.float().",
            tensor=value,
        )
    if (
        strict
        and value.dtype in _FLOATS
        and use.autocast is None
        and scores is not None
        and scores.dtype == "float32"
    ):
        return Problem(
            f"{name} of {title} has dtype {value.dtype} and the scores have float32: torch raises at the "
            "first batch.",
            f"Make it float32: {name}.float(). Numbers from numpy and scikit-learn are float64.",
            tensor=value,
        )
    on_accelerator = scores is not None and isinstance(scores.device, frozenset)
    # A single number on the CPU goes with tensors anywhere.
    if on_accelerator and value.device == CPU and (value.shape or (value.shape is None and strict)):
        return Problem(
            f"{name} of {title} stays on the CPU, and the scores come out of a network that is moved to "
            "an accelerator: torch raises there at the first batch.",
            f"Move it where the network is: {name}.to(device), or criterion.to(device).",
            tensor=value,
        )
    length = value.shape[0] if value.shape is not None and len(value.shape) == 1 else None
    if isinstance(length, int) and scores is not None:
        problem = _length(use, parameter, length, scores)
        if problem is not None:
            return problem
    if value.dom.low is not None and value.dom.low < 0 and _has_its_least(value.dom):
        return Problem(
            f"{name} of {title} has the number {value.dom.low:g}: where a weight is negative, being wrong "
            "makes the loss smaller, and it falls without end.",
            "Give weights that are zero or more.",
            tensor=value,
        )
    if value.dom.how == "positives/negatives" and name == "pos_weight":
        return Problem(
            f"pos_weight of {title} is the number of positives divided by that of negatives: the rarer the "
            "positives are, the less they count.",
            "Turn it over: pos_weight = negatives / positives.",
            tensor=value,
        )
    if value.dom.how == "bincount" and parameter.length == "classes":
        return Problem(
            f"{name} of {title} is the number of samples of each class: the frequent classes, which "
            "dominate the loss already, count even more.",
            "Give the inverse: weight = counts.sum() / (len(counts) * counts).",
            tensor=value,
        )
    return None


def _has_its_least(dom: Domain) -> bool:
    """Whether the lower bound is one of the numbers, and not only a bound."""
    return dom.kind == NUMBER or "listed" in dom.flags


def _length(use: LossUse, parameter: Parameter, length: int, scores: Tensor) -> Problem | None:
    name, title = parameter.name, use.name or use.contract.title
    if parameter.length == "classes":
        classes = size_of_classes(use)
        if classes is None or classes == length:
            return None
        return Problem(
            f"{name} of {title} has {length} numbers and the scores have {classes} classes: torch raises.",
            f"Give one number for each of the {classes} classes, in their order.",
            tensor=value_of(use, name),
        )
    if parameter.length == "broadcast" and scores.shape:
        last = scores.shape[-1]
        if isinstance(last, int) and length > 1 and last != length:
            return Problem(
                f"{name} of {title} has {length} numbers and does not fit the last dimension of the scores, "
                f"which is {last}: torch raises.",
                f"Give {last} number{'' if last == 1 else 's'}, or a shape that broadcasts to the scores.",
                tensor=value_of(use, name),
            )
    return None


def value_of(use: LossUse, name: str) -> Tensor | None:
    """The weight itself where it is one tensor: its steps are shown."""
    value = use.config.get(name)
    return value if isinstance(value, Tensor) else None
