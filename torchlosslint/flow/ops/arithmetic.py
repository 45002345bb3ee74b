"""Operators between tensors, numbers and unknowns: what + - * / and the comparisons make of domains."""

from __future__ import annotations

import operator
from collections.abc import Callable

from torchlosslint.flow.domain import (
    BOUNDED,
    CHOSEN,
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    NUMBER,
    POSITIVE,
    PROBS,
    RAW,
    SCORES,
    UNIT,
    UNKNOWN,
    Domain,
)
from torchlosslint.flow.ops.call import OpCall, const, number
from torchlosslint.flow.ops.contraction import contract
from torchlosslint.flow.ops.domains import (
    added,
    divided,
    from_number,
    multiplied,
    negated,
    powered,
    shifted,
    subtracted,
    times_number,
)
from torchlosslint.flow.ops.shapes import broadcast, same_axis
from torchlosslint.flow.ops.support import (
    TINY,
    cut_off,
    domain,
    flagged,
    is_score,
    made,
    may_be_tensor,
    nothing,
    numbered,
    operand,
    promoted,
    register,
    uid_of,
    unflagged,
    unknown,
)
from torchlosslint.flow.values import DOTS, Const, ListV, Shape, SymInt, Tensor, TupleV, Unknown, Value

_COMPARED = nothing("comparison")
# What is counted by the sum of `y == 1` and of `y == 0`.
_WITH: dict[object, Domain] = {
    1: Domain(UNKNOWN, "comparison", flags=frozenset({"positives"})),
    0: Domain(UNKNOWN, "comparison", flags=frozenset({"negatives"})),
}
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
NUMERIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def numeric(value: Value) -> float | None:
    """The one number that an operand is everywhere, where it is one."""
    if isinstance(value, Tensor):
        return value.dom.low if value.dom.kind == NUMBER else None
    found = const(value)
    return float(found) if isinstance(found, bool) else number(value)


