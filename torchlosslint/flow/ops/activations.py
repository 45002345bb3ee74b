"""Activations: the softmax family, the elementwise ones, clamp, dropout."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.domain import (
    ANY,
    BOUNDED,
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.ops.call import OpCall, const, integer, number
from torchlosslint.flow.ops.joining import picked
from torchlosslint.flow.ops.shapes import rank
from torchlosslint.flow.ops.support import (
    INTS,
    TINY,
    activation_dtype,
    domain,
    dtype_of,
    everywhere,
    flagged,
    loose,
    made,
    nothing,
    numbered,
    operand,
    register,
    setting,
    trimmed,
    uid_of,
    unflagged,
    unknown,
)
from torchlosslint.flow.values import NONE, Const, Tensor, Unknown, Value

WIDE = 50.0  # a clamp to more than this leaves scores what they are


def takes(value: Value) -> bool:
    """Whether an activation of this operand is a tensor (not of a list, a string, None)."""
    return isinstance(value, (Tensor, Unknown))


def legacy_dim(x: Value) -> int | None:
    """The dimension that torch picks for a softmax without one."""
    known = rank(x.shape) if isinstance(x, Tensor) else None
    return None if known is None else 0 if known in (0, 1, 3) else 1


def along(dim: int | None) -> str:
    """`over dim 1`, for a note."""
    return "over a dimension that is not known" if dim is None else f"over dim {dim}"


def soft(call: OpCall, how: str = "softmax", kind: str = PROBS, position: int = 1) -> Value:
    """softmax, softmin, log_softmax of any spelling."""
    x = operand(call)
    if not takes(x):
        return unknown(how, x)
    given = setting(call, position, "dim")
    if given is None:
        given = call.kwargs.get("axis")
    implicit = given is None or given == NONE
    dim = legacy_dim(x) if implicit else integer(given)
    dom = Domain(kind, how, dim=dim, base=trimmed(domain(x), 2), implicit=implicit)
    what = "log-probabilities" if kind == LOGPROBS else "probabilities that sum to one"
    dtype = dtype_of(call.kwargs.get("dtype")) or activation_dtype(x)
    note = f"{how} makes {what} {along(dim)}" + (" (no dim given)" if implicit else "")
    return made(call, x, dom, note, dtype=dtype)


def softmax2d(call: OpCall) -> Value:
    """nn.Softmax2d: over the channels."""
    x = operand(call)
    if not takes(x):
        return unknown("Softmax2d", x)
    dom = Domain(PROBS, "softmax", dim=-3, base=trimmed(domain(x), 2))
    return made(
        call, x, dom, "Softmax2d makes probabilities that sum to one over dim -3", dtype=activation_dtype(x)
    )


def gumbel(call: OpCall) -> Value:
    """F.gumbel_softmax(logits, tau, hard, eps, dim)."""
    x = operand(call, 0, "logits", "input")
    if not takes(x):
        return unknown("gumbel_softmax", x)
    given = call.arg(4, "dim")
    dim = -1 if given is None else integer(given)
    hard = const(call.arg(2, "hard"))
    flags = frozenset({"hard"} if hard else ())
    dom = Domain(PROBS, "gumbel_softmax", dim=dim, base=trimmed(domain(x), 2), flags=flags)
    return made(call, x, dom, f"gumbel_softmax makes probabilities that sum to one {along(dim)}")


def sparse(call: OpCall, how: str = "sparsemax") -> Value:
    """Softmax-like functions of the entmax package: f(x, dim=-1, ...)."""
    x = operand(call, 0, "X", "input", "x")
    if not takes(x):
        return unknown(how, x)
    given = setting(call, 1, "dim")
    dim = -1 if given is None else integer(given)
    dom = Domain(PROBS, how, dim=dim, base=trimmed(domain(x), 2))
    return made(call, x, dom, f"{how} makes probabilities that sum to one {along(dim)}")


def squash(
    call: OpCall, how: str, kind: str, note: str = "", low: float | None = None, high: float | None = None
) -> Value:
    """An elementwise activation whose result does not depend on what went in."""
    x = operand(call)
    if not takes(x):
        return unknown(how, x)
    dom = Domain(kind, how, low=low, high=high, base=trimmed(domain(x), 2))
    return made(call, x, dom, note, dtype=activation_dtype(x), uid=numbered(how, uid_of(x)))


def relu(call: OpCall) -> Value:
    """Keeps what is non-negative already."""
    x = operand(call)
    if not takes(x):
        return unknown("relu", x)
    dom = domain(x)
    if dom.kind in (PROBS, UNIT, ONEHOT, INDICES) or (dom.kind == POSITIVE and dom.how == "relu"):
        return x
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None:
        new = dom.replace(low=max(dom.low, 0.0), high=max(dom.high, 0.0), flags=frozenset())
        return made(call, x, new, "relu sets negative numbers to zero")
    new = Domain(POSITIVE, "relu", base=trimmed(dom, 2))
    return made(call, x, new, "relu sets negative numbers to zero", uid=numbered("relu", uid_of(x)))


def leaky(call: OpCall, how: str) -> Value:
    """Activations that bound nothing: leaky_relu, elu, gelu, silu and so on."""
    x = operand(call)
    if not takes(x):
        return unknown(how, x)
    return made(call, x, Domain(SCORES, how), dtype=activation_dtype(x))


def hardtanh(call: OpCall) -> Value:
    """hardtanh(min_val=-1, max_val=1)."""
    low, high = setting(call, 1, "min_val"), setting(call, 2, "max_val")
    x = operand(call)
    if not takes(x):
        return unknown("hardtanh", x)
    bottom, top = limit(low, -1.0), limit(high, 1.0)
    if bottom is None or top is None:
        return made(call, x, nothing("hardtanh"))
    dom = Domain(BOUNDED, "hardtanh", low=bottom, high=top, base=trimmed(domain(x), 2))
    return made(call, x, dom, f"hardtanh clips to [{bottom:g}, {top:g}]")


def limit(value: Value | None, default: float) -> float | None:
    """A bound with a default; None where it is not known."""
    return default if value is None else number(value)


def threshold(call: OpCall) -> Value:
    """threshold(t, value): x where x > t, else value."""
    x = operand(call)
    bottom, value = number(setting(call, 1, "threshold")), number(setting(call, 2, "value"))
    if not takes(x):
        return unknown("threshold", x)
    if bottom is not None and value is not None and bottom >= 0 and value >= 0:
        return made(call, x, Domain(POSITIVE, "threshold", base=trimmed(domain(x), 2)))
    return made(call, x, nothing("threshold"))


def glu(call: OpCall) -> Value:
    """Halves a dimension and gates it; bounds nothing."""
    x = operand(call)
    return made(call, x, Domain(SCORES, "glu"), shape=None) if takes(x) else unknown("glu", x)


def dropout(call: OpCall) -> Value:
    """Dropout: the same kind of numbers, some of them zero and the others larger."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("dropout", x)
    active = setting(call, 2, "training") if call.layer is None else Const(call.training)
    rate = setting(call, 1, "p")
    if const(active) is False or number(rate) == 0.0:
        return x
    dom = x.dom
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None:
        p = 0.5 if rate is None else number(rate)
        low, high = dom.low, dom.high
        if p is None or not 0 <= p < 1:
            dom = nothing("dropout")
        else:
            dom = dom.replace(low=min(low / (1 - p), 0.0), high=max(high / (1 - p), 0.0))
    elif dom.kind == NUMBER:
        dom = nothing("dropout")
    elif dom.kind in (INDICES, ONEHOT):
        dom = ANY
    return made(call, x, flagged(dom, "dropout"), "dropout sets some of the numbers to zero")


