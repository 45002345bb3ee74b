"""New tensors: zeros, randn, arange, tensor(...), one_hot, and their `_like` and `new_` variants."""

from __future__ import annotations

from functools import partial
from typing import Any

from torchlosslint.flow.devices import kind
from torchlosslint.flow.domain import ANY, BOUNDED, DATA, INDICES, NUMBER, ONEHOT, SCORES, UNIT, Domain
from torchlosslint.flow.ops.arithmetic import numeric
from torchlosslint.flow.ops.call import OpCall, const, integer, items, number
from torchlosslint.flow.ops.shapes import size_args, size_from
from torchlosslint.flow.ops.support import (
    FLOATS,
    cut_off,
    dtype_of,
    flagged,
    made,
    members,
    nothing,
    operand,
    register,
    unflagged,
    unknown,
)
from torchlosslint.flow.origins import marked
from torchlosslint.flow.values import (
    CPU,
    TRUE,
    Choice,
    Const,
    ListV,
    Shape,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

LEGACY = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
    "Tensor": "float32",
}


def born(call: OpCall, dom: Domain, dtype: str | None, shape: Shape | None, role: str = "") -> Tensor:
    """A tensor that no gradient reaches, unless it asks for one itself."""
    wanted = call.kwargs.get("requires_grad")
    asked = call.kwargs.get("dtype")
    if asked is not None and asked != Const(None):
        dtype = dtype_of(asked)
    grad: bool | None = (
        False if wanted is None or const(wanted) is False else True if wanted == TRUE else None
    )
    return on_cpu(call, Tensor(dom, dtype=dtype, shape=shape, grad=grad, role=role))


def on_cpu(call: OpCall, made_: Tensor) -> Tensor:
    """A new tensor is on the CPU where no other device is asked for."""
    if "device" not in call.kwargs or kind(call.kwargs["device"]) == CPU:
        made_.device = CPU
    return made_


def sizes(call: OpCall, skip: int = 0) -> Shape | None:
    """The shape asked for: `zeros(2, 3)`, `zeros((2, 3))`, `zeros(size=...)`."""
    found = size_args(call.args[skip:], call.kwargs.get("size", call.kwargs.get("shape")))
    if found is None:
        return None
    return tuple(s if (s := size_from(v)) is None or s != -1 else None for v in found)


def filled(call: OpCall, value: float | None = None, numpy: bool = False) -> Value:
    """zeros, ones, empty: one number everywhere."""
    dom = Domain(NUMBER, low=value) if value is not None else nothing("empty")
    shape = sizes(call)
    if numpy:
        first = call.arg(0, "shape")
        listed = size_args([first]) if first is not None else None
        shape = tuple(size_from(v) for v in listed) if listed is not None else None
    if "out" in call.kwargs:
        return unknown("zeros")
    dtype = dtype_of(call.args[1]) if numpy and len(call.args) > 1 else "float64" if numpy else "float32"
    return born(call, array(dom, numpy), dtype, shape)


def array(dom: Domain, numpy: bool) -> Domain:
    """The domain of a numpy array."""
    return flagged(dom, "numpy") if numpy else dom


def full(call: OpCall, numpy: bool = False) -> Value:
    """full(size, fill_value): the dtype is that of the value."""
    first, fill = call.arg(0, "size"), call.arg(1, "fill_value")
    first = call.kwargs.get("shape") if first is None else first
    listed = size_args([first]) if first is not None else None
    shape = tuple(size_from(v) for v in listed) if listed is not None else None
    dom, dtype = value_domain(fill)
    if numpy:
        dtype = dtype_of(call.args[2]) if len(call.args) > 2 else "float64" if dtype == "float32" else dtype
    return born(call, array(dom, numpy), dtype, shape)


def value_domain(value: Value | None) -> tuple[Domain, str | None]:
    """The domain and dtype of a tensor of one Python number."""
    found = const(value)
    if isinstance(found, bool):
        return Domain(NUMBER, low=float(found)), "bool"
    if isinstance(found, int):
        return Domain(NUMBER, low=number(value)), "int64"
    if isinstance(found, float):
        return Domain(NUMBER, low=found), "float32"
    return nothing("full"), "int64" if isinstance(value, SymInt) else None


