"""TLL306."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.base import CLASS_INDEX_OR_PROBS, FLOAT_UNIT, SIGN
from torchlosslint.contracts.versions import CLASS_PROBABILITIES, before
from torchlosslint.flow.domain import INDICES, LOGPROBS, LOGUNIT, NUMBER, ONEHOT, SCORES, Domain
from torchlosslint.flow.values import DOTS, Const, Shape, Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import INDEXED, INTEGERS, differ, of_torch, pair, rank, swapped


class TargetRange(Rule):
    """The target's numbers lie outside of what the loss is made for.

    What it does
        Follows the numbers of the target: zeros and ones for losses that want -1 and 1; numbers outside
        of [0, 1], raw scores, or masks of 0 and 255 for BCE and BCE-with-logits; raw scores or
        log-probabilities in the place of class probabilities; class indices that are not below the number
        of classes, and an `ignore_index` that is one of the classes of a data set.

        That a mask has 255 in it is known where the program itself writes it (`mask[...] = 255`,
        `np.where(..., 255, 0)`, `(mask > 0) * 255`, `cv2.threshold`). What an image file holds
        is not: many masks are saved as 0 and 1.

    Why it is bad
        Margin and hinge losses ignore samples labelled 0 or treat them as neither class. Binary
        cross-entropy against numbers outside of [0, 1] rewards scores that grow without end. Cross-entropy
        against raw teacher scores weights log-probabilities by numbers that do not sum to one and may be
        negative.

    Example
        Wrong::

            loss = nn.MarginRankingLoss()(better, worse, torch.zeros(n))
            loss = F.cross_entropy(student, teacher_scores)
            loss = nn.BCELoss()(scores, torch.where(mask > 0, 255.0, 0.0))

        Right::

            loss = nn.MarginRankingLoss()(better, worse, torch.ones(n))
            loss = F.cross_entropy(student, teacher_scores.softmax(dim=1))
            loss = nn.BCELoss()(scores, (mask > 0).float())

    When it is wrong to fix
        Never seen.
    """

    code = "TLL306"
    name = "target-range"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        scores, target = pair(use)
        if target is None or not of_torch(use) or swapped(use):
            return
        dom, wanted = target.dom, use.contract.target
        if wanted == SIGN and _zero_or_one(dom):
            yield Problem(
                f"{use.name} wants labels -1 and 1, and gets {_words(dom)}: a sample labelled 0 belongs "
                "to neither side, and its loss says nothing.",
                "Give 2 * labels - 1.",
                tensor=target,
            )
        elif wanted == FLOAT_UNIT and _marked(dom) and use.config.get("reduction") != Const("none"):
            harm = "the loss rewards scores that grow without end"
            if use.contract.key == "bce":
                harm = "torch raises"
            yield Problem(
                f"{use.name} wants a target in [0, 1], and gets a mask with {dom.high:g} in it: {harm}.",
                f"Divide the mask by {dom.high:g}, or give (mask > 0).float().",
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
            # Beside an input of which nothing is known, the two may stand in another order there.
            if scores is not None and (rank(scores) in (None, rank(target)) or rank(target) is None):
                yield Problem(
                    f"{use.name} reads a floating target as class probabilities, and gets {_words(dom)}: "
                    "these are no weights that sum to one.",
                    "Give class indices, or softmax of a teacher's scores.",
                    tensor=target,
                )
        elif wanted in INDEXED and scores is not None and use.contract.class_dim == 1:
            shape = scores.shape or ()
            # Beside a row of labels, scores of any rank are (N, C).
            known = DOTS not in shape[:1] or (len(shape) == 2 and rank(target) == 1)
            count = shape[1] if len(shape) > 1 and known else None
            ignored = use.config.get("ignore_index", Const(-100))
            if isinstance(count, int) and isinstance(ignored, Const) and type(ignored.value) is int:
                yield from _too_large(use, count, ignored.value, scores, target)
                yield from _left_out(use, count, ignored.value, target)


def _too_large(use: LossUse, count: int, ignored: int, scores: Tensor, target: Tensor) -> Iterable[Problem]:
    dom = target.dom
    if dom.low is None or target.dtype not in INTEGERS:
        return
    if dom.kind == NUMBER:
        wrong, found = not 0 <= dom.low < count and dom.low != ignored, f"is {int(dom.low)}"
    elif dom.kind == INDICES and dom.high is not None:
        # Not beside other shapes: there the wrong dimension is taken for the classes.
        wrong = dom.high >= count and ignored < count and _fits(scores.shape or (), target.shape)
        found = f"is drawn from {int(dom.low)} to {int(dom.high)}"
    else:
        return
    if wrong:
        yield Problem(
            f"{use.name} takes class indices 0 to {count - 1} for {count} classes, and the target {found}: "
            "it raises on the CPU, and on a GPU it ends all further work of the process.",
            "Count classes from 0, or make the last layer as wide as there are classes.",
            tensor=target,
        )


def _fits(scores: Shape, target: Shape | None) -> bool:
    """Whether a target has the scores' shape without the class dimension, as far as is known."""
    return (
        target is not None
        and len(target) == len(scores) - 1
        and not any(differ(a, b) for a, b in zip((scores[0], *scores[2:]), target, strict=True))
    )


def _left_out(use: LossUse, count: int, ignored: int, target: Tensor) -> Iterable[Problem]:
    """`ignore_index` is a class of a data set all of whose labels are classes."""
    if 0 <= ignored < count and target.dom.kind == INDICES and target.dom.how == "labels":
        yield Problem(
            f"{use.name} leaves out class {ignored} (ignore_index={ignored}), which is a class of the data "
            "set like the others: the network is never told of its samples.",
            "Leave out ignore_index: it is for padding and for pixels that nobody labelled.",
            tensor=target,
        )


def _zero_or_one(dom: Domain) -> bool:
    return (dom.kind == NUMBER and dom.low == 0) or dom.kind == ONEHOT or dom.how == "comparison"


def _marked(dom: Domain) -> bool:
    """Whether the program itself wrote a number above 1 into a mask."""
    return "marks" in dom.flags and dom.high is not None and dom.high > 1


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