def shape_of(value: Value) -> Shape | None:
    """The shape of an operand; () for numbers."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, (Const, SymInt)) or (isinstance(value, Unknown) and value.config):
        return ()
    return None


def binary(op: str, left: Value, right: Value, call: OpCall) -> Value:
    """A binary operator (also `+=` and so on without the `=`) of which at least one side is a tensor."""
    op = op.removesuffix("=") if op not in COMPARISONS else op
    if not isinstance(left, Tensor) and not isinstance(right, Tensor):
        return unknown(op, left, right)
    if isinstance(const(left), str) or isinstance(const(right), str):
        return unknown(op)
    left, right = (Unknown("a sequence") if isinstance(v, (TupleV, ListV)) else v for v in (left, right))
    if op == "@":
        return contract(call, left, right)
    if op in COMPARISONS:
        return comparison(call, op, left, right)
    if op in ("&", "|", "^"):
        return made(
            call, left, nothing(op), others=(right,), dtype=promoted(left, right), shape=joint(left, right)
        )
    shape = joint(left, right)
    dtype = promoted(left, right)
    if op in ("/", "**") and dtype is not None and op == "/":
        numpy = all("numpy" in t.dom.flags for t in (left, right) if isinstance(t, Tensor))
        dtype = dtype if dtype.startswith(("float", "bfloat")) else "float64" if numpy else "float32"
    uid = numbered(op, uid_of(left), uid_of(right))
    special = normalised(op, left, right)
    if special is not None:
        dom, note = special
        return made(call, left, dom, note, others=(right,), dtype=dtype, shape=shape, uid=uid)
    dom = combined(op, left, right)
    after = made(
        call,
        left,
        dom,
        others=(right,),
        dtype=dtype,
        shape=shape,
        uid=uid,
        of=kept_reduction(op, left, right),
    )
    if any(isinstance(v, Unknown) and may_be_tensor(v) for v in (left, right)):
        after = after.with_(dom=unflagged(after.dom, "numpy"))  # an array and a tensor give a tensor
    if op == "-" and shape is not None and after.grad is not False and call.emit is not None:
        after = paired(call, left, right, after)
    if op == "+" and call.emit is not None and not call.no_grad:
        return severed(call, left, right, after)
    if op == "//":
        return cut_off(call, after, "//", "floor division has no gradient")
    if dom.kind == UNIT and dom.how == "1/(1+exp())":
        return after.with_(
            trail=call.step(left if isinstance(left, Tensor) else right, "1/(1+exp()) is a sigmoid")
        )
    return after


def paired(call: OpCall, left: Value, right: Value, after: Tensor) -> Tensor:
    """(N, 1) - (N,) of the same N pairs every number with every other: told, and a root of the result."""
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return after
    for column, row in ((left, right), (right, left)):
        a, b = column.shape, row.shape
        if a and b and len(a) == len(b) + 1 == 2 and a[1] == 1 and a[0] == b[0] and a[0] not in (1, None):
            if a[0] is not DOTS and call.emit is not None:
                call.emit("paired", column, call.place, other=row)
                return after.with_(roots=after.roots | {("paired", call.place)})
    return after


def severed(call: OpCall, left: Value, right: Value, after: Tensor) -> Tensor:
    """The sum of a loss with a gradient and of one that lost it: told, and a root of the result."""
    for term, other in ((left, right), (right, left)):
        if (
            isinstance(term, Tensor)
            and isinstance(other, Tensor)
            and term.grad is False
            and other.grad is not False
            and term.role == other.role == "loss"
            and any(kind == "was" for kind, _ in term.roots)
            and any(kind == "loss" for kind, _ in other.roots)
            and call.emit is not None
        ):
            call.emit("severed", term, call.place)
            return after.with_(roots=after.roots | {("severed", call.place)})
    return after


def joint(left: Value, right: Value) -> Shape | None:
    """The broadcast shape of two operands."""
    return broadcast(shape_of(left), shape_of(right))


def comparison(call: OpCall, op: str, left: Value, right: Value) -> Value:
    """A mask; no gradient goes through."""
    if call.emit is not None:
        tell(call, op, left, right)
    dom = _WITH.get(const(right), _COMPARED) if op == "==" else _COMPARED
    after = made(call, left, dom, others=(right,), dtype="bool", shape=joint(left, right))
    return cut_off(call, after, "comparison", "a comparison has no gradient")


def tell(call: OpCall, op: str, left: Value, right: Value) -> None:
    """The comparisons that say what a program takes its scores for."""
    assert call.emit is not None
    for side, other in ((left, right), (right, left)):
        if not isinstance(side, Tensor):
            continue
        if op in ("==", "!="):
            if side.dom.kind == INDICES and side.dom.how in CHOSEN:
                call.emit("match", side, call.place, other=other)
        elif is_score(side.dom) and (limit := numeric(other)) is not None and 0 < limit < 1:
            call.emit("threshold", side, call.place, limit=other)


def kept_reduction(op: str, left: Value, right: Value) -> tuple[int, int | None] | None:
    """What a sum plus a tiny number is still the sum of; what `1 + exp(x)` was made of."""
    for side, other in ((left, right), (right, left)):
        value = number(other)
        if isinstance(side, Tensor) and op == "+" and value is not None:
            if side.of is not None and 0 <= value <= TINY:
                return side.of
            if value == 1 and side.dom.how == "exp":
                return side.uid, None
    if op == "-" and isinstance(left, (SymInt, Const)) and isinstance(right, Tensor) and right.of is not None:
        return right.uid, None
    return None


def normalised(op: str, left: Value, right: Value) -> tuple[Domain, str] | None:
    """Division by a sum or norm of oneself, subtraction of one's logsumexp: softmax written by hand."""
    if not isinstance(right, Tensor) or right.of is None or right.of[0] != uid_of(left):
        return None
    dim, dom, how = right.of[1], domain(left), right.dom.how
    if op == "/" and how == "1+exp" and dom.how == "exp":
        return Domain(UNIT, "1/(1+exp())", base=dom.base), "exp()/(1+exp()) is a sigmoid"
    if "squeezed" in right.dom.flags:
        return None
    if op == "-" and how == "logsumexp":
        new = Domain(LOGPROBS, "x - logsumexp()", dim=dim, base=dom)
        return new, f"subtracting the logsumexp makes log-probabilities over dim {dim}"
    if op == "/" and how == "norm":
        return Domain(BOUNDED, "normalize", low=-1.0, high=1.0, flags=frozenset({"normalized"})), ""
    if op == "/" and how == "sum" and (dom.kind in (POSITIVE, UNIT, PROBS) or dom.how == "exp"):
        if dim is None:
            return Domain(UNIT, f"{dom.how}()/sum()", base=dom.base), ""
        base = dom.base if dom.how == "exp" else dom
        new = Domain(PROBS, f"{dom.how or 'x'}()/sum()", dim=dim, base=base)
        return new, f"division by the sum over dim {dim} makes probabilities"
    return None


