"""Products of matrices: @, matmul, mm, bmm, einsum, F.linear, F.bilinear."""

from __future__ import annotations

from torchlosslint.flow.domain import (
    BOUNDED,
    DATA,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    RAW,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.ops.call import OpCall, const, items
from torchlosslint.flow.ops.shapes import rank, size_at
from torchlosslint.flow.ops.support import domain, made, nothing, operand, promoted, register, unknown
from torchlosslint.flow.values import DOTS, NONE, Shape, Tensor, Unknown, Value

COSINE = Domain(BOUNDED, "cosine", low=-1.0, high=1.0)


def product(a: Domain, b: Domain) -> Domain:
    """The domain of sums of products."""
    if "normalized" in a.flags and "normalized" in b.flags:
        return COSINE
    if {a.kind, b.kind} & {SCORES, BOUNDED} and not {a.kind, b.kind} & {NUMBER}:
        return RAW
    if a.kind == b.kind == POSITIVE:
        return Domain(POSITIVE)
    if {a.kind, b.kind} <= {PROBS, UNIT, ONEHOT, POSITIVE}:
        return nothing("matmul")
    return Domain(DATA) if a.kind == b.kind == DATA else nothing("matmul")


def product_shape(a: Shape | None, b: Shape | None) -> Shape | None:
    """The shape of a @ b."""
    if a is None or b is None:
        return None
    ra, rb = rank(a), rank(b)
    if ra == 2 and rb == 2:
        return (a[0], b[1])
    if rb == 2 and ra != 1 and (ra is None or ra > 2):
        return (*a[:-1], b[1]) if len(a) > 1 else (DOTS, b[1])
    if ra == rb and ra is not None and ra > 2:
        lead = tuple(x if x == y else None for x, y in zip(a[:-2], b[:-2], strict=True))
        return (*lead, a[-2], b[-1])
    if ra == 1 and rb == 2:
        return (b[1],)
    if ra == 2 and rb == 1:
        return (a[0],)
    if ra == 1 and rb == 1:
        return ()
    return None


def contract(call: OpCall, left: Value, right: Value) -> Value:
    """left @ right."""
    if not isinstance(left, Tensor) and not isinstance(right, Tensor):
        return unknown("matmul", left, right)
    dom = product(domain(left), domain(right))
    shape = product_shape(getattr(left, "shape", None), getattr(right, "shape", None))
    note = "the product of normalized vectors is a cosine in [-1, 1]" if dom == COSINE else ""
    return made(call, left, dom, note, others=(right,), dtype=promoted(left, right), shape=shape)


def matmul(call: OpCall) -> Value:
    """torch.matmul, mm, bmm, mv, dot."""
    return contract(call, operand(call), operand(call, 1, "other", "mat2", "tensor2", "vec", "b"))


def add_product(call: OpCall) -> Value:
    """addmm, baddbmm: input + a @ b."""
    parts = [operand(call), operand(call, 1, "mat1", "batch1"), operand(call, 2, "mat2", "batch2")]
    known = contract(call, parts[1], parts[2])
    if not isinstance(known, Tensor):
        return unknown("addmm", *parts)
    dom = RAW if SCORES in (known.dom.kind, domain(parts[0]).kind) else nothing("addmm")
    return made(call, known, dom, others=(parts[0],), dtype=None)


def linear(call: OpCall) -> Value:
    """F.linear(input, weight, bias): raw scores, or a cosine."""
    x, weight = operand(call), operand(call, 1, "weight")
    bias = call.arg(2, "bias", NONE)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown("linear", x)
    flags = domain(x).flags & domain(weight).flags
    size = size_at(weight.shape, 0) if isinstance(weight, Tensor) and rank(weight.shape) == 2 else None
    shape: Shape | None = (DOTS, size)
    if isinstance(x, Tensor) and x.shape:
        shape = (*x.shape[:-1], size) if x.shape[-1] is not DOTS else (DOTS, size)
    if "normalized" in flags and bias == NONE:
        note = "the product of normalized vectors is a cosine in [-1, 1]"
        return made(call, x, COSINE, note, others=(weight,), shape=shape)
    dom = Domain(SCORES, "F.linear")
    return made(
        call,
        x,
        dom,
        "F.linear gives raw scores",
        others=(weight,),
        dtype=getattr(x, "dtype", "float"),
        shape=shape,
    )


def convolve(call: OpCall) -> Value:
    """F.conv2d(input, weight, ...) and its kin: raw scores."""
    x, weight = operand(call), operand(call, 1, "weight")
    if not isinstance(x, (Tensor, Unknown)):
        return unknown("conv", x)
    shape: Shape | None = None
    if isinstance(x, Tensor) and rank(x.shape) is not None and x.shape and len(x.shape) >= 3:
        shape = (x.shape[0], None, *(None for _ in x.shape[2:]))
    return made(
        call, x, Domain(SCORES, "F.conv"), "the convolution gives raw scores", others=(weight,), shape=shape
    )


def einsum(call: OpCall) -> Value:
    """torch.einsum(equation, *operands)."""
    parts = list(call.args[1:]) or list(call.kwargs.values())
    if len(parts) == 1 and (inner := items(parts[0])) is not None:
        parts = inner
    tensors = [p for p in parts if isinstance(p, Tensor)]
    if not tensors:
        return unknown("einsum", *parts)
    dom = domain(parts[0])
    for other in parts[1:]:
        dom = product(dom, domain(other))
    equation = const(call.arg(0, "equation"))
    shape: Shape | None = None
    if isinstance(equation, str):
        _, _, out = equation.replace(" ", "").partition("->")
        shape = tuple(None for _ in out) if out.isalpha() else None
    if len(parts) == 1:
        dom = nothing("einsum")
    note = "the product of normalized vectors is a cosine in [-1, 1]" if dom == COSINE else ""
    return made(call, parts[0], dom, note, others=parts[1:], dtype=None, shape=shape)


def normalize(call: OpCall) -> Value:
    """F.normalize(x, p=2, dim=1): unit vectors; with p=1 positive numbers become probabilities."""
    x = operand(call)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown("normalize", x)
    norm, dim = call.arg(1, "p"), call.arg(2, "dim")
    where = 1 if dim is None else const(dim)
    power = 2.0 if norm is None else const(norm)
    if power in (1, 1.0) and domain(x).kind in (POSITIVE, UNIT, PROBS):
        dom = Domain(PROBS, "normalize", dim=where if isinstance(where, int) else None, base=domain(x))
        return made(call, x, dom, "normalize(p=1) makes probabilities")
    flags = frozenset({"normalized"} if power in (2, 2.0) else ())
    return made(call, x, Domain(BOUNDED, "normalize", low=-1.0, high=1.0, flags=flags))


def cosine(call: OpCall) -> Value:
    """cosine_similarity of two tensors."""
    a, b = operand(call, 0, "x1"), operand(call, 1, "x2")
    if not isinstance(a, (Tensor, Unknown)):
        return unknown("cosine_similarity", a)
    return made(call, a, COSINE, "a cosine similarity lies in [-1, 1]", others=(b,), dtype=None, shape=None)


def distance(call: OpCall) -> Value:
    """pairwise_distance, cdist: non-negative."""
    a, b = operand(call, 0, "x1"), operand(call, 1, "x2")
    if not isinstance(a, (Tensor, Unknown)):
        return unknown("distance", a)
    return made(call, a, Domain(POSITIVE, "distance"), others=(b,), dtype=None, shape=None)


def attention(call: OpCall) -> Value:
    """F.scaled_dot_product_attention(query, key, value): weighted means of the values."""
    query, value = operand(call, 0, "query"), operand(call, 2, "value")
    if not isinstance(query, (Tensor, Unknown)):
        return unknown("attention", query)
    kind = domain(value).kind
    dom = RAW if kind == SCORES else nothing("attention")
    return made(call, query, dom, others=(operand(call, 1, "key"), value), shape=None)


def enter() -> None:
    """Enter all of this module."""
    register(
        matmul,
        "matmul mm bmm mv dot inner torch.linalg.matmul numpy.matmul numpy.dot",
        "matmul mm bmm mv dot inner __matmul__",
    )
    register(add_product, "addmm baddbmm addbmm addmv", "addmm addmm_ baddbmm addbmm addmv")
    register(linear, "F.linear torch._C._nn.linear")
    kinds = "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"
    register(convolve, " ".join(f"F.{k} {k}" for k in kinds.split()))
    register(einsum, "einsum numpy.einsum")
    register(normalize, "F.normalize")
    register(cosine, "F.cosine_similarity cosine_similarity", "", "CosineSimilarity")
    register(distance, "F.pairwise_distance pairwise_distance cdist", "", "PairwiseDistance")
    register(attention, "F.scaled_dot_product_attention")


enter()
