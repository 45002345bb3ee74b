"""Casts, devices, attributes, and what cuts the gradient: detach, data, item, numpy."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.devices import asked, names_dtype
from torchlosslint.flow.domain import DATA, INDICES, NUMBER, ONEHOT, Domain
from torchlosslint.flow.ops.call import OpCall, const, integer
from torchlosslint.flow.ops.factories import LEGACY
from torchlosslint.flow.ops.shape import swapped, transposed
from torchlosslint.flow.ops.shapes import rank, shape_value, size_value
from torchlosslint.flow.ops.support import (
    FLOATS,
    SOME_FLOAT,
    cut_off,
    dtype_of,
    flagged,
    nothing,
    operand,
    register,
    unknown,
)
from torchlosslint.flow.origins import marked
from torchlosslint.flow.values import CPU, FALSE, MOVED, TRUE, Const, External, SymInt, Tensor, Unknown, Value


def cast(call: OpCall, x: Tensor, dtype: str | None) -> Tensor:
    """A tensor of another dtype; whole numbers lose the domain of fractions, and the gradient."""
    if dtype is None or dtype == x.dtype:
        return x.with_(dtype=dtype) if dtype is None else x
    if dtype in FLOATS:
        return x.with_(dtype=dtype)
    if dtype == "bool":
        dom = nothing("bool")
    elif _whole(x.dom):
        dom = x.dom
    else:
        dom = nothing(f"{dtype} cast") if x.dtype is None or x.dtype in FLOATS else x.dom
    after = (
        x.with_(dom=dom, dtype=dtype, of=None)
        if dom is x.dom
        else x.with_(dom=dom, dtype=dtype, of=None, uid=None)
    )
    return cut_off(call, after, f"cast to {dtype}", f"a cast to {dtype} has no gradient")


def _whole(dom: Domain) -> bool:
    """Whether the numbers are whole ones already."""
    if dom.kind == NUMBER:
        return (dom.low or 0.5).is_integer()
    return dom.kind in (INDICES, ONEHOT, DATA) or "marks" in dom.flags


def cast_to(call: OpCall, dtype: str) -> Value:
    """x.float(), x.long() and so on."""
    x = operand(call)
    return (
        cast(call, x, dtype) if isinstance(x, Tensor) else x if isinstance(x, Unknown) else unknown(dtype, x)
    )


def to(call: OpCall, always: bool = False) -> Value:
    """x.to(device | dtype | other); x.type(dtype), x.astype(dtype) and x.type_as(other) always cast."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("to", x)
    where = MOVED if always else asked("to", list(call.args[1:]), call.kwargs)
    if where != "":
        x = x.with_(device=CPU if where == CPU else MOVED)
    for value in [*call.args[1:], *(v for k, v in call.kwargs.items() if k in ("dtype", "other", "tensor"))]:
        if isinstance(value, Tensor):
            return cast(call, x, value.dtype).with_(device=value.device)
        if (dtype := named_type(value)) is not None:
            return cast(call, x, dtype)
    # What follows a device is a dtype, unless it is a truth value (non_blocking).
    second = len(call.args) > 2 and not isinstance(call.args[2], Const)
    if always or second or any(map(names_dtype, call.args[1:])) or call.kwargs.keys() & {"dtype", "other"}:
        return x.with_(dtype=None)  # some dtype, which is not known
    return x


def dtype_value(tensor: Tensor) -> Value:
    """`x.dtype`; where it is some floating one, or not known at all, an unknown that says so."""
    if tensor.dtype is not None and tensor.dtype != "float":
        return External(("numpy." if "numpy" in tensor.dom.flags else "torch.") + tensor.dtype)
    kind = SOME_FLOAT if tensor.dtype is not None else "dtype"
    return Unknown("the dtype of a tensor", ("attr", (kind, tensor.uid), "dtype"))


def named_type(value: Value) -> str | None:
    """The dtype that an argument of to or type names, also as 'torch.cuda.FloatTensor'."""
    text = value.qual if isinstance(value, External) else const(value)
    if isinstance(text, str):
        last = text.rpartition(".")[2]
        if last in LEGACY and last != "Tensor":
            return LEGACY[last]
        if isinstance(value, Const) and last == text and ":" not in text:
            return dtype_of(value)
    return dtype_of(value)


def type_(call: OpCall) -> Value:
    """x.type() is a string; x.type(dtype) a cast."""
    return to(call, always=True) if len(call.args) > 1 or call.kwargs else unknown("type")


def same(call: OpCall, device: str | None = None) -> Value:
    """x.cuda(), x.cpu(): another device."""
    x = operand(call)
    if isinstance(x, Tensor) and device is not None:
        return x.with_(device=device)
    return x if isinstance(x, (Tensor, Unknown)) else unknown("cuda", x)


def detach(call: OpCall, what: str = "detach()") -> Value:
    """x.detach()."""
    x = operand(call)
    return cut_off(call, x, what) if isinstance(x, Tensor) else Unknown("a detached tensor")


def leaf(x: Tensor) -> Tensor:
    """The tensor once it requires a gradient: a leaf, unless it has a graph already."""
    return x.with_(grad=True, roots=x.roots | {("leaf", x.uid)}) if x.grad is False else x.with_(grad=True)


def requires_grad_(call: OpCall) -> Value:
    """x.requires_grad_(True): a leaf from here on."""
    x, wanted = operand(call), call.arg(1, "requires_grad", TRUE)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("requires_grad_", x)
    if wanted == TRUE:
        return leaf(x)
    return cut_off(call, x, "requires_grad_(False)") if wanted == FALSE else x.with_(grad=None)


