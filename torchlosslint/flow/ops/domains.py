"""Arithmetic on domains alone: sums, products, powers of sets of numbers."""

from __future__ import annotations

from torchlosslint.flow.domain import (
    ANY,
    BOUNDED,
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    MOST_MARK,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    RAW,
    SCORES,
    UNIT,
    UNKNOWN,
    Domain,
    marks,
)
from torchlosslint.flow.ops.support import TINY, flagged, loose, nothing, spoken, unflagged

SLACK = 1e-6


def span(dom: Domain) -> tuple[float, float] | None:
    """The interval that the numbers lie in, where there is one."""
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None:
        return dom.low, dom.high
    if dom.kind == UNIT:
        return dom.low if dom.low is not None else 0.0, dom.high if dom.high is not None else 1.0
    if dom.kind in (PROBS, ONEHOT) and "scaled" not in dom.flags:
        return 0.0, 1.0
    if dom.kind == NUMBER and dom.low is not None:
        return dom.low, dom.low
    return None


def interval(low: float, high: float, like: Domain, *flags: str) -> Domain:
    """Numbers within an interval: `unit` where that lies in [0, 1], else `bounded`."""
    kept = like.flags & {"mixture", "complement", "picked", "smoothed", "numpy"}
    found = kept | set(flags)
    slack = SLACK * min(1.0, high - low)
    if low >= -slack and high <= 1 + slack:
        whole = abs(low) <= slack and abs(high - 1) <= slack
        edges = (None, None) if whole else (max(low, 0.0), min(high, 1.0))
        return Domain(UNIT, like.how, low=edges[0], high=edges[1], base=like.base, flags=found)
    return Domain(BOUNDED, like.how, low=low, high=high, base=like.base, flags=found)


def shifted(dom: Domain, by: float) -> Domain:
    """dom + a number."""
    kind = dom.kind
    if by == 0:
        return unflagged(dom, "dropout")
    if kind == SCORES:
        return nothing("logsumexp") if dom.how == "logsumexp" else RAW
    if kind == PROBS:
        return dom if abs(by) <= TINY else nothing("+")
    if kind in (LOGPROBS, LOGUNIT):
        return dom if abs(by) <= 1e-6 else nothing("+")
    if kind == UNIT and abs(by) <= TINY:
        return dom
    if kind in (UNIT, BOUNDED) and (ends := span(dom)) is not None:
        return interval(ends[0] + by, ends[1] + by, dom)
    if kind == UNKNOWN and dom.how == "exp" and by == 1:
        return Domain(POSITIVE, "1+exp", base=dom.base)
    if kind == POSITIVE:
        if by < 0:
            return dom if by >= -TINY else RAW
        return dom.replace(how="1+exp") if by == 1 and dom.how == "exp" else dom
    if kind == INDICES and by.is_integer() and dom.low is not None and dom.high is not None:
        return dom.replace(low=dom.low + by, high=dom.high + by)
    if kind == DATA or (kind == INDICES and by.is_integer()):
        return dom
    if kind == ONEHOT and abs(by) <= TINY:
        return dom
    return nothing("+")


def times_number(dom: Domain, by: float) -> Domain:
    """dom * a number."""
    kind = dom.kind
    if by == 1:
        return dom
    if by == -1:
        return negated(dom)
    if kind == UNKNOWN and dom.how == "comparison" and 1 < by <= MOST_MARK:
        return marks(by)
    if kind == SCORES:
        return RAW
    if kind == DATA:
        return dom
    if by == 0:
        return Domain(NUMBER, low=0.0)
    if kind == PROBS:
        return flagged(unflagged(dom, "dropout"), "scaled") if by > 0 else nothing("*")
    if kind == UNIT or (kind == BOUNDED and span(dom) is not None):
        low, high = span(dom) or (0.0, 1.0)
        ends = sorted((low * by, high * by))
        return interval(ends[0], ends[1], dom) if "dropout" not in dom.flags else nothing("*")
    if kind == ONEHOT and 0 < by <= 1:
        return Domain(UNIT, "one_hot", low=0.0, high=by, flags=frozenset({"smoothed"}))
    if kind == POSITIVE:
        return dom if by > 0 else RAW
    if kind == INDICES and by > 0 and by.is_integer():
        return loose(dom)
    return nothing("*")


