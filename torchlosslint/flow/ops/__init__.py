"""What the layers and functions of torch, and the methods of a tensor, do to an abstract tensor.

    FUNCTIONS   by qualified name, normalised: "torch.softmax", "torch.nn.functional.relu", "numpy.exp"
    METHODS     by the name of the tensor's method; the tensor is the first argument
    LAYERS      by "torch.nn.X": the forward of a layer; its constructor's arguments through `OpCall.init`

A handler never raises on odd arguments; what it cannot say anything of is an `Unknown`.
"""

from __future__ import annotations

from torchlosslint.flow.ops import (
    activations,
    affine,
    elementwise,
    extremes,
    factories,
    joining,
    numpy_,
    pooling,
    recurrent,
    repeats,
)
from torchlosslint.flow.ops.arithmetic import binary, unary
from torchlosslint.flow.ops.casts import attribute, leaf
from torchlosslint.flow.ops.indexing import ELLIPSIS, EllipsisV, SliceV, index, row
from torchlosslint.flow.ops.names import normalise
from torchlosslint.flow.ops.storing import stored
from torchlosslint.flow.ops.support import FUNCTIONS, LAYERS, METHODS

for _name, _handler in METHODS.items():
    FUNCTIONS.setdefault(f"torch.Tensor.{_name}", _handler)

__all__ = [
    "ELLIPSIS",
    "FUNCTIONS",
    "LAYERS",
    "METHODS",
    "EllipsisV",
    "SliceV",
    "attribute",
    "binary",
    "index",
    "leaf",
    "normalise",
    "row",
    "stored",
    "unary",
]

# Imported for what they enter into the registries.
_ENTERED = (
    activations,
    affine,
    elementwise,
    extremes,
    factories,
    joining,
    numpy_,
    pooling,
    recurrent,
    repeats,
)