def variable(call: OpCall) -> Value:
    """torch.autograd.Variable(x): x, a leaf where it asks for a gradient."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x
    if call.arg(1, "requires_grad") == TRUE:
        return x.with_(grad=True, cut="", roots=frozenset({("leaf", x.uid)}))
    return x


def as_numpy(call: OpCall, what: str = "numpy()") -> Value:
    """x.numpy(), x.tolist(), np.array(x): an array."""
    x = operand(call, 0, "object", "a", "input", "x")
    if not isinstance(x, Tensor):
        return marked(unknown(what, x), x)
    after = cut_off(call, x, what, f"{what} leaves the graph")
    dtype = dtype_of(call.kwargs["dtype"]) if "dtype" in call.kwargs else after.dtype
    return after.with_(dom=flagged(after.dom, "numpy"), dtype=dtype)


def array(call: OpCall) -> Value:
    """np.array, np.asarray of a tensor or an array; of lists it is unknown data."""
    x = operand(call, 0, "object", "a")
    if isinstance(x, Tensor):
        return as_numpy(call, "numpy.array()")
    dom = flagged(Domain(DATA), "numpy")
    return marked(Tensor(dom, dtype=dtype_of(call.kwargs.get("dtype")), grad=False), x)


def item(call: OpCall) -> Value:
    """x.item(): a Python number, cut from the graph."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown("item()", x)
    if x.role == "loss" and "unreduced" in x.dom.flags and call.emit is not None:
        call.emit("item", x, call.place)
    of = x.of if x.dom.how == "n-sum" else None
    return cut_off(call, x, "item()", "item() leaves the graph", shape=(), of=of).with_(shape=())


def tolist(call: OpCall) -> Value:
    """x.tolist(): Python numbers."""
    x = operand(call)
    return (
        cut_off(call, x, "tolist()", "tolist() leaves the graph")
        if isinstance(x, Tensor)
        else unknown("tolist", x)
    )


def size(call: OpCall) -> Value:
    """x.size(), x.size(dim)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown("size", x)
    given = call.arg(1, "dim")
    if given is None:
        return shape_value(x) or unknown("size")
    axis = integer(given)
    return size_value(x, axis) if axis is not None else unknown("size")


def count(call: OpCall, what: str) -> Value:
    """x.dim(), x.numel(), len(x)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(what, x)
    if what == "dim":
        known = rank(x.shape)
        return Const(known) if known is not None else unknown(what)
    if what == "len":
        return size_value(x, 0)
    sizes = x.shape if rank(x.shape) is not None else None
    if sizes is not None and all(isinstance(s, int) for s in sizes):
        total = 1
        for s in sizes:
            total *= s
        return Const(total)
    return SymInt(("numel", x.uid))


def predicate(call: OpCall, what: str) -> Value:
    """x.is_floating_point(), torch.is_tensor(x)."""
    x = operand(call, 0, "obj", "input")
    if what == "is_tensor":
        return Const("numpy" not in x.dom.flags) if isinstance(x, Tensor) else unknown(what, x)
    if isinstance(x, Tensor) and x.dtype is not None:
        return Const(x.dtype in FLOATS)
    return unknown(what, x)


def attribute(tensor: Tensor, name: str, call: OpCall) -> Value | None:
    """An attribute of a tensor that is no method: shape, ndim, T, mT, data, dtype; None for others."""
    if name == "shape":
        return shape_value(tensor)
    if name == "ndim":
        known = rank(tensor.shape)
        return Const(known) if known is not None else None
    if name == "T":
        return transposed(tensor)
    if name in ("mT", "H", "mH"):
        return swapped(tensor, -2, -1) if name == "mT" else transposed(tensor)
    if name == "data":
        return cut_off(call, tensor, ".data", ".data leaves the graph")
    if name == "dtype":
        return dtype_value(tensor)
    if name == "requires_grad" and tensor.grad is not None:
        return Const(tensor.grad)
    if name == "real":
        return tensor
    return None


def enter() -> None:
    """Enter all of this module."""
    for name, dtype in (
        ("float", "float32"),
        ("double", "float64"),
        ("half", "float16"),
        ("bfloat16", "bfloat16"),
        ("long", "int64"),
        ("int", "int32"),
        ("short", "int16"),
        ("char", "int8"),
        ("byte", "uint8"),
        ("bool", "bool"),
    ):
        register(partial(cast_to, dtype=dtype), "", name)
    register(to, "", "to")
    register(partial(to, always=True), "", "astype type_as")
    register(type_, "", "type")
    register(partial(same, device=MOVED), "", "cuda xpu mps npu cuda_")
    register(partial(same, device=CPU), "", "cpu")
    register(same, "", "to_dense coalesce")
    register(detach, "torch.Tensor.detach", "detach detach_")
    register(partial(detach, what=".data"), methods="data")
    register(requires_grad_, "", "requires_grad_")
    register(variable, "torch.autograd.Variable")
    register(as_numpy, "", "numpy __array__")
    register(array, "numpy.array numpy.asarray")
    register(item, "", "item")
    register(tolist, "", "tolist")
    register(size, "", "size")
    for name, what in (
        ("dim", "dim"),
        ("ndimension", "dim"),
        ("numel", "numel"),
        ("nelement", "numel"),
        ("__len__", "len"),
    ):
        register(partial(count, what=what), name if name == "numel" else "", name)
    register(partial(predicate, what="is_floating_point"), "is_floating_point", "is_floating_point")
    register(partial(predicate, what="is_tensor"), "is_tensor")


enter()
