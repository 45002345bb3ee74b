"""What the autograd graph says about the input of a loss, without reading a number.

grad_fn is followed backwards through operations that only move numbers, up to the activation
that made them. The class dimension is followed along, so that `over` is where the classes of the
loss lay in the result of that activation. Whatever is not known ends the way.
Names and saved fields are those of torch/csrc/autograd/generated (tools/autograd/derivatives.yaml).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from torchlosslint.runtime.checks.views import BY_SIZE, MOVES, SAME, View, reshaped, signed, sizes_of, without

_LONGEST = 64

UNKNOWN = "unknown"
SOFTMAX, LOG_SOFTMAX = "softmax", "log_softmax"
SIGMOID, LOG_SIGMOID = "sigmoid", "logsigmoid"
AFFINE = "affine"
PICKED = "picked"  # out of a softmax: the probability of one class

# Activations with a fixed range: (what it is called, lowest, highest).
_ACTIVATIONS: dict[str, tuple[str, float, float]] = {
    "SoftmaxBackward0": (SOFTMAX, 0.0, 1.0),
    "LogSoftmaxBackward0": (LOG_SOFTMAX, -math.inf, 0.0),
    "SigmoidBackward0": (SIGMOID, 0.0, 1.0),
    "HardsigmoidBackward0": (SIGMOID, 0.0, 1.0),
    "LogSigmoidBackward0": (LOG_SIGMOID, -math.inf, 0.0),
    "ReluBackward0": ("relu", 0.0, math.inf),
    "TanhBackward0": ("tanh", -1.0, 1.0),
    "SoftplusBackward0": ("softplus", 0.0, math.inf),
    "ExpBackward0": ("exp", 0.0, math.inf),
    "RoundBackward0": ("round", -math.inf, math.inf),
    "SignBackward0": ("sign", -1.0, 1.0),
    "FloorBackward0": ("floor", -math.inf, math.inf),
    "CeilBackward0": ("ceil", -math.inf, math.inf),
    "EluBackward0": ("elu", -math.inf, math.inf),
    "LeakyReluBackward0": ("leaky_relu", -math.inf, math.inf),
    "GeluBackward0": ("gelu", -math.inf, math.inf),
    "SiluBackward0": ("silu", -math.inf, math.inf),
}
_LAYERS = frozenset(
    "AddmmBackward0 LinearBackward0 ConvolutionBackward0 MkldnnLinearBackward0 MkldnnConvolutionBackward0 "
    "ConvolutionOverrideableBackward0".split()
)
NO_SLOPE = frozenset({"round", "sign", "floor", "ceil"})
UNBOUNDED = frozenset({AFFINE, "elu", "leaky_relu", "gelu", "silu"})


@dataclass(slots=True)
class Trail:
    """kind: the activation. low, high: bounds of its numbers.

    over: for a softmax, the dimension of the classes of the loss as the softmax saw it; None where
    it was lost. dim, size: of the softmax. before: the activation right before it, UNKNOWN where
    there is none. two_steps: the log of a softmax or sigmoid, taken on its own.
    """

    kind: str = UNKNOWN
    low: float = -math.inf
    high: float = math.inf
    dim: int | None = None
    over: int | None = None
    first: int | None = None  # where dimension 0 of the input lay
    size: int | None = None
    before: str = UNKNOWN
    two_steps: bool = False
    steps: tuple[str, ...] = ()

    @property
    def confirmed(self) -> bool:
        """The softmax ran over the classes of the loss."""
        return self.dim is not None and self.dim == self.over

    @property
    def elsewhere(self) -> bool:
        """The softmax ran over another dimension than the classes of the loss."""
        return self.dim is not None and self.over is not None and self.dim != self.over


def trail(tensor: Any, class_dim: int | None) -> Trail:
    """The trail of a loss's input; unknown for leaves and under functorch."""
    node = tensor.grad_fn if isinstance(tensor, torch.Tensor) else None
    if node is None:
        return Trail()
    view = View(tuple(tensor.shape), class_dim, 0 if tensor.dim() else None)
    return _follow(node, view, ())