def random(call: OpCall, dom: Domain, dtype: str = "float32", skip: int = 0) -> Value:
    """rand, randn: noise."""
    return born(call, dom, dtype, sizes(call, skip), "noise")


def normal(call: OpCall) -> Value:
    """torch.normal(mean, std, size)."""
    mean, size = operand(call, 0, "mean"), call.arg(2, "size")
    listed = size_args([size]) if size is not None else None
    shape = tuple(size_from(v) for v in listed) if listed is not None else None
    if isinstance(mean, Tensor):
        shape = mean.shape
    return born(call, Domain(SCORES, "randn"), "float32", shape, "noise")


def randint(call: OpCall) -> Value:
    """randint(low=0, high, size)."""
    positional = [a for a in call.args if items(a) is not None]
    size = positional[0] if positional else call.kwargs.get("size")
    listed = size_args([size]) if size is not None else None
    shape = tuple(size_from(v) for v in listed) if listed is not None else None
    ends = [integer(a) for a in call.args if items(a) is None][:2]
    low = integer(call.kwargs.get("low", Const(0)))
    if len(ends) > 1 or "high" in call.kwargs:
        low = ends.pop(0) if ends else low
    high = ends[0] if ends else integer(call.kwargs.get("high"))
    dom = nothing("randint")
    if low is not None and low >= 0:
        dom = Domain(INDICES, "randint", low=low, high=high - 1) if high else Domain(INDICES, "randint")
    return born(call, dom, "int64", shape, "noise")


def arange(call: OpCall, numpy: bool = False) -> Value:
    """arange(start=0, end, step=1)."""
    numbers = [integer(a) for a in call.args[:3]]
    whole = all(isinstance(a, SymInt) or integer(a) is not None for a in call.args[:3])
    fractional = any(isinstance(const(a), float) for a in call.args[:3])
    size: Any = None
    if whole and all(n is not None for n in numbers) and numbers and 0 not in numbers[2:]:
        size = len(range(*[n for n in numbers if n is not None]))
    dtype = "int64" if whole and call.args else "float32" if fractional else None
    return born(call, array(Domain(DATA, "arange"), numpy), dtype, (size,))


def linspace(call: OpCall, numpy: bool = False) -> Value:
    """linspace(start, end, steps)."""
    return born(
        call, array(Domain(DATA), numpy), "float64" if numpy else "float32", (integer(call.arg(2, "steps")),)
    )


def eye(call: OpCall, numpy: bool = False) -> Value:
    """eye(n): one-hot rows."""
    n, m = integer(call.arg(0, "n")), call.arg(1, "m")
    shape = (n, n if m is None else integer(m))
    return born(call, array(Domain(ONEHOT, "eye"), numpy), "float64" if numpy else "float32", shape)


def like(call: OpCall, dom: Domain, role: str = "") -> Value:
    """zeros_like, randn_like: the shape and the dtype of another tensor."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return born(call, dom, None, None, role).with_(device="")
    made_ = born(call, flagged(dom, "numpy") if "numpy" in x.dom.flags else dom, x.dtype, x.shape, role)
    return made_ if "device" in call.kwargs else made_.with_(device=x.device)


def full_like(call: OpCall) -> Value:
    """full_like(input, fill_value)."""
    dom, _ = value_domain(call.arg(1, "fill_value"))
    return like(call, dom)


def randint_like(call: OpCall) -> Value:
    """randint_like(input, low, high)."""
    return like(call, nothing("randint"), "noise")


def new(call: OpCall, dom: Domain, role: str = "") -> Value:
    """x.new_zeros(size): the dtype of another tensor."""
    x = operand(call)
    return _beside(x, born(call, dom, x.dtype if isinstance(x, Tensor) else None, sizes(call, 1), role))


def _beside(x: Value, made_: Tensor) -> Tensor:
    """A tensor made by a method of another one is where that is."""
    return made_.with_(device=x.device if isinstance(x, Tensor) else "")


def new_full(call: OpCall) -> Value:
    """x.new_full(size, fill_value)."""
    x, size = operand(call), call.arg(1, "size")
    listed = size_args([size]) if size is not None else None
    shape = tuple(size_from(v) for v in listed) if listed is not None else None
    dom, _ = value_domain(call.arg(2, "fill_value"))
    return _beside(x, born(call, dom, x.dtype if isinstance(x, Tensor) else None, shape))


def refilled(call: OpCall, dom: Domain | None = None, role: str = "") -> Value:
    """x.fill_(v), x.zero_(), x.normal_(), x.uniform_(): other numbers in the same tensor."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown("fill_", x)
    if dom is None:
        dom, _ = value_domain(call.arg(1, "value"))
    return Tensor(dom, dtype=x.dtype, shape=x.shape, grad=x.grad, role=role or x.role)