def negated(dom: Domain) -> Domain:
    """-dom."""
    kind = dom.kind
    if kind == SCORES:
        return RAW
    if kind in (UNIT, BOUNDED) and (ends := span(dom)) is not None and "dropout" not in dom.flags:
        return Domain(BOUNDED, dom.how, low=-ends[1], high=-ends[0], base=dom.base)
    if kind in (LOGPROBS, LOGUNIT) and "dropout" not in dom.flags:
        return Domain(POSITIVE, f"-{dom.how or 'log'}", base=dom.base)
    if kind == POSITIVE:
        if dom.how == "softplus":
            return Domain(LOGUNIT, "-softplus", base=dom.base)
        return nothing("-")
    if kind == NUMBER and dom.low is not None:
        return Domain(NUMBER, low=-dom.low)
    return dom if kind == DATA else nothing("-")


def from_number(value: float, dom: Domain) -> Domain:
    """A number - dom."""
    if dom.kind in (PROBS, UNIT) and value == 1 and "scaled" not in dom.flags:
        flags = (
            dom.flags - {"complement", "dropout"} if "complement" in dom.flags else dom.flags | {"complement"}
        )
        if dom.kind == PROBS:
            flags |= {"picked"}
        whole = dom.low is None and dom.high is None
        dom = dom.replace(kind=UNIT, dim=None, flags=flags)
        return dom if whole else interval(1 - (dom.high or 0.0), 1 - (dom.low or 0.0), dom)
    if dom.kind in (UNIT, BOUNDED) and (ends := span(dom)) is not None:
        return interval(value - ends[1], value - ends[0], dom)
    if dom.kind == ONEHOT and value == 1:
        return Domain(UNIT, "one_hot")
    if dom.kind == SCORES:
        return RAW
    if dom.kind == POSITIVE:
        return RAW
    return dom if dom.kind == DATA else nothing("-")


def added(a: Domain, b: Domain, same_dim: bool) -> Domain:
    """a + b."""
    kinds = {a.kind, b.kind}
    if kinds == {PROBS}:
        if not same_dim:
            return nothing("+")
        how = a.how if a.how == b.how else f"{spoken(a.how)} + {spoken(b.how)}"[:40]
        base = a.base if a.base == b.base else None
        return Domain(PROBS, how, dim=a.dim, base=base, flags=frozenset({"scaled", "mixture"}))
    if SCORES in kinds:
        return mixed_scores(a, b)
    if kinds == {DATA}:
        return Domain(DATA)
    if kinds == {POSITIVE}:
        return Domain(POSITIVE, a.how if a.how == b.how else "")
    if kinds <= {UNIT, BOUNDED, PROBS, ONEHOT} and (x := span(a)) is not None and (y := span(b)) is not None:
        like = Domain(BOUNDED, a.how if a.how == b.how else "")
        return interval(x[0] + y[0], x[1] + y[1], like, "mixture")
    if POSITIVE in kinds and kinds <= {POSITIVE, UNIT, PROBS, ONEHOT}:
        return Domain(POSITIVE)
    if POSITIVE in kinds and BOUNDED in kinds:
        return RAW
    return nothing("+")


def mixed_scores(a: Domain, b: Domain) -> Domain:
    """Scores with something else added or subtracted: scores, or noisy data."""
    if "logsumexp" in (a.how, b.how):
        return nothing("logsumexp")
    other = b if a.kind == SCORES else a
    mine = a if a.kind == SCORES else b
    if other.kind == DATA and mine.how == "randn":
        return Domain(DATA)
    return RAW


def subtracted(a: Domain, b: Domain) -> Domain:
    """a - b."""
    kinds = {a.kind, b.kind}
    if SCORES in kinds:
        return mixed_scores(a, b)
    if kinds == {DATA}:
        return Domain(DATA)
    if kinds == {POSITIVE} or kinds == {POSITIVE, BOUNDED}:
        return RAW
    if kinds <= {UNIT, BOUNDED} and (x := span(a)) is not None and (y := span(b)) is not None:
        return interval(x[0] - y[1], x[1] - y[0], Domain(BOUNDED))
    return nothing("-")


