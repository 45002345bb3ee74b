"""What the rules of this family share: which losses want which target, and which shapes differ."""

from __future__ import annotations

from typing import Any

from torchlosslint.contracts.base import (
    CLASS_INDEX,
    CLASS_INDEX_OR_PROBS,
    FLOAT_SAME,
    FLOAT_UNIT,
    NO_TARGET,
    PROBS,
    SIGN,
)
from torchlosslint.flow.domain import INDICES, NUMBER, ONEHOT
from torchlosslint.flow.values import DOTS, Shape, Tensor, Unknown, Value
from torchlosslint.rule import LossUse

INDEXED = frozenset({CLASS_INDEX, CLASS_INDEX_OR_PROBS})
ELEMENTWISE = frozenset({FLOAT_UNIT, FLOAT_SAME, PROBS, SIGN})
FLOATS = frozenset({"float16", "bfloat16", "float32", "float64", "float"})
INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8"})
# Losses whose target lies beside one number a sample, not beside the input's elements.
BY_SAMPLE = frozenset({"cosine_embedding"})


def pair(use: LossUse) -> tuple[Tensor | None, Tensor | None]:
    """Input and target, where they are tensors."""
    return (
        use.input if isinstance(use.input, Tensor) else None,
        use.target if isinstance(use.target, Tensor) else None,
    )


def of_torch(use: LossUse) -> bool:
    """Whether the loss is torch's own: what its contract says about mismatches was tried."""
    return use.contract.module.startswith("torch.nn.") or use.contract.function.startswith("torch.nn.")


def rank(tensor: Tensor) -> int | None:
    """The number of dimensions, where it is known."""
    shape = tensor.shape
    return None if shape is None or DOTS in shape[:1] else len(shape)


def written(shape: Shape | None) -> str:
    """A shape as people write it: (N, 10), with ? for what is not known."""
    if shape is None:
        return "(?)"
    parts = [
        _rows(s) if i == 0 and not isinstance(s, int) and s is not DOTS else _word(s)
        for i, s in enumerate(shape)
    ]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def _word(size: Any) -> str:
    return str(size) if isinstance(size, int) else "..." if size is DOTS else "?"


def _rows(size: Any) -> str:
    """N, or N-1 for all rows of a table but one."""
    return "N" + size[size.find("-") :] if isinstance(size, str) and "-" in size else "N"


def differ(a: Any, b: Any) -> bool:
    """Whether two sizes are known, and not the same; all rows of one table are more than all but one."""
    if isinstance(a, str) and isinstance(b, str):
        return a != b and a[:1] == "#" and "*" not in a + b and a.partition("-")[0] == b.partition("-")[0]
    return isinstance(a, int) and isinstance(b, int) and a != b


def crossed(longer: Tensor, shorter: Tensor) -> bool:
    """Whether (N, 1) meets (N,): elementwise, every row of one is paired with every number of the other.

    With more dimensions, (N, T, 1) against (N, T). Where a size may be one, and the pair therefore right,
    the answer is False.
    """
    a, b = longer.shape, shorter.shape
    if not a or not b or DOTS in b[:1] or a[-1] != 1:
        return False
    if a[0] is DOTS:
        # Whatever is in front: (1,) and (N, 1) are both wrong beside N numbers.
        return len(a) == 2 and len(b) == 1 and plural(b[0])
    if len(a) != len(b) + 1 or a[0] == 1 or b[-1] == 1:
        return False
    if len(b) == 1:
        return True
    return plural(b[-1]) and all(x == y or x is None or y is None for x, y in zip(a, b, strict=False))


def plural(size: Any) -> bool:
    """A size that is more than one: a number, or a symbol for batches and rows."""
    return size > 1 if isinstance(size, int) else isinstance(size, str)


def swapped(use: LossUse) -> bool:
    """Whether labels are given as predictions, and the predictions as labels, to a loss that minds."""
    contract = use.contract
    if contract.symmetric or contract.symmetric_inputs or contract.target == NO_TARGET or not of_torch(use):
        return False
    if len(contract.inputs) > 1 or not isinstance(use.target, Tensor):
        return False
    if use.target.role != "model" or not _given(use.input):
        return False
    if contract.key == "kl_div" and isinstance(use.input, Tensor) and use.input.dom.kind == NUMBER:
        # The logarithm of a uniform distribution: the divergence the other way round is meant.
        return (use.input.dom.low or 0) > 0
    return True


def _given(value: Value) -> bool:
    """Labels, data or constants: nothing that a model made."""
    if isinstance(value, Unknown):
        return value.reason == "comes out of a data loader"
    if not isinstance(value, Tensor) or value.grad is not False or value.cut:
        return False
    return value.role == "data" or (value.role == "" and value.dom.kind in (INDICES, NUMBER, ONEHOT))