def resized(call: OpCall) -> Value:
    """x.resize_(2, 3), x.resize_as_(y): the same tensor with another shape, and numbers from anywhere."""
    x, other = operand(call), call.arg(1, "the_template")
    if not isinstance(x, Tensor):
        return unknown("resize_", x)
    shape = other.shape if isinstance(other, Tensor) else sizes(call, 1)
    return x.with_(dom=nothing("resize_"), shape=shape, uid=None, of=None)


def copied(call: OpCall) -> Value:
    """x.copy_(y): the numbers of another tensor in this one's shape and dtype."""
    x, other = operand(call), operand(call, 1, "src")
    if not isinstance(x, Tensor):
        return unknown("copy_", x)
    known = isinstance(other, Tensor) and other.dom.dim is None
    dom = unflagged(other.dom, "numpy") if known and isinstance(other, Tensor) else nothing("copy_")
    return made(call, x, dom, others=(other,), dtype=x.dtype, shape=x.shape)


def uniform(call: OpCall) -> Value:
    """x.uniform_(low=0, high=1)."""
    low, high = call.arg(1, "from"), call.arg(2, "to")
    standard = low is None and high is None
    return refilled(call, Domain(UNIT, "rand") if standard else nothing("uniform_"), "noise")


def tensor(call: OpCall, dtype: str | None = None, name: str = "tensor", copies: bool = True) -> Value:
    """torch.tensor(data), as_tensor, from_numpy, FloatTensor: from Python numbers, arrays, tensors."""
    data = operand(call, 0, "data", "obj", "ndarray", "object", "a")
    made_ = _tensor(call, data, dtype, name, copies)
    numpy = isinstance(data, Tensor) and "numpy" in data.dom.flags
    if (
        isinstance(made_, Tensor)
        and (numpy or isinstance(data, (ListV, TupleV, Const)))
        and "cuda" not in name
    ):
        made_ = on_cpu(call, made_.with_())
    return made_ if isinstance(data, Tensor) else marked(made_, data)


def _tensor(call: OpCall, data: Value, dtype: str | None, name: str, copies: bool) -> Value:
    asked = call.kwargs.get("dtype")
    if asked is not None and asked != Const(None):
        dtype = dtype_of(asked)
    if isinstance(data, Tensor):
        numpy = "numpy" in data.dom.flags
        after = data.with_(dom=unflagged(data.dom, "numpy"), dtype=dtype or data.dtype, of=None)
        if (copies and not numpy) or numpy:
            return asking(
                call, cut_off(call, after, f"{name}()", f"{name} makes a new tensor, cut from the graph")
            )
        return asking(call, after)
    found = listed(data)
    if found and isinstance(data, ListV) and data.attrs.get("one_hot") is TRUE:
        row = Tensor(Domain(ONEHOT, "one_hot"), dtype=dtype or "int64", shape=(len(found),), grad=False)
        return asking(call, row)
    if found is not None:
        return asking(call, from_list(call, found, dtype, name))
    if isinstance(data, Const) and not isinstance(data.value, str) and data.value is not None:
        dom, own = value_domain(data)
        return asking(call, Tensor(dom, dtype=dtype or own, shape=(), grad=False))
    if isinstance(data, (Unknown, SymInt, ListV)):
        held = members(data)
        if held and any(isinstance(v, Tensor) for v in held):
            return asking(call, from_list(call, held, dtype, name).with_(shape=None))
        if held and all(isinstance(v, SymInt) or number(v) is not None for v in held):
            whole = all(isinstance(v, SymInt) or integer(v) is not None for v in held)
            dtype = dtype or ("int64" if whole else "float32")
            return asking(call, Tensor(Domain(DATA), dtype=dtype, shape=(None,), grad=False))
        shape = () if isinstance(data, SymInt) else None
        return asking(call, Tensor(Domain(DATA), dtype=dtype, shape=shape, grad=False))
    return unknown(name, data)


