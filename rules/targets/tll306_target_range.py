"""TLL306."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import CLASS_INDEX_OR_PROBS, FLOAT_UNIT, SIGN
from torchlosslint.contracts.versions import CLASS_PROBABILITIES, before
from torchlosslint.flow.domain import LOGPROBS, LOGUNIT, NUMBER, ONEHOT, SCORES, Domain
from torchlosslint.flow.values import DOTS, Const, Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import INDEXED, INTEGERS, of_torch, pair, rank


class TargetRange(Rule):
    """The target's numbers lie outside of what the loss is made for.

    What it does
        Follows the numbers of the target: zeros and ones for losses that want -1 and 1; numbers outside
        of [0, 1], or raw scores, for BCE and BCE-with-logits; raw scores or log-probabilities in the
        place of class probabilities; class indices that are not below the number of classes.

    Why it is bad
        Margin and hinge losses ignore samples labelled 0 or treat them as neither class. Binary
        cross-entropy against numbers outside of [0, 1] rewards scores that grow without end. Cross-entropy
        against raw teacher scores weights log-probabilities by numbers that do not sum to one and may be
        negative.

    Example
        Wrong::

            loss = nn.MarginRankingLoss()(better, worse, torch.zeros(n))
            loss = F.cross_entropy(student, teacher_scores)

        Right::

            loss = nn.MarginRankingLoss()(better, worse, torch.ones(n))
            loss = F.cross_entropy(student, teacher_scores.softmax(dim=1))

    When it is wrong to fix
        Never seen.
    """

    code = "TLL306"
    name = "target-range"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if target is None or not of_torch(use):
            return
        dom, wanted = target.dom, use.contract.target
        if wanted == SIGN and _zero_or_one(dom):
            yield Problem(
                f"{use.name} wants labels -1 and 1, and gets {_words(dom)}: a sample labelled 0 belongs "
                "to neither side, and its loss says nothing.",
                "Give 2 * labels - 1.",
                tensor=target,
            )
        elif wanted == FLOAT_UNIT and _outside(dom):
            yield Problem(
                f"{use.name} wants a target in [0, 1], and gets {_words(dom)}: the loss rewards scores that "
                "grow without end.",
                "Give labels 0 and 1, or probabilities (sigmoid of a teacher's scores).",
                tensor=target,
            )
        elif wanted == CLASS_INDEX_OR_PROBS and dom.kind in (SCORES, LOGPROBS, LOGUNIT):
            if before(use.torch, CLASS_PROBABILITIES):
                return  # it raises: TLL302
            if scores is None or rank(scores) in (None, rank(target)) or rank(target) is None:
                yield Problem(
                    f"{use.name} reads a floating target as class probabilities, and gets {_words(dom)}: "
                    "these are no weights that sum to one.",
                    "Give class indices, or softmax of a teacher's scores.",
                    tensor=target,
                )
        elif wanted in INDEXED and scores is not None:
            yield from _too_large(use, scores, target)


def _too_large(use: LossUse, scores: Tensor, target: Tensor) -> Iterable[Problem]:
    dom, shape = target.dom, scores.shape
    if dom.kind != NUMBER or dom.low is None or not shape or use.contract.class_dim != 1:
        return
    count = shape[1] if len(shape) > 1 and DOTS not in shape[:1] else shape[-1] if len(shape) == 2 else None
    ignored = use.config.get("ignore_index", Const(-100))
    if not isinstance(ignored, Const) or ignored.value == dom.low:
        return
    if isinstance(count, int) and not 0 <= dom.low < count and target.dtype in INTEGERS:
        yield Problem(
            f"{use.name} takes class indices 0 to {count - 1} for {count} classes, and the target is "
            f"{int(dom.low)}: it raises on the CPU, and on a GPU it ends all further work of the process.",
            "Count classes from 0, or make the last layer as wide as there are classes.",
            tensor=target,
        )


def _zero_or_one(dom: Domain) -> bool:
    return (dom.kind == NUMBER and dom.low == 0) or dom.kind == ONEHOT or dom.how == "comparison"


def _outside(dom: Domain) -> bool:
    if dom.kind == NUMBER:
        return dom.low is not None and not 0 <= dom.low <= 1
    return dom.kind in (SCORES, LOGPROBS, LOGUNIT)


def _words(dom: Domain) -> str:
    if dom.kind == NUMBER:
        return f"{dom.low:g} everywhere" if dom.low is not None else "a number"
    if dom.kind == ONEHOT:
        return "one-hot rows"
    if dom.how == "comparison":
        return "the truth values of a comparison"
    kind = {SCORES: "raw scores", LOGPROBS: "log-probabilities"}.get(dom.kind, "logarithms")
    return f"{kind} of {dom.how}" if dom.how else kind