def _follow(node: Any, view: View, steps: tuple[str, ...]) -> Trail:
    for _ in range(_LONGEST):
        if node is None:
            return Trail(steps=steps)
        name = node.name()
        if name in SAME:
            pass
        elif name in BY_SIZE:
            view = reshaped(view, sizes_of(node))
        elif name in MOVES:
            moved = MOVES[name](node, view)
            if moved is None:
                return Trail(steps=(*steps, name))
            view = moved
        else:
            return _end(node, name, view, steps)
        steps = (*steps, name)
        node = node.next_functions[0][0]
    return Trail(steps=steps)


def _end(node: Any, name: str, view: View, steps: tuple[str, ...]) -> Trail:
    steps = (*steps, name)
    if name in _ACTIVATIONS:
        kind, low, high = _ACTIVATIONS[name]
        found = Trail(kind, low, high, steps=steps)
        if kind in (SOFTMAX, LOG_SOFTMAX):
            if view.cut:
                return Trail(PICKED, low, high, steps=steps)
            _over(found, node, view)
        return found
    if name in _LAYERS or (name == "MmBackward0" and _has_leaf(node)):
        return Trail(AFFINE, steps=steps)
    if name in ("ClampBackward0", "ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0"):
        return _clamped(node, view, steps)
    if name == "HardtanhBackward0":
        return Trail("hardtanh", float(node._saved_min_val), float(node._saved_max_val), steps=steps)
    if name in ("LogBackward0", "Log1PBackward0"):
        return _log(node, view, steps)
    if name == "DivBackward0" and _exp_over_sum(node, view):
        return Trail(SOFTMAX, 0.0, 1.0, _dims(node.next_functions[1][0], view)[0], view.over, steps=steps)
    if name == "MeanBackward1":
        return _mean(node, view, steps)
    if name in ("CatBackward0", "StackBackward0"):
        return _together(node, name, view, steps)
    if name == "NativeDropoutBackward0":
        return Trail("dropout", steps=steps)
    if name in ("MkldnnRnnLayerBackward0", "CudnnRnnBackward0") and int(node._saved_mode) != 0:
        return Trail("a recurrent layer", -1.0, 1.0, steps=steps)
    if name == "MulBackward0" and {_name(n) for n, _ in node.next_functions} == {
        "SigmoidBackward0",
        "TanhBackward0",
    }:
        return Trail("an LSTM", -1.0, 1.0, steps=steps)
    if name == "AddBackward0" and _is_gru(node):
        return Trail("a GRU", -1.0, 1.0, steps=steps)
    return Trail(steps=steps)


def _is_gru(node: Any) -> bool:
    """(h - n) * z + n, with a tanh as n and a sigmoid as z."""
    parts = {_name(n): n for n, _ in node.next_functions}
    if set(parts) != {"MulBackward0", "TanhBackward0"}:
        return False
    factors = {_name(n) for n, _ in parts["MulBackward0"].next_functions}
    return factors == {"SubBackward0", "SigmoidBackward0"}


def _over(found: Trail, node: Any, view: View) -> None:
    rank = None if view.shape is None else len(view.shape)
    dim = signed(node._saved_dim)
    if rank:
        dim %= rank
        found.size = view.shape[dim] if view.shape else None
    elif dim < 0:
        return
    found.dim, found.over, found.first = dim, view.over, view.first
    inner = node.next_functions[0][0]
    if _name(inner) in ("ReluBackward0", "TanhBackward0", "SoftmaxBackward0"):
        found.before = _ACTIVATIONS[_name(inner)][0]


def _clamped(node: Any, view: View, steps: tuple[str, ...]) -> Trail:
    if hasattr(node, "_raw_saved_min") or hasattr(node, "_raw_saved_max"):
        return Trail(steps=steps)  # tensors, which stay where they are
    low = getattr(node, "_saved_min", None)
    high = getattr(node, "_saved_max", None)
    floor, ceiling = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    inner = _follow(node.next_functions[0][0], view, steps)
    # Numbers that were bounded already are only kept from the edges: clamp(p, 1e-7, 1 - 1e-7).
    if (
        inner.kind != UNKNOWN
        and inner.kind not in UNBOUNDED
        and (inner.low > -math.inf or inner.high < math.inf)
    ):
        return inner
    return Trail("clamp", floor, ceiling, steps=steps)