def clamp(call: OpCall) -> Value:
    """clamp(min, max), also named clip; numpy calls them a_min and a_max."""
    bounds: list[Value | None] = []
    for position, names in ((1, ("min", "a_min")), (2, ("max", "a_max"))):
        found = next((v for name in names if (v := call.arg(position, name)) is not None), None)
        bounds.append(None if found == NONE else found)
    return clamped(call, operand(call), bounds[0], bounds[1])


def clamped(call: OpCall, x: Value, lower: Value | None, upper: Value | None) -> Value:
    """An operand between two bounds, of which either may be missing or unknown."""
    if not isinstance(x, Tensor):
        return bounded_unknown(call, x, number(lower), number(upper))
    dom = clamped_domain(x.dom, lower, upper)
    low, high = number(lower), number(upper)
    dtype = x.dtype
    if dtype in INTS and any(isinstance(const(v), float) for v in (lower, upper)):
        dom, dtype = nothing("clamp"), "float32"
    changed = dom.kind != x.dom.kind or dom.how != x.dom.how
    note = ""
    if changed and dom.how == "clamp":
        ends = [f"below {low:g}" if low is not None else "", f"above {high:g}" if high is not None else ""]
        note = "clamp cuts off what is " + " or ".join(e for e in ends if e)
    keeps = not changed
    return made(
        call,
        x,
        dom,
        note,
        others=(lower, upper),
        dtype=dtype,
        shape=x.shape,
        grad=x.grad if not call.no_grad else None if x.grad is None else False,
        uid=x.uid if keeps and x.dom.kind in (PROBS, UNIT) else None,
        of=x.of if keeps and upper is None else None,
    )


