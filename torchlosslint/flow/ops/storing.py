"""Assignments to parts of a tensor: `tensor[index] = value`."""

from __future__ import annotations

from torchlosslint.flow.domain import ANY, NUMBER, ONEHOT, Domain
from torchlosslint.flow.ops.call import number
from torchlosslint.flow.values import Const, ExtObj, Tensor, TupleV, Unknown, Value


def stored(tensor: Tensor, idx: Value, value: Value) -> Tensor:
    """The tensor after `tensor[idx] = value`: one-hot where each row of zeros got its single one."""
    dom = value.dom if isinstance(value, Tensor) else None
    if isinstance(value, Tensor) and value.grad:
        tensor = tensor.with_(grad=True, roots=tensor.roots | value.roots, role=value.role)
    elif tensor.grad is False and not isinstance(value, Const) and getattr(value, "grad", None) is None:
        tensor = tensor.with_(grad=None)
    if dom is not None and dom == tensor.dom:
        return tensor
    blank = tensor.dom.how == "empty" or (tensor.dom.kind == NUMBER and tensor.dom.low == 0)
    if blank and dom is not None and dom.kind == ONEHOT:
        return tensor.with_(dom=dom, uid=None)
    if (
        blank
        and number(value) == 1
        and isinstance(idx, TupleV)
        and len(idx.items) == 2
        and rowwise(*idx.items)
    ):
        return tensor.with_(dom=Domain(ONEHOT, "one_hot", flags=tensor.dom.flags), uid=None)
    return tensor.with_(dom=ANY, uid=None)


def rowwise(rows: Value, columns: Value) -> bool:
    """Whether the first index counts all rows, and the second says one column for each."""
    counted = isinstance(rows, ExtObj) and rows.qual == "builtins.range" and len(rows.args) == 1
    counted = counted or (isinstance(rows, Tensor) and rows.dom.how == "arange")
    return counted and isinstance(columns, (Tensor, Unknown))