def combined(op: str, left: Value, right: Value) -> Domain:
    """The domain of `left op right`."""
    a, b = domain(left), domain(right)
    x, y = numeric(left), numeric(right)
    if x is not None and y is not None and op in NUMERIC and not (op == "/" and y == 0):
        return Domain(NUMBER, low=NUMERIC[op](x, y))
    if op == "+":
        if y is not None or x is not None:
            return shifted(a, y) if y is not None else shifted(b, x or 0.0)
        return added(a, b, axes(left, right))
    if op == "-":
        if y is not None:
            return shifted(a, -y)
        if isinstance(right, Tensor) and right.of is not None and (isinstance(left, SymInt) or (x or 0) > 1):
            return Domain(UNKNOWN, "n-sum") if right.of[1] in (None, 0) else nothing("-")
        return from_number(x, b) if x is not None else subtracted(a, b)
    if op == "*":
        if y is not None or x is not None:
            return times_number(a, y) if y is not None else times_number(b, x or 0.0)
        if left is not right and uid_of(left) == uid_of(right) and a.kind == SCORES:
            return Domain(POSITIVE, "square")
        return multiplied(a, b)
    if op == "/":
        if y is not None:
            return times_number(a, 1.0 / y) if y else nothing("/")
        if x is not None:
            return divided(x, b)
        if isinstance(right, SymInt) or (isinstance(right, Unknown) and "mixture" in a.flags):
            return over_count(a)
        if "positives" in a.flags and "negatives" in b.flags:
            return Domain(UNKNOWN, "positives/negatives")
        if b.how == "n-sum" and isinstance(right, Tensor) and right.of == (uid_of(left), None):
            return Domain(UNKNOWN, "positives/negatives")
        if uid_of(right) == numbered("-", uid_of(Const(1)), uid_of(left)):
            fits = a.kind in (UNIT, PROBS) and "scaled" not in a.flags
            return Domain(POSITIVE, "odds") if fits else nothing("/")
        return quotient(a, b)
    if op == "**":
        return powered(a, y) if y is not None else nothing("**")
    if op in ("//", "%") and a.kind in (INDICES, DATA) and (y is not None or isinstance(right, SymInt)):
        return Domain(a.kind)
    return nothing(op)


def over_count(dom: Domain) -> Domain:
    """Division by how many there are: means keep what they are means of."""
    if dom.kind == PROBS:
        return flagged(dom, "scaled")
    return RAW if dom.kind in (SCORES, BOUNDED) else dom if dom.kind in (POSITIVE, DATA) else nothing("/")


def quotient(a: Domain, b: Domain) -> Domain:
    """Division by something that is no known number."""
    if a.kind in (SCORES, BOUNDED) and (b.kind in (UNKNOWN, NUMBER, POSITIVE) or b.how == "nn.Parameter"):
        return RAW
    if a.kind == DATA and b.kind == DATA:
        return Domain(DATA)
    return nothing("/")


def axes(left: Value, right: Value) -> bool:
    """Whether two tensors are probabilities over the same axis."""
    a, b = domain(left), domain(right)
    known = len(left.shape) if isinstance(left, Tensor) and left.shape is not None else None
    return a.dim == b.dim or bool(same_axis(a.dim, b.dim, known))


def unary(op: str, value: Value, call: OpCall) -> Value:
    """-x, +x, ~x; `not x` is not a tensor."""
    if not isinstance(value, Tensor) or op not in ("-", "+", "~"):
        return unknown(op, value)
    if op == "+":
        return value
    if op == "~":
        return made(call, value, nothing("comparison" if value.dtype == "bool" else "~"))
    return made(call, value, negated(value.dom), uid=numbered("neg", value.uid))


