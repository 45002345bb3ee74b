"""Shapes, dtypes, devices and settings of a call. No number is read."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from torchlosslint.contracts import base as b
from torchlosslint.runtime.call import BY_SAMPLE, ELEMENTWISE, INDEXED, Call, shape
from torchlosslint.runtime.findings import LIKELY, Problem

_RAISES = frozenset({b.RAISE, b.RAISE_BACKWARD})


def settings(call: Call) -> Iterator[Problem]:
    """What the configuration alone shows: TLL503 to TLL505."""
    old = [name for name in call.contract.deprecated if name in call.args and call.args[name] is not None]
    if old:
        yield Problem(
            "TLL503",
            f"{call.name} is given {' and '.join(old)}, an old name of a reduction.",
            'Say reduction="mean", "sum" or "none".',
        )
    if call.key == "kl_div" and call.config.get("reduction") == "mean" and _rank(call.input) > 1:
        yield Problem(
            "TLL504",
            f"{call.name} divides by all {math.prod(call.input.shape)} elements, not by the batch of "
            f"{call.input.shape[0]}: the value is no divergence, and changes with the number of classes.",
            'Say reduction="batchmean".',
            evidence=(("input", shape(call.input)),),
        )
    if not call.contract.autocast_safe and call.autocast and call.input.device.type != "cpu":
        yield Problem(
            "TLL505",
            f"{call.name} raises inside autocast of {call.input.device.type}.",
            "Use BCEWithLogitsLoss on the raw scores, or leave autocast for the loss.",
        )


def devices(call: Call) -> Iterator[Problem]:
    """Everything beside the input on the device of the input."""
    x = call.input
    if not isinstance(x, torch.Tensor):
        return
    for name, _, value in call.weights():
        if isinstance(value, torch.Tensor) and value.device != x.device and value.dim():
            yield Problem(
                "TLL403",
                f"`{name}` is on {value.device}, the scores on {x.device}.",
                f"Move the criterion (criterion.to({str(x.device)!r})), or the weights.",
                evidence=((name, str(value.device)), ("input", str(x.device))),
            )
    y = call.target
    if call.contract.target == b.SEQUENCE or not isinstance(y, torch.Tensor):
        return  # CTC takes targets on the CPU
    if y.device != x.device and (y.dim() or call.contract.target not in ELEMENTWISE):
        yield Problem(
            "TLL705",
            f"The target of {call.name} is on {y.device}, the input on {x.device}.",
            f"Move the target: target.to({str(x.device)!r}).",
            evidence=(("target", str(y.device)), ("input", str(x.device))),
        )


def target(call: Call) -> Iterator[Problem]:
    """The target's type and shape against the input's: TLL202, TLL301 to TLL305."""
    x, y = call.input, call.target
    if call.contract.target == b.NO_TARGET or not isinstance(x, torch.Tensor):
        return
    if not isinstance(y, torch.Tensor):
        if y is not None:
            yield Problem(
                "TLL302",
                f"{call.name} gets a target of type {type(y).__name__}, and wants a tensor.",
                "Make it a tensor: torch.as_tensor(target).",
            )
        return
    if not _is_float(x) and _is_float(y) and not call.contract.symmetric:
        yield Problem(
            "TLL305",
            f"{call.name} gets {x.dtype} as its input and {y.dtype} as its target: labels and predictions "
            "changed places.",
            "Give the predictions first.",
            evidence=_both(x, y),
        )
        return
    if _backwards(call):
        yield Problem(
            "TLL305",
            f"{call.name} gets a target that carries gradient and an input that does not: predictions and "
            "labels changed places.",
            "Give the predictions first.",
        )
    if call.contract.target in INDEXED:
        yield from _indexed(call, x, y)
    elif call.contract.target == b.CLASS_LIST:
        yield from _listed(call, x, y)
    elif call.contract.target in ELEMENTWISE:
        yield from _elementwise(call, x, y)


def _backwards(call: Call) -> bool:
    """Gradient into the target alone, where the loss is no distance and no divergence."""
    if call.contract.symmetric or call.key in ("kl_div", "cross_entropy", "poisson_nll"):
        return False
    given = [call.args.get(name) for name in call.contract.inputs]
    given += [call.input]
    return _grad(call.target) and not any(_grad(t) for t in given)


def _indexed(call: Call, x: torch.Tensor, y: torch.Tensor) -> Iterator[Problem]:
    classes = call.classes
    probabilities = call.contract.target == b.CLASS_INDEX_OR_PROBS
    wanted = tuple(x.shape[:1]) + tuple(x.shape[2:]) if x.dim() > 1 else ()
    same = y.shape == x.shape and x.dim() > 0
    if call.contract.owns_layer:
        wanted, same = tuple(x.shape[:1]) if x.dim() > 1 else (), False
        if call.key == "linear_cross_entropy":
            wanted = tuple(x.shape[:-1])
            if probabilities and _is_float(y):
                return
    soft = same and _is_float(y) and probabilities
    single = call.contract.activation == "softmax" and classes == 1 and not call.contract.owns_layer
    if single and x.dim() and (soft or tuple(y.shape) == wanted):
        yield Problem(
            "TLL202",
            f"{call.name} runs softmax over a single class, whose probability is always 1: the loss is "
            "always 0.",
            "Use BCEWithLogitsLoss for a single unit, or give the head one unit for each class.",
            evidence=_both(x, y),
        )
    if soft:
        return
    if same and (classes or 0) > 1 and x.dim() > 1:
        yield Problem(
            "TLL301",
            f"{call.name} wants class indices of shape {wanted}, and gets {y.dtype} of the scores' shape "
            f"{shape(y)}: one-hot rows.",
            "Give it the indices: target.argmax(dim=1).",
            evidence=_both(x, y),
        )
        return
    if tuple(y.shape) != wanted and not (call.key == "multi_margin" and x.dim() < 2):
        yield _misshaped(call, x, y, wanted)
        return
    dtypes = call.contract.index_dtypes
    if x.dim() > 2 and call.contract.spatial_index_dtypes and not call.contract.owns_layer:
        dtypes = call.contract.spatial_index_dtypes
    if dtypes and _word(y.dtype) not in dtypes:
        yield Problem(
            "TLL302",
            f"{call.name} wants class indices of dtype int64, and gets {_word(y.dtype)}: it raises.",
            "Convert the labels once where they are loaded: target.long().",
            evidence=_both(x, y),
        )


def _listed(call: Call, x: torch.Tensor, y: torch.Tensor) -> Iterator[Problem]:
    """Class indices of each sample, filled up with -1."""
    if y.shape != x.shape:
        yield _misshaped(call, x, y, tuple(x.shape))
    elif _word(y.dtype) not in call.contract.index_dtypes:
        yield Problem(
            "TLL302",
            f"{call.name} wants lists of class indices of dtype int64, and gets {_word(y.dtype)}: it raises.",
            "Convert the labels once where they are loaded: target.long().",
            evidence=_both(x, y),
        )


def _misshaped(call: Call, x: torch.Tensor, y: torch.Tensor, wanted: tuple[int, ...]) -> Problem:
    last = x.dim() > 2 and tuple(y.shape) == tuple(x.shape[:-1])
    if last:
        hint = "Move the classes to dimension 1: scores.transpose(1, -1), or flatten both."
    elif tuple(y.shape) == (*wanted[:1], 1, *wanted[1:]):
        hint = "Squeeze dimension 1 of the target."
    else:
        hint = "Give the target the scores' shape without the class dimension."
    return Problem(
        "TLL303",
        f"{call.name} gets scores of shape {shape(x)} and a target of shape {shape(y)}, and wants class "
        f"indices of shape {wanted}.",
        hint,
        evidence=_both(x, y),
    )


def _elementwise(call: Call, x: torch.Tensor, y: torch.Tensor) -> Iterator[Problem]:
    yield from _element_dtype(call, x, y)
    if call.key == BY_SAMPLE:
        wanted = tuple(x.shape[:-1])
        if tuple(y.shape) != wanted and y.numel() != 1:
            yield Problem(
                "TLL303",
                f"{call.name} gets inputs of shape {shape(x)} and a target of shape {shape(y)}, and wants "
                f"one label a pair: {wanted}.",
                "Give it a target of one dimension.",
                evidence=_both(x, y),
            )
        return
    if x.shape == y.shape:
        return
    together = _broadcast(tuple(x.shape), tuple(y.shape))
    contract = call.contract
    strict = contract.raises_on_size == b.RAISE and contract.on_broadcast == b.RAISE
    crossed = _crossed(x, y) or _crossed(y, x)
    wide = together is not None and math.prod(together) > max(x.numel(), y.numel())
    if crossed if strict else wide:
        yield Problem(
            "TLL304",
            f"{call.name} gets predictions of shape {shape(x)} and a target of shape {shape(y)}: "
            + (
                "it raises."
                if contract.raises_on_size == b.RAISE
                else "every prediction is compared with every target."
            ),
            "Squeeze the last dimension of the one, or unsqueeze(1) the other.",
            evidence=(*_both(x, y), ("compared as", together)),
        )
    elif together is None or strict:
        yield Problem(
            "TLL303",
            f"{call.name} compares element by element, and gets shapes {shape(x)} and {shape(y)}: it raises.",
            "Bring both to the same shape.",
            evidence=_both(x, y),
        )
    elif x.numel() != 1 and y.numel() != 1 and x.numel() != y.numel():
        yield Problem(
            "TLL304",
            f"{call.name} gets shapes {shape(x)} and {shape(y)}, and repeats the smaller to fit.",
            "Bring both to the same shape; say expand where the repetition is meant.",
            LIKELY,
            _both(x, y),
        )


def _crossed(longer: torch.Tensor, shorter: torch.Tensor) -> bool:
    """(N, 1) against (N,), with more dimensions (N, T, 1) against (N, T)."""
    return (
        longer.dim() == shorter.dim() + 1
        and longer.shape[-1] == 1
        and shorter.dim() > 0
        and shorter.shape[-1] != 1
        and longer.shape[:-1] == shorter.shape
    )


def _element_dtype(call: Call, x: torch.Tensor, y: torch.Tensor) -> Iterator[Problem]:
    contract = call.contract
    if y.dtype == torch.bool:
        what = contract.bool_target
    elif not _is_float(y):
        what = contract.integer_target
    elif y.dtype == torch.float64 and x.dtype == torch.float32 and not call.autocast:
        what = contract.double_target
    else:
        return
    if what in _RAISES:
        raises = "it raises" if what == b.RAISE else "backward() raises"
        yield Problem(
            "TLL302",
            f"{call.name} wants targets of dtype {_word(x.dtype)}, and gets {_word(y.dtype)}: {raises}.",
            "Convert the target: target.to(input.dtype).",
            evidence=_both(x, y),
        )


def weight(call: Call) -> Iterator[Problem]:
    """Class weights: a tensor, one floating-point number a class."""
    x = call.input
    if not isinstance(x, torch.Tensor):
        return
    for name, length, value in call.weights():
        if not isinstance(value, torch.Tensor):
            yield Problem(
                "TLL403",
                f"`{name}` of {call.name} is a {type(value).__name__}, and has to be a tensor.",
                f"Say {name}=torch.tensor(...).",
            )
        elif length == "classes" and call.classes is not None and not call.contract.owns_layer:
            if value.dim() != 1 or value.shape[0] != call.classes:
                yield Problem(
                    "TLL403",
                    f"`{name}` of {call.name} has shape {shape(value)}, the scores have "
                    f"{call.classes} classes.",
                    f"Give one weight for each of the {call.classes} classes.",
                    evidence=((name, shape(value)), ("input", shape(x))),
                )
            elif value.dtype != x.dtype and not call.autocast:
                yield Problem(
                    "TLL403",
                    f"`{name}` of {call.name} is {_word(value.dtype)}, the scores are {_word(x.dtype)}.",
                    f"Convert it: {name}.to({_word(x.dtype)}).",
                    evidence=((name, _word(value.dtype)), ("input", _word(x.dtype))),
                )
        elif length != "classes" and _broadcast(tuple(value.shape), tuple(x.shape)) != tuple(x.shape):
            yield Problem(
                "TLL403",
                f"`{name}` of {call.name} has shape {shape(value)}, which does not fit scores of "
                f"shape {shape(x)}.",
                "Give one weight for each class (the last dimension), or a tensor that broadcasts.",
                evidence=((name, shape(value)), ("input", shape(x))),
            )


def _both(x: torch.Tensor, y: torch.Tensor) -> tuple[tuple[str, object], ...]:
    return (("input", f"{_word(x.dtype)} {shape(x)}"), ("target", f"{_word(y.dtype)} {shape(y)}"))


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _rank(tensor: object) -> int:
    return tensor.dim() if isinstance(tensor, torch.Tensor) else 0


def _is_float(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _grad(tensor: object) -> bool:
    return isinstance(tensor, torch.Tensor) and tensor.requires_grad


def _broadcast(a: tuple[int, ...], c: tuple[int, ...]) -> tuple[int, ...] | None:
    """Done by hand: torch.broadcast_shapes loads much that a training does not need."""
    longest = max(len(a), len(c))
    pairs = zip((1,) * (longest - len(a)) + a, (1,) * (longest - len(c)) + c, strict=True)
    found = []
    for left, right in pairs:
        if left != right and 1 not in (left, right):
            return None
        found.append(right if left == 1 else left)
    return tuple(found)