def multiplied(a: Domain, b: Domain) -> Domain:
    """a * b."""
    kinds = {a.kind, b.kind}
    if SCORES in kinds:
        return RAW
    if kinds == {DATA}:
        return Domain(DATA)
    for dom, mask in ((a, b), (b, a)):
        if mask.kind == UNKNOWN and mask.how == "comparison":
            return masked(dom)
    if ONEHOT in kinds and kinds & {PROBS, UNIT}:
        dom = a if a.kind != ONEHOT else b
        return dom.replace(kind=UNIT, flags=dom.flags | {"masked"})
    if kinds <= {UNIT, PROBS} and not (a.flags | b.flags) & {"scaled", "dropout"}:
        return Domain(UNIT, a.how if a.how == b.how else "", flags=frozenset({"mixture"}))
    if kinds == {POSITIVE}:
        return Domain(POSITIVE)
    if kinds == {POSITIVE, UNIT}:
        return Domain(POSITIVE, (a if a.kind == POSITIVE else b).how)
    if BOUNDED in kinds:
        x, y = span(a), span(b)
        if "normalized" in a.flags and "normalized" in b.flags:
            return Domain(BOUNDED, "normalize", low=-1.0, high=1.0, flags=frozenset({"product"}))
        if x is not None and y is not None:
            ends = [p * q for p in x for q in y]
            return interval(min(ends), max(ends), Domain(BOUNDED, a.how if a.kind == BOUNDED else b.how))
        other = b if a.kind == BOUNDED else a
        return RAW if other.kind in (UNKNOWN, POSITIVE, NUMBER) else nothing("*")
    if kinds == {INDICES}:
        return Domain(INDICES)
    return nothing("*")


def masked(dom: Domain) -> Domain:
    """dom * a mask of zeros and ones."""
    if dom.kind in (PROBS, UNIT) and not dom.flags & {"scaled", "dropout"}:
        return dom.replace(kind=UNIT, dim=None, low=None, high=None, flags=dom.flags | {"mixture"})
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None:
        return unflagged(dom.replace(low=min(dom.low, 0.0), high=max(dom.high, 0.0)), "listed")
    return loose(dom) if dom.kind in (POSITIVE, LOGUNIT, DATA, INDICES) else nothing("*")


def divided(value: float, dom: Domain) -> Domain:
    """A number / dom."""
    if dom.kind == POSITIVE and dom.how == "1+exp" and 0 <= value <= 1:
        high = None if value == 1 else value
        return Domain(UNIT, "1/(1+exp())", low=None if high is None else 0.0, high=high, base=dom.base)
    if dom.kind in (UNIT, PROBS) and value >= 1:
        return Domain(POSITIVE, "reciprocal")
    return nothing("/")


def powered(dom: Domain, by: float) -> Domain:
    """dom ** a number."""
    if by == 1:
        return dom
    if by == 0:
        return Domain(NUMBER, low=1.0)
    if by == -1:
        return divided(1.0, dom)
    if dom.kind in (UNIT, PROBS) and "scaled" not in dom.flags and "dropout" not in dom.flags:
        if by > 0:
            return Domain(UNIT, dom.how, base=dom.base, flags=frozenset({"mixture"}))
        return Domain(POSITIVE, "pow")
    if dom.kind == POSITIVE:
        return Domain(POSITIVE, dom.how) if by > 0 else nothing("**")
    if by == 2 or (by > 0 and by.is_integer() and by % 2 == 0):
        if dom.kind == BOUNDED and (ends := span(dom)) is not None:
            top = max(abs(e) for e in ends)
            return interval(0.0, top**by, dom) if top < 1e3 and by < 64 else Domain(POSITIVE, "square")
        return Domain(POSITIVE, "square") if dom.kind == SCORES else data_or(dom, "**")
    return data_or(dom, "**")


def data_or(dom: Domain, how: str) -> Domain:
    """Data stays data, the rest becomes unknown."""
    return Domain(DATA) if dom.kind == DATA else nothing(how) if how else ANY