def bounded_unknown(call: OpCall, x: Value, low: float | None, high: float | None) -> Value:
    """A clamp of something unknown."""
    if not isinstance(x, Unknown) or low is None or high is None or max(-low, high) > WIDE:
        return unknown("clamp", x)
    return made(call, x, Domain(BOUNDED, "clamp", low=low, high=high), dtype=None)


def clamped_domain(dom: Domain, lower: Value | None, upper: Value | None) -> Domain:
    """What a clamp makes of a domain."""
    low, high = number(lower), number(upper)
    vague = (lower is not None and low is None) or (upper is not None and high is None)
    if dom.kind in (PROBS, UNIT):
        if vague or ((low is None or low <= TINY) and (high is None or high >= 1 - TINY)):
            return dom
        fine = (low is None or low <= 1) and (high is None or high >= 0)
        return picked(dom) if fine else ANY
    if dom.kind in (LOGPROBS, LOGUNIT):
        if vague or (low is not None and low > 0):
            return nothing("clamp")
        keeps = (low is None or low <= -5) and (high is None or high >= 0)
        return dom if keeps else dom.replace(kind=LOGUNIT, dim=None)
    if dom.kind in (DATA, INDICES, ONEHOT):
        return loose(dom) if dom.kind != ONEHOT or vague else ANY
    if dom.kind == POSITIVE and upper is None:
        return dom
    if vague:
        return nothing("clamp")
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None:
        bottom, top = (
            max(dom.low, low if low is not None else dom.low),
            min(dom.high, high if high is not None else dom.high),
        )
        return dom.replace(low=bottom, high=top) if bottom <= top else ANY
    base = trimmed(dom, 2)
    if dom.kind == POSITIVE:
        low = max(low or 0.0, 0.0)
    if low is not None and high is not None and low <= high:
        if max(-low, high) <= WIDE:
            return Domain(BOUNDED, "clamp", low=low, high=high, base=base)
        return Domain(POSITIVE, "clamp", base=base) if low >= 0 else unflagged(dom, "dropout")
    if high is None and low is not None and low >= 0:
        return Domain(POSITIVE, "clamp", base=base)
    return dom if dom.kind == SCORES else nothing("clamp")


def clamp_side(call: OpCall, side: str) -> Value:
    """clamp_min, clamp_max, and torch.maximum's one-sided cousins."""
    bound = call.arg(1, side)
    return clamped(call, operand(call), bound if side == "min" else None, bound if side == "max" else None)


