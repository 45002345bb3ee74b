"""Elementwise mathematics: exp, the logarithms, abs, square, rounding, comparison with no operator."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.domain import (
    BOUNDED,
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    RAW,
    SCORES,
    UNIT,
    UNKNOWN,
    Domain,
)
from torchlosslint.flow.ops.activations import squash, takes
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.ops.joining import picked
from torchlosslint.flow.ops.support import (
    activation_dtype,
    cut_off,
    domain,
    everywhere,
    flagged,
    is_score,
    made,
    nothing,
    numbered,
    operand,
    register,
    spoken,
    trimmed,
    uid_of,
    unknown,
)
from torchlosslint.flow.values import Tensor, Value

# What has a numerically safe logarithm of its own (log_softmax, logsigmoid).
FUSABLE = frozenset({"softmax", "softmin", "sigmoid", "exp()/sum()", "1/(1+exp())"})
MIXED = frozenset({"mixture", "scaled", "pooled", "dropout", "smoothed", "masked"})
LONGEST_NAME = 40


def exp(call: OpCall) -> Value:
    """exp: of log-probabilities probabilities, of anything else positive numbers."""
    x = operand(call)
    if not takes(x):
        return unknown("exp", x)
    dom = domain(x)
    dtype = activation_dtype(x)
    if dom.kind in (LOGPROBS, LOGUNIT) and not dom.flags & {"scaled"}:
        how = dom.how[4:-1] if dom.how.startswith("log(") else f"exp({spoken(dom.how)})"
        how = how[:-2] if how.endswith("()") and how[:-2].isidentifier() else how
        kind = PROBS if dom.kind == LOGPROBS else UNIT
        new = dom.replace(kind=kind, how=how[:LONGEST_NAME], flags=dom.flags - {"log_after", "dropout"})
        note = (
            "exp of log-probabilities makes probabilities" if kind == PROBS else "exp makes numbers in [0, 1]"
        )
        return made(call, x, new, note, dtype=dtype)
    if dom.kind == NUMBER:
        return made(call, x, nothing("exp"), dtype=dtype)
    mine = uid_of(x)
    uid = -mine if mine > 0 else numbered("exp", mine)
    kind = UNKNOWN if dom.kind in (UNKNOWN, LOGPROBS, LOGUNIT) else POSITIVE
    if dom.kind == BOUNDED and dom.high is not None and dom.high <= 0:
        kind = UNIT
    return made(call, x, Domain(kind, "exp", base=trimmed(dom, 2)), dtype=dtype, uid=uid)


def log(call: OpCall, how: str = "log") -> Value:
    """log (log2, log10, log1p): of probabilities log-probabilities; the log of a softmax is an event."""
    x = operand(call)
    if not takes(x):
        return unknown(how, x)
    dom = domain(x)
    dtype = activation_dtype(x)
    if how == "log" and dom.kind in (PROBS, UNIT):
        if call.emit is not None and isinstance(x, Tensor) and fusable(dom):
            call.emit("log", x, call.place)
        kind = LOGPROBS if dom.kind == PROBS else LOGUNIT
        name = f"log({spoken(dom.how)})" if dom.how else "log"
        new = dom.replace(kind=kind, how=name[:LONGEST_NAME], low=None, high=None)
        note = f"log of {spoken(dom.how) or 'it'} makes logs of probabilities"
        return made(call, x, flagged(new, "log_after"), note, dtype=dtype, uid=numbered("log", uid_of(x)))
    if how in ("log2", "log10") and dom.kind in (PROBS, UNIT):
        return made(call, x, nothing(how), dtype=dtype)
    if how == "log1p":
        new = Domain(POSITIVE, "log1p") if dom.kind in (POSITIVE, PROBS, UNIT, ONEHOT) else nothing(how)
        return made(call, x, new, dtype=dtype)
    if how == "log" and dom.how == "sum" and isinstance(x, Tensor) and x.of is not None and x.of[0] < 0:
        flags = dom.flags & {"squeezed"}
        kind = SCORES if dom.kind == POSITIVE else UNKNOWN
        return made(call, x, Domain(kind, "logsumexp", flags=flags), of=(-x.of[0], x.of[1]))
    if dom.kind == POSITIVE:
        if dom.how == "1+exp" and how == "log":
            return made(call, x, Domain(POSITIVE, "log(1+exp())", base=dom.base), dtype=dtype)
        # Of a sum that may be a mixture of probabilities, the log may be log-probabilities.
        whole = dom.how in ("exp", "relu", "softplus", "odds") and "mixture" not in dom.flags
        return made(call, x, RAW if whole else nothing(how), dtype=dtype)
    if dom.kind == SCORES:
        return made(call, x, RAW, dtype=dtype)
    return made(call, x, nothing(how), dtype=dtype)


def fusable(dom: Domain) -> bool:
    """Whether the log of this could have been one numerically safe function."""
    return dom.how in FUSABLE and not dom.flags & MIXED


def non_negative(call: OpCall, how: str) -> Value:
    """abs, square, sqrt, cosh: no sign is left."""
    x = operand(call)
    if not takes(x):
        return unknown(how, x)
    dom = domain(x)
    dtype = activation_dtype(x) if how not in ("abs", "square") else getattr(x, "dtype", None)
    if "scaled" in dom.flags and how != "abs":
        return made(call, x, nothing(how), dtype=dtype)
    if dom.kind == UNIT or (dom.kind == PROBS and how != "abs"):
        return made(call, x, picked(dom), dtype=dtype)
    if how == "abs" and dom.kind in (PROBS, ONEHOT, INDICES):
        return x
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None and how in ("abs", "square"):
        top = max(abs(dom.low), abs(dom.high))
        return made(call, x, dom.replace(low=0.0, high=top if how == "abs" else top * top, flags=frozenset()))
    if dom.kind in (DATA, NUMBER, ONEHOT, INDICES, UNKNOWN, LOGPROBS, LOGUNIT, PROBS):
        return made(call, x, Domain(DATA) if dom.kind == DATA else nothing(how), dtype=dtype)
    return made(
        call, x, Domain(POSITIVE, how, base=trimmed(dom, 2)), dtype=dtype, uid=numbered(how, uid_of(x))
    )


def unbounded(call: OpCall, how: str) -> Value:
    """logit, erfinv, atanh, tan, sinh: any real number."""
    x = operand(call)
    return made(call, x, Domain(SCORES, how), dtype=activation_dtype(x)) if takes(x) else unknown(how, x)


def vague(call: OpCall, how: str) -> Value:
    """An elementwise function of which nothing more is said than that the shape stays."""
    x = operand(call)
    return made(call, x, nothing(how), dtype=activation_dtype(x)) if takes(x) else unknown(how, x)


def rounded(call: OpCall, how: str) -> Value:
    """round, floor, sign: the gradient is zero everywhere."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    kind = x.dom.kind
    if how == "round" and call.emit is not None and is_score(x.dom):
        call.emit("threshold", x, call.place)
    if kind in (PROBS, UNIT) and how != "sign":
        dom = Domain(UNIT, how)
    elif kind in (DATA, INDICES, ONEHOT):
        dom = x.dom
    elif kind == POSITIVE:
        dom = x.dom.replace(how=how)
    else:
        dom = nothing(how)
    after = made(call, x, dom, dtype=x.dtype)
    return cut_off(call, after, f"{how}()", f"{how} has no gradient")


