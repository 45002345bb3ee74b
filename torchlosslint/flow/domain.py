"""What the numbers of a tensor are: the heart of an abstract tensor.

A `Domain` says which set the numbers come from and what made them so. Kinds:

    scores     unbounded real numbers: the output of an affine layer, of batch norm, of randn
    probs      non-negative, summing to one over `dim` (softmax)
    unit       each number in [0, 1] on its own (sigmoid, a probability picked out of a softmax)
    logprobs   log of `probs` (log_softmax, log(softmax(x)))
    logunit    log of `unit` (logsigmoid, log(sigmoid(x)))
    positive   non-negative and unbounded above (relu, softplus, exp)
    bounded    within [low, high] (tanh, hardtanh, a narrow clamp, rnn, cosine)
    indices    integers naming classes (argmax, randint, LongTensor labels)
    onehot     rows of zeros with ones (F.one_hot, scatter_ of ones)
    number     one known number everywhere (`value`): ones, zeros, full
    data       what a data loader or a file gave; nothing more is known of its numbers
    unknown    nothing is known

Shape-only operations keep the domain. Source of the semantics: the torch.nn and
torch.nn.functional documentation.
"""

from __future__ import annotations

from typing import Any

SCORES = "scores"
PROBS = "probs"
UNIT = "unit"
LOGPROBS = "logprobs"
LOGUNIT = "logunit"
POSITIVE = "positive"
BOUNDED = "bounded"
INDICES = "indices"
ONEHOT = "onehot"
NUMBER = "number"
DATA = "data"
UNKNOWN = "unknown"

# `how` of indices that are the places of the largest scores.
CHOSEN = frozenset({"argmax", "max", "topk"})


class Domain:
    """An immutable description of a tensor's numbers.

    kind: one of the constants above.
    how: the operation that made it so, as the user knows it ("softmax", "nn.LSTM").
    dim: for probs and logprobs, the dimension summed over; None where not known.
    low, high: bounds for `bounded`; `value` for `number` is `low`.
    base: the domain of what the last activation was applied to, None otherwise.
    implicit: the softmax was called without a dim.
    flags: further facts, e.g. "dropout" (the last step dropped scores), "log_after"
        (the log was taken after the softmax), "scaled" (probabilities added up),
        "complement" (one minus), "temperature" (a scale was applied), "pooled",
        "marks" (`high` is one of the numbers: the program wrote it).
    """

    __slots__ = ("kind", "how", "dim", "low", "high", "base", "implicit", "flags", "_key", "_hash")

    def __init__(
        self,
        kind: str,
        how: str = "",
        dim: int | None = None,
        low: float | None = None,
        high: float | None = None,
        base: Domain | None = None,
        implicit: bool = False,
        flags: frozenset[str] = frozenset(),
    ) -> None:
        self.kind = kind
        self.how = how
        self.dim = dim
        self.low = low
        self.high = high
        self.base = base
        self.implicit = implicit
        self.flags = flags
        self._key: tuple[object, ...] = (
            kind,
            how,
            dim,
            low,
            high,
            base._key if base is not None else None,
            implicit,
            flags,
        )
        self._hash: int | None = None

    def replace(self, **changes: Any) -> Domain:
        """A copy with some fields changed."""
        fields = {s: getattr(self, s) for s in self.__slots__ if s[0] != "_"}
        fields.update(changes)
        return Domain(**fields)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Domain) and self._key == other._key)

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            known = self._hash = hash(self._key)
        return known

    def __repr__(self) -> str:
        extra = "".join(
            f" {n}={v}" for n in ("how", "dim", "low", "high") if (v := getattr(self, n)) not in (None, "")
        )
        return f"<{self.kind}{extra}{' ' + ','.join(sorted(self.flags)) if self.flags else ''}>"


MOST_MARK = 255  # a byte: larger numbers that are written somewhere are no marks in a mask
ANY = Domain(UNKNOWN)
RAW = Domain(SCORES)
FROM_DATA = Domain(DATA)


def marks(high: float, low: float = 0.0) -> Domain:
    """Numbers of which the largest one, above 1, is there: masks of 0 and 255."""
    return Domain(BOUNDED, "marks", low=low, high=high, flags=frozenset({"marks"}))