def listed(value: Value) -> list[Value] | None:
    """The elements of a list, with alternatives as unknowns."""
    return items(value) if isinstance(value, (TupleV, ListV)) else None


def asking(call: OpCall, made_: Tensor) -> Tensor:
    """The tensor, with a gradient of its own where `requires_grad=True` was given."""
    leaf = {"grad": True, "cut": "", "roots": frozenset({("leaf", made_.uid)})}
    return made_.with_(**leaf) if call.kwargs.get("requires_grad") == TRUE else made_


def from_list(call: OpCall, found: list[Value], dtype: str | None, name: str) -> Tensor:
    """A tensor of a list of numbers, of lists, or of tensors."""
    tensors = [v for v in found if isinstance(v, Tensor)]
    if tensors:
        doms = {unflagged(t.dom, "numpy") for t in tensors}
        dom = doms.pop() if len(doms) == 1 and len(tensors) == len(found) else ANY
        dom = dom.replace(dim=None) if dom.dim is not None else dom
        after = made(call, tensors[0], dom, others=found, dtype=dtype, shape=None)
        after = after.with_(dom=unflagged(after.dom, "numpy"))
        if any(t.grad is not False for t in tensors) and after.grad is not False:
            return cut_off(call, after, f"{name}()", f"{name} makes a new tensor, cut from the graph")
        return after
    shape, kinds, numbers = described(found)
    if dtype is None and kinds:
        dtype = "float32" if float in kinds else "int64" if int in kinds else "bool"
    dom = Domain(DATA)
    if numbers and len(set(numbers)) == 1:
        dom = Domain(NUMBER, low=numbers[0])
    elif numbers and shape is not None and len(shape) > 1 and one_hot_rows(numbers, shape[-1]):
        dom = Domain(ONEHOT, "one_hot")
    elif numbers and shape is not None and len(shape) == 2 and set(numbers) == {0, 1}:
        dom = Domain(DATA, "multi_hot")
    elif numbers and shape is not None and len(shape) == 1 and dtype in FLOATS and min(numbers) < 0:
        dom = Domain(BOUNDED, low=min(numbers), high=max(numbers), flags=frozenset({"listed"}))
    return Tensor(dom, dtype=dtype, shape=shape, grad=False)


def one_hot_rows(numbers: list[float], width: object) -> bool:
    """Whether rows of this width are all zeros but for a single one."""
    if not isinstance(width, int) or width < 2 or len(numbers) % width:
        return False
    rows = (numbers[i : i + width] for i in range(0, len(numbers), width))
    return all(sorted(row) == [0] * (width - 1) + [1] for row in rows)


def described(found: list[Value]) -> tuple[Shape | None, set[type] | None, list[float]]:
    """The shape, the Python types and the numbers of nested lists (types None where something is unknown)."""
    inner = [listed(v) for v in found]
    if found and all(i is not None for i in inner):
        parts = [described(i) for i in inner if i is not None]
        shapes = {p[0] for p in parts}
        kinds: set[type] | None = set()
        numbers: list[float] = []
        for _, k, n in parts:
            kinds = kinds | k if kinds is not None and k is not None else None
            numbers += n
        shape = shapes.pop() if len(shapes) == 1 else None
        return ((len(found), *shape) if shape is not None else None), kinds, numbers
    plain = [const(v) for v in found]
    if all(isinstance(p, (int, float)) for p in plain):
        return (
            (len(found),),
            {type(p) for p in plain},
            [each for v in found if (each := numeric(v)) is not None],
        )
    return (
        (len(found),)
        if not any(isinstance(v, (Unknown, Choice)) or listed(v) is not None for v in found)
        else None,
        None,
        [],
    )