def finite(call: OpCall) -> Value:
    """nan_to_num: the same numbers where they are numbers."""
    return operand(call) if takes(operand(call)) else unknown("nan_to_num")


def compared(call: OpCall, how: str) -> Value:
    """isnan, isfinite, logical_not: a mask."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return unknown(how, x)
    after = made(call, x, nothing("comparison"), dtype="bool")
    return cut_off(call, after, "comparison", "a comparison has no gradient")


def enter() -> None:
    """Enter all of this module."""
    everywhere(exp, "exp")
    register(exp, "numpy.exp")
    for name in ("log", "log2", "log10", "log1p"):
        everywhere(partial(log, how=name), name)
        register(partial(log, how=name), f"numpy.{name} torch.special.{name}")
    for name, also in (("abs", "absolute"), ("square", "square"), ("sqrt", "sqrt"), ("cosh", "cosh")):
        everywhere(partial(non_negative, how=name), name, also)
        register(partial(non_negative, how=name), f"numpy.{name} numpy.{also}")
    for name in ("logit", "erfinv", "atanh", "tan", "sinh"):
        everywhere(partial(unbounded, how=name), name)
        register(partial(unbounded, how=name), f"torch.special.{name}")
    for name in "expm1 exp2 rsqrt digamma lgamma erfc acos asin xlogy entr asinh acosh".split():
        everywhere(partial(vague, how=name), name)
        register(partial(vague, how=name), f"torch.special.{name} numpy.{name}")
    for name in ("erf", "atan"):
        high = 1.0 if name == "erf" else 1.5707963267948966
        everywhere(partial(squash, how=name, kind=BOUNDED, low=-high, high=high), name)
    for name in ("round", "floor", "ceil", "trunc", "fix", "sign", "sgn"):
        everywhere(partial(rounded, how=name), name)
        register(partial(rounded, how=name), f"numpy.{name}")
    register(finite, "nan_to_num numpy.nan_to_num", "nan_to_num nan_to_num_")
    for name in ("isnan", "isinf", "isfinite", "logical_not"):
        register(partial(compared, how=name), f"{name} numpy.{name}", name)
    for name in ("tanh", "sin", "cos"):
        register(partial(squash, how=name, kind=BOUNDED, low=-1.0, high=1.0), f"numpy.{name}")


enter()