def _log(node: Any, view: View, steps: tuple[str, ...]) -> Trail:
    """log(softmax), log(sigmoid), log(1 - sigmoid), each perhaps with a small number added or a clamp."""
    inner, _ = node.next_functions[0]
    while inner is not None and _name(inner) in ("AddBackward0", "RsubBackward1", "SubBackward0"):
        others = [n for n, _ in inner.next_functions if n is not None]
        if len(others) != 1:
            return Trail("log", steps=steps)
        inner = others[0]
    found = _follow(inner, view, steps)
    if any(step in ("MeanBackward1", "DivBackward0") for step in found.steps[len(steps) :]):
        return Trail("log", -math.inf, 0.0, steps=found.steps)  # of a mixture
    if found.kind == SOFTMAX:
        found.kind, found.low, found.high, found.two_steps = LOG_SOFTMAX, -math.inf, 0.0, True
        return found
    if found.kind == PICKED:
        return Trail("log", -math.inf, 0.0, two_steps=True, steps=found.steps)
    if found.kind == SIGMOID:
        return Trail(LOG_SIGMOID, -math.inf, 0.0, two_steps=True, steps=found.steps)
    return Trail("log", steps=steps)


def _exp_over_sum(node: Any, view: View) -> bool:
    """exp(x) / exp(x).sum(dim, keepdim=True): both lead to one and the same exp."""
    top, bottom = (n for n, _ in node.next_functions)
    if _name(top) != "ExpBackward0" or _name(bottom) != "SumBackward1" or not bottom._saved_keepdim:
        return False
    return len(_dims(bottom, view)) == 1 and bottom.next_functions[0][0] is top


def _dims(node: Any, view: View) -> tuple[int, ...]:
    rank = len(sizes_of(node) or view.shape or ())
    return tuple(signed(d) % rank for d in node._saved_dim) if rank and node._saved_dim else ()


def _mean(node: Any, view: View, steps: tuple[str, ...]) -> Trail:
    """Averages of probabilities over anything but the classes are probabilities."""
    sizes, gone = sizes_of(node), _dims(node, view)
    if sizes is None or not gone:
        return Trail(steps=steps)
    left = list(range(len(sizes))) if node._saved_keepdim else [d for d in range(len(sizes)) if d not in gone]
    over = left[view.over] if view.over is not None and view.over < len(left) else None
    found = _follow(node.next_functions[0][0], View(sizes, over, None), steps)
    if found.kind == SOFTMAX and found.confirmed:
        return found
    return found if found.kind == SIGMOID else Trail(steps=steps)


def _together(node: Any, name: str, view: View, steps: tuple[str, ...]) -> Trail:
    """cat and stack of parts that all come from the same activation."""
    dim, shape = signed(node._saved_dim), view.shape
    if shape is None:
        return Trail(steps=steps)
    dim %= len(shape)
    if name == "StackBackward0":
        part = without(view, dim)
    elif view.over == dim:
        return Trail(steps=steps)  # parts of the classes: a softmax of its own each
    else:
        part = View(None, view.over, view.first, view.cut)
    if len(node.next_functions) > _LONGEST:
        return Trail(steps=steps)
    found = [_follow(n, part, steps) for n, _ in node.next_functions]
    kinds = {(f.kind, f.dim, f.over) for f in found}
    return found[0] if len(kinds) == 1 else Trail(steps=steps)


def _has_leaf(node: Any) -> bool:
    """Whether one factor of a product is a parameter: then its numbers have no bounds. Two make a Gram
    matrix."""
    leaves = 0
    for each, _ in node.next_functions:
        while each is not None and each.name() in ("TBackward0", "TransposeBackward0", "ToCopyBackward0"):
            each = each.next_functions[0][0]
        if _name(each) == "AccumulateGrad" or _name(each).endswith("::AccumulateGrad"):
            leaves += 1
    return leaves == 1


def _name(node: Any) -> str:
    return "" if node is None else str(node.name())
