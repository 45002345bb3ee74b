"""Assignments to parts of a tensor: `tensor[index] = value`."""

from __future__ import annotations

from torchlosslint.flow.domain import ANY, MOST_MARK, NUMBER, ONEHOT, Domain, marks
from torchlosslint.flow.ops.call import number
from torchlosslint.flow.ops.indexing import SliceV
from torchlosslint.flow.ops.support import flagged
from torchlosslint.flow.values import DOTS, TRUE, Const, ExtObj, ListV, SymInt, Tensor, TupleV, Unknown, Value


def stored(tensor: Tensor, idx: Value, value: Value) -> Tensor:
    """The tensor after `tensor[idx] = value`: one-hot where each row of zeros got its single one."""
    dom = value.dom if isinstance(value, Tensor) else None
    if isinstance(value, ListV) and value.attrs.get("one_hot") is TRUE:
        dom = Domain(ONEHOT, "one_hot")
    elif isinstance(value, Tensor) and value.grad:
        tensor = tensor.with_(grad=True, roots=tensor.roots | value.roots, role=value.role)
    elif tensor.grad is False and not isinstance(value, Const) and getattr(value, "grad", None) is None:
        tensor = tensor.with_(grad=None)
    if dom is not None and dom == tensor.dom:
        return tensor
    blank = tensor.dom.how == "empty" or (tensor.dom.kind == NUMBER and tensor.dom.low == 0)
    if dom is not None and dom.kind == ONEHOT and (blank or tensor.dom.kind == ONEHOT):
        if not isinstance(idx, TupleV) or all(isinstance(v, SliceV) and v.whole for v in idx.items[1:]):
            return tensor.with_(dom=Domain(ONEHOT, dom.how, flags=tensor.dom.flags), uid=None)
    if (
        blank
        and number(value) == 1
        and (rowwise(*idx.items) if isinstance(idx, TupleV) and len(idx.items) == 2 else single(tensor, idx))
    ):
        return tensor.with_(dom=Domain(ONEHOT, "one_hot", flags=tensor.dom.flags), uid=None)
    mark = number(value)
    if (blank or "marks" in tensor.dom.flags) and mark is not None and 1 < mark <= MOST_MARK:
        if mark >= (tensor.dom.high or 0):  # a smaller one may take the place of the largest
            return tensor.with_(dom=_numpy_like(tensor, marks(mark)), uid=None)
    return tensor.with_(dom=ANY, uid=None)


def _numpy_like(tensor: Tensor, dom: Domain) -> Domain:
    """A domain of an array where the tensor is one."""
    return flagged(dom, "numpy") if "numpy" in tensor.dom.flags else dom


def rowwise(rows: Value, columns: Value) -> bool:
    """Whether the first index counts all rows, and the second says one column for each."""
    if isinstance(rows, SliceV) and rows.whole:
        return isinstance(columns, (Const, SymInt))  # the same class for every row
    counted = isinstance(rows, ExtObj) and rows.qual == "builtins.range" and len(rows.args) == 1
    counted = counted or (isinstance(rows, Tensor) and rows.dom.how == "arange")
    return counted and isinstance(columns, (Tensor, Unknown))


def single(tensor: Tensor, idx: Value) -> bool:
    """Whether the index is one place of a vector: that of the class of this sample."""
    if tensor.shape is None or len(tensor.shape) != 1 or tensor.shape[0] in (DOTS, 1):
        return False
    return isinstance(idx, SymInt) or (isinstance(idx, Tensor) and idx.shape == () and idx.dtype != "bool")