def op_function(op: str, swapped: bool = False) -> Callable[[OpCall], Value]:
    """torch.add, tensor.mul_ and so on: the operator as a function (`alpha` scales the second one)."""

    def handler(call: OpCall) -> Value:
        left, right = operand(call), operand(call, 1, "other", "exponent", "y", "b", "mat2")
        if swapped:
            left, right = right, left
        alpha = call.kwargs.get("alpha")
        if alpha is not None and isinstance(right, (Tensor, Const)):
            right = Unknown("alpha") if not isinstance(right, Tensor) else binary("*", right, alpha, call)
        if op == "/" and call.kwargs.get("rounding_mode") is not None:
            return binary("//", left, right, call)
        if not isinstance(left, Tensor) and not isinstance(right, Tensor):
            return unknown(op, left, right)
        return binary(op, left, right, call)

    return handler


def neg(call: OpCall) -> Value:
    """torch.neg."""
    return unary("-", operand(call), call)


def reciprocal(call: OpCall) -> Value:
    """1 / x."""
    x = operand(call)
    return binary("/", Const(1.0), x, call) if isinstance(x, Tensor) else unknown("reciprocal", x)


def extreme(call: OpCall) -> Value:
    """torch.maximum and torch.minimum: joins two domains where they agree."""
    left, right = operand(call), operand(call, 1, "other", "y")
    if not isinstance(left, Tensor):
        return unknown("maximum", left)
    a, b = left.dom, domain(right)
    dom = nothing("maximum")
    if a.kind == b.kind and a.kind in (SCORES, UNIT, POSITIVE, DATA, LOGUNIT, INDICES):
        dom = Domain(a.kind, a.how if a.how == b.how else "")
    elif {a.kind, b.kind} <= {PROBS, UNIT}:
        dom = Domain(UNIT, a.how if a.how == b.how else "")
    elif (value := numeric(right)) is not None and a.kind in (PROBS, UNIT) and 0 <= value <= TINY:
        dom = a
    return made(call, left, dom, others=(right,), dtype=promoted(left, right), shape=joint(left, right))


def accumulate(call: OpCall) -> Value:
    """addcmul, addcdiv, lerp: arithmetic of three tensors; scores where any of them is one."""
    parts = [operand(call), operand(call, 1, "tensor1", "end"), operand(call, 2, "tensor2", "weight")]
    tensors = [p for p in parts if isinstance(p, Tensor)]
    if not tensors:
        return unknown("accumulate", *parts)
    dom = RAW if any(t.dom.kind == SCORES for t in tensors) else nothing("addcmul")
    return made(call, parts[0], dom, others=parts[1:], dtype=None, shape=None)


def enter() -> None:
    """Enter all of this module."""
    for op, names, numpy in (
        ("+", "add", "add"),
        ("-", "sub subtract", "subtract"),
        ("*", "mul multiply", "multiply"),
        ("/", "div divide true_divide", "divide true_divide"),
        ("//", "floor_divide", "floor_divide"),
        ("**", "pow float_power", "power"),
        ("%", "remainder fmod", "mod remainder"),
        ("==", "eq", "equal"),
        ("!=", "ne not_equal", "not_equal"),
        ("<", "lt less", "less"),
        (">", "gt greater", "greater"),
        ("<=", "le less_equal", "less_equal"),
        (">=", "ge greater_equal", "greater_equal"),
    ):
        for name in names.split():
            register(op_function(op), name, f"{name} {name}_")
        for name in numpy.split():
            register(op_function(op), f"numpy.{name}")
    for op, name in (("&", "and"), ("|", "or"), ("^", "xor")):
        register(
            op_function(op),
            f"logical_{name} bitwise_{name} numpy.logical_{name}",
            f"logical_{name} bitwise_{name}",
        )
    register(op_function("-", swapped=True), "rsub")
    register(neg, "neg negative numpy.negative", "neg neg_ negative")
    register(reciprocal, "reciprocal numpy.reciprocal", "reciprocal reciprocal_")
    register(extreme, "maximum minimum fmax fmin numpy.maximum numpy.minimum", "maximum minimum fmax fmin")
    register(accumulate, "addcmul addcdiv lerp", "addcmul addcmul_ addcdiv addcdiv_ lerp lerp_")


enter()
