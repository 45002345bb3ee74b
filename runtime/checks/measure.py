"""Numbers about the tensors of a call, computed where the tensors are, into one small tensor.

Nothing here waits for an accelerator, and no result has a shape that depends on numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from torchlosslint.contracts import base as b
from torchlosslint.runtime.call import ELEMENTWISE, INDEXED, Call

COUNTED = 100_000  # labels are counted by class up to this many classes
AT_ONCE = 1 << 24  # numbers: larger tensors are looked at in parts, so that copies of them stay small
ARRIVED = 1.0  # the last of the packed numbers
_SUMS = frozenset({"x nan", "x +inf", "x first", "y nan", "y inf", "y not 0 1", "y not -1 1"})


@dataclass(slots=True)
class Facts:
    """What is needed to judge numbers that arrive later: no tensor is kept alive."""

    contract: Any
    key: str
    name: str
    config: dict[str, Any]
    wants: str
    wants_target: str
    classes: int | None
    input_shape: tuple[int, ...]
    input_grad: bool
    target_grad: bool
    soft: bool  # the target is floating-point, of the input's shape
    kind: str = ""  # of the activation, where the graph shows it
    numbers: dict[str, float] = field(default_factory=dict)


def facts_of(call: Call, kind: str) -> Facts:
    x, y = call.input, call.target
    return Facts(
        call.contract,
        call.key,
        call.name,
        {k: v for k, v in call.config.items() if isinstance(v, (int, float, str, bool, type(None)))},
        call.wants,
        call.wants_target,
        call.classes,
        tuple(x.shape),
        x.requires_grad,
        isinstance(y, torch.Tensor) and y.requires_grad,
        isinstance(y, torch.Tensor) and y.is_floating_point() and y.shape == x.shape,
        kind,
    )


def measure(call: Call) -> dict[str, torch.Tensor]:
    """Name -> a tensor of one number. Call it under no_grad and without autocast."""
    found: dict[str, torch.Tensor] = {}
    x, y = call.input, call.target
    if x.is_floating_point() and x.numel():
        _input(call, x.detach(), found)
    if isinstance(y, torch.Tensor) and y.numel() and y.device == x.device:
        if call.contract.target in INDEXED and not y.is_floating_point():
            _indices(call, y, found)
        elif y.is_floating_point():
            _floats(call, y.detach(), found)
        elif call.contract.target in ELEMENTWISE or call.contract.target == b.CLASS_LIST:
            _alphabet(y, found)
    for name, _, value in call.weights():
        if isinstance(value, torch.Tensor) and value.numel() and value.device == x.device:
            found[f"{name} min"] = value.amin() if value.dim() else value
    var = call.args.get("var") if call.key == "gaussian_nll" else None
    if isinstance(var, torch.Tensor) and var.numel() and var.device == x.device:
        found["var min"] = var.amin()
    return found


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach()
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _in_parts(
    x: torch.Tensor, dim: int | None, look: Callable[[torch.Tensor], dict[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """What `look` finds, without ever having a wide copy of more than some numbers. dim: is not divided."""
    along = max((d for d in range(x.dim()) if d != dim), key=lambda d: x.shape[d], default=None)
    if along is None or x.numel() <= AT_ONCE:
        return look(_wide(x))
    each = max(1, AT_ONCE // (x.numel() // x.shape[along]))
    parts = [look(_wide(part)) for part in torch.split(x, each, along)]
    return {name: _together(name, torch.stack([part[name] for part in parts])) for name in parts[0]}


def _together(name: str, parts: torch.Tensor) -> torch.Tensor:
    if name in _SUMS:
        return parts.sum()
    return parts.amin() if name.endswith(" min") else parts.amax()


def _input(call: Call, x: torch.Tensor, found: dict[str, torch.Tensor]) -> None:
    dim = call.class_dim
    if call.key == "kl_div":
        dim = x.dim() - 1 if x.dim() > 1 else None
    rows = dim is not None and x.shape[dim] > 1 and not call.contract.owns_layer
    logs = call.wants == b.LOG_PROBS or call.key == "cross_entropy"

    def look(x: torch.Tensor) -> dict[str, torch.Tensor]:
        low, high = torch.aminmax(x)
        seen = {"x nan": x.isnan().sum(), "x +inf": (x == float("inf")).sum(), "x min": low, "x max": high}
        if rows and dim is not None:
            seen["x row"] = (x.sum(dim) - 1).abs().amax()
            seen["x spread"] = (x.amax(dim) - x.amin(dim)).amax()
            seen["x first"] = x.select(dim, 0).sum()
            if logs:
                seen["x logsumexp"] = x.logsumexp(dim).abs().amax()
        return seen

    found |= _in_parts(x, dim, look)


def _indices(call: Call, y: torch.Tensor, found: dict[str, torch.Tensor]) -> None:
    ignored = call.config.get("ignore_index")
    valid = torch.ones_like(y, dtype=torch.bool) if ignored is None else y != ignored
    if "ignore_index" not in call.config:
        valid = torch.ones_like(y, dtype=torch.bool)
    found["y valid"] = valid.sum()
    found["y min"] = torch.where(valid, y, torch.full_like(y, 127)).amin()
    found["y max"] = torch.where(valid, y, torch.zeros_like(y)).amax()
    found["y top"] = torch.where(valid, y, torch.full_like(y, -1) if y.dtype != torch.uint8 else y).amax()
    if call.class_dim is not None and y.shape == call.input.shape:
        found["y row"] = (y.sum(call.class_dim) - 1).abs().amax()


def _floats(call: Call, y: torch.Tensor, found: dict[str, torch.Tensor]) -> None:
    dim = call.class_dim
    if dim is None and y.dim() > 1 and call.key in ("mse", "l1", "smooth_l1", "huber", "bce"):
        dim = 1
    whole = dim is not None and y.shape == call.input.shape

    def look(y: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = {"y nan": y.isnan().sum(), "y inf": y.isinf().sum()}
        _alphabet(y, seen)
        if whole and dim is not None:
            rows = y.sum(dim)
            seen["y row"] = (rows - 1).abs().amax()
            seen["y row max"] = rows.amax()
            seen["y row min"] = rows.amin()
        return seen

    found |= _in_parts(y, dim if whole else None, look)


def _alphabet(y: torch.Tensor, found: dict[str, torch.Tensor]) -> None:
    if y.dtype == torch.bool:
        y = y.to(torch.uint8)
    found["y min"], found["y max"] = y.amin(), y.amax()
    found["y not 0 1"] = ((y != 0) & (y != 1)).sum()
    found["y not -1 1"] = ((y != -1) & (y != 1)).sum()


def pack(found: dict[str, torch.Tensor]) -> torch.Tensor:
    """One small tensor, which ends in ARRIVED; float32 where a device has no float64."""
    device = next(iter(found.values())).device
    dtype = torch.float32 if device.type == "mps" else torch.float64
    numbers = [value.detach().reshape(()).to(dtype) for value in found.values()]
    return torch.stack([*numbers, torch.full((), ARRIVED, dtype=dtype, device=device)])


def counts(call: Call) -> torch.Tensor | None:
    """Labels by class, without waiting: out-of-range and ignored labels are left out."""
    y, classes = call.target, call.classes
    if not isinstance(y, torch.Tensor) or y.is_floating_point() or classes is None or not y.numel():
        return None
    if y.device != call.input.device:
        return None  # a mistake that is told; its numbers lie apart from the others
    if call.contract.target not in INDEXED or not 1 < classes <= COUNTED or y.dtype == torch.bool:
        return None
    flat = y.detach().reshape(-1).long()
    valid = (flat >= 0) & (flat < classes)
    if call.config.get("ignore_index") is not None:
        valid &= flat != call.config["ignore_index"]
    found = torch.zeros(classes, dtype=torch.int64, device=y.device)
    return found.scatter_add_(0, flat.clamp(0, classes - 1), valid.long())


SCORED = ("cross_entropy", "bce_with_logits", "multilabel_soft_margin")


def masked(call: Call, found: dict[str, torch.Tensor]) -> None:
    """What scores were multiplied by last: on the CPU, dropout is a product with zeros and 1 / (1 - p)."""
    node = call.input.grad_fn
    if call.key not in SCORED or node is None or node.name() != "MulBackward0":
        return
    mask = _factor(node)
    if mask is None or mask.shape != call.input.shape or mask.device != call.input.device:
        return
    if mask.requires_grad or not mask.dim() or not mask.numel():
        return
    high = mask.amax()
    found["mask max"], found["mask zeros"] = high, (mask == 0).sum()
    found["mask rest"] = ((mask != 0) & (mask != high)).sum()
    found["mask rows"] = (mask != mask[:1]).any()


def _factor(node: Any) -> torch.Tensor | None:
    """What was multiplied with. None where backward() has freed it, and where hooks have packed it: they may
    have moved it to another device, or compute it anew (checkpoints)."""
    try:
        saved = node._raw_saved_other
        packed = getattr(saved, "unpack_hook", saved) is not None
        value = None if packed else node._saved_other
    except RuntimeError:
        return None
    return value if isinstance(value, torch.Tensor) else None


def weighed(call: Call, labels: torch.Tensor, found: dict[str, torch.Tensor]) -> None:
    """How far class weights are from the shares of the labels in this batch: counts are close to them."""
    weight = call.config.get("weight")
    if not isinstance(weight, torch.Tensor) or weight.shape != labels.shape or weight.device != labels.device:
        return
    w, n = _wide(weight.detach()), _wide(labels.to(torch.float32))
    found["weight whole"] = (w == w.round()).all() & (w.amin() > 0) & (w.amax() > w.amin())
    found["weight sum"], found["labels"] = w.sum(), n.sum()
    found["weight from shares"] = (w / w.sum() - n / n.sum()).abs().sum() / 2