def enter() -> None:
    """Enter all of this module."""
    register(
        soft,
        "softmax F.softmax torch.special.softmax torch.sparse.softmax",
        "softmax",
        "Softmax",
    )
    log_soft = partial(soft, how="log_softmax", kind=LOGPROBS)
    register(
        log_soft,
        "log_softmax F.log_softmax torch.special.log_softmax torch.sparse.log_softmax",
        "log_softmax",
        "LogSoftmax",
    )
    register(partial(soft, how="softmin"), "F.softmin", "", "Softmin")
    register(softmax2d, "", "", "Softmax2d")
    register(gumbel, "F.gumbel_softmax")
    for name in ("sparsemax", "entmax15", "entmax_bisect", "sparsemax_bisect"):
        handler = partial(entmax_bisect if name == "entmax_bisect" else sparse, how=name)
        register(handler, f"entmax.{name} entmax.activations.{name} entmax.root_finding.{name}")
    sigmoid = partial(squash, how="sigmoid", kind=UNIT, note="sigmoid squashes each number into [0, 1]")
    everywhere(sigmoid, "sigmoid")
    register(sigmoid, "torch.special.expit", "", "Sigmoid")
    hard = partial(squash, how="hardsigmoid", kind=UNIT, note="hardsigmoid squashes each number into [0, 1]")
    register(hard, "F.hardsigmoid", "", "Hardsigmoid")
    log_sigmoid = partial(
        squash, how="logsigmoid", kind=LOGUNIT, note="logsigmoid makes logs of numbers in [0, 1]"
    )
    register(log_sigmoid, "F.logsigmoid", "", "LogSigmoid")
    everywhere(relu, "relu")
    register(relu, "", "", "ReLU")
    relu6 = partial(squash, how="relu6", kind=BOUNDED, low=0.0, high=6.0, note="relu6 clips to [0, 6]")
    register(relu6, "F.relu6", "", "ReLU6")
    plus = partial(squash, how="softplus", kind=POSITIVE, note="softplus makes every number positive")
    register(plus, "F.softplus softplus", "softplus", "Softplus")
    for name, layer in (("tanh", "Tanh"), ("softsign", "Softsign")):
        handler = partial(
            squash,
            how=name,
            kind=BOUNDED,
            low=-1.0,
            high=1.0,
            note=f"{name} squashes each number into [-1, 1]",
        )
        everywhere(handler, name)
        register(handler, "", "", layer)
    for name in ("sin", "cos"):
        everywhere(partial(squash, how=name, kind=BOUNDED, low=-1.0, high=1.0), name)
    register(hardtanh, "F.hardtanh F.hardtanh_", "hardtanh hardtanh_", "Hardtanh")
    for name, layer in (
        ("leaky_relu", "LeakyReLU"),
        ("elu", "ELU"),
        ("gelu", "GELU"),
        ("silu", "SiLU"),
        ("selu", "SELU"),
        ("mish", "Mish"),
        ("prelu", "PReLU"),
        ("rrelu", "RReLU"),
        ("celu", "CELU"),
        ("hardswish", "Hardswish"),
        ("tanhshrink", "Tanhshrink"),
        ("softshrink", "Softshrink"),
        ("hardshrink", "Hardshrink"),
    ):
        everywhere(partial(leaky, how=name), name)
        register(partial(leaky, how=name), "", "", layer)
    register(threshold, "threshold F.threshold F.threshold_", "", "Threshold")
    register(glu, "F.glu", "glu", "GLU")
    register(
        dropout,
        "dropout dropout_ F.dropout F.dropout1d F.dropout2d F.dropout3d F.alpha_dropout",
        "",
        DROPOUTS,
    )
    register(dropout, "F.feature_alpha_dropout torch.dropout")
    everywhere(clamp, "clamp", "clip")
    everywhere(partial(clamp_side, side="min"), "clamp_min")
    everywhere(partial(clamp_side, side="max"), "clamp_max")


def entmax_bisect(call: OpCall, how: str) -> Value:
    """entmax_bisect(X, alpha, dim=-1)."""
    dim = call.arg(2, "dim")
    kwargs = {"dim": dim} if dim is not None else {}
    return sparse(
        OpCall(call.args[:1], kwargs, call.place, None, call.training, call.no_grad, call.emit), how
    )


DROPOUTS = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout"

enter()