def legacy(call: OpCall, name: str, cuda: bool = False) -> Value:
    """torch.FloatTensor(data) or torch.FloatTensor(2, 3), which is not initialised."""
    if call.args and all(integer(a) is not None or isinstance(a, SymInt) for a in call.args):
        return Tensor(nothing("empty"), dtype=LEGACY[name], shape=sizes(call), grad=False)
    if not call.args:
        return Tensor(nothing("empty"), dtype=LEGACY[name], shape=(0,), grad=False)
    return tensor(call, dtype=LEGACY[name], name=f"cuda.{name}" if cuda else name)


def one_hot(call: OpCall) -> Value:
    """F.one_hot(labels, num_classes)."""
    labels, count = operand(call, 0, "tensor", "input"), integer(call.arg(1, "num_classes"))
    shape: Shape | None = None
    if isinstance(labels, Tensor) and labels.shape is not None:
        shape = (*labels.shape, count if count is not None and count >= 0 else None)
    after = made(
        call,
        labels,
        Domain(ONEHOT, "one_hot"),
        "one_hot makes integer rows of zeros with a one",
        dtype="int64",
        shape=shape,
    )
    return cut_off(call, after, "one_hot()", "one_hot has no gradient")


def parameter(call: OpCall) -> Value:
    """nn.Parameter(data): trained numbers, which may become anything."""
    data = operand(call)
    trained = call.arg(1, "requires_grad")
    if const(trained) is False:
        return data
    shape, dtype = (data.shape, data.dtype) if isinstance(data, Tensor) else (None, "float")
    return Tensor(Domain(SCORES, "nn.Parameter"), dtype=dtype, shape=shape, grad=True, role="model")


def bernoulli(call: OpCall) -> Value:
    """torch.bernoulli: zeros and ones drawn at random."""
    x = operand(call)
    after = made(call, x, Domain(UNIT, "bernoulli"))
    return cut_off(call, after, "bernoulli()", "bernoulli has no gradient").with_(role="noise")


def enter() -> None:
    """Enter all of this module."""
    noise, flat = Domain(SCORES, "randn"), Domain(UNIT, "rand")
    for name, value in (("zeros", 0.0), ("ones", 1.0), ("empty", None)):
        dom = Domain(NUMBER, low=value) if value is not None else nothing("empty")
        register(partial(filled, value=value), name)
        register(partial(filled, value=value, numpy=True), f"numpy.{name}")
        register(partial(like, dom=dom), f"{name}_like numpy.{name}_like")
        register(partial(new, dom=dom), "", f"new_{name}")
    register(full, "full")
    register(partial(full, numpy=True), "numpy.full")
    register(full_like, "full_like numpy.full_like")
    register(new_full, "", "new_full")
    register(partial(random, dom=noise), "randn")
    register(partial(random, dom=flat), "rand")
    register(partial(random, dom=array(noise, True), dtype="float64"), "numpy.random.randn")
    register(partial(random, dom=array(flat, True), dtype="float64"), "numpy.random.rand numpy.random.random")
    register(partial(like, dom=noise, role="noise"), "randn_like")
    register(partial(like, dom=flat, role="noise"), "rand_like")
    register(randint_like, "randint_like")
    register(normal, "normal")
    register(randint, "randint")
    register(arange, "arange range")
    register(partial(arange, numpy=True), "numpy.arange")
    register(linspace, "linspace logspace")
    register(partial(linspace, numpy=True), "numpy.linspace")
    register(eye, "eye")
    register(partial(eye, numpy=True), "numpy.eye numpy.identity")
    register(partial(refilled, dom=None), "", "fill_")
    register(partial(refilled, dom=Domain(NUMBER, low=0.0)), "", "zero_")
    register(partial(refilled, dom=noise, role="noise"), "", "normal_")
    register(resized, "", "resize_ resize_as_ resize")
    register(copied, "", "copy_")
    register(uniform, "", "uniform_")
    register(bernoulli, "bernoulli", "bernoulli bernoulli_")
    register(partial(tensor, name="torch.tensor"), "tensor torch.scalar_tensor")
    register(partial(tensor, name="as_tensor", copies=False), "as_tensor asarray from_numpy")
    for name in LEGACY:
        register(partial(legacy, name=name), name)
        register(partial(legacy, name=name, cuda=True), f"torch.cuda.{name}")
    register(one_hot, "F.one_hot")
    register(parameter, "torch.nn.Parameter")


enter()
