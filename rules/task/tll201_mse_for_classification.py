"""TLL201."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import BOUNDED, DATA, INDICES, LOGPROBS, PROBS, SCORES, UNIT
from torchlosslint.flow.values import Place, Tensor
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import DECODING, decoded, labels, one_hot, rows_decoded, size_of_classes

DISTANCES = frozenset({"mse", "l1", "smooth_l1", "huber"})


class MseForClassification(Rule):
    """A distance (MSE, L1, SmoothL1, Huber) between class scores and class labels.

    What it does
        Looks at distances between the scores of classes (a softmax, or a head whose largest output the
        program takes for its prediction) and labels: one-hot rows, or class indices. Distances to
        images, to other networks' outputs, to constants (LSGAN) and to values of states are left alone.

    Why it is bad
        Through a softmax or sigmoid, the gradient of a distance goes to zero where the model is
        confident and wrong, so the worst mistakes are the last to be mended. Without one, the distance
        also punishes scores for being more right than 1. Against class indices it claims that class 9
        is farther from class 1 than class 2 is.

    Example
        Wrong::

            loss = nn.MSELoss()(F.softmax(net(x), dim=1), F.one_hot(y, 10).float())

        Right::

            loss = nn.CrossEntropyLoss()(net(x), y)        # raw scores, class indices

    When it is wrong to fix
        The Brier score is what shall be optimised, or the labels are the input of an autoencoder.
    """

    code = "TLL201"
    name = "mse-for-classification"
    severity = "error"
    watches = DECODING

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        uses = [u for u in history.losses if u.contract.key in DISTANCES and not u.no_grad]
        heads = decoded(history) if uses else {}
        rows = bool(heads) and rows_decoded(history)
        for use in uses:
            for scores, target in ((use.input, use.target), (use.target, use.input)):
                if isinstance(scores, Tensor) and isinstance(target, Tensor):
                    problem = _problem(use, scores, target, heads, rows)
                    if problem is not None:
                        yield use, problem
                        break


def _problem(
    use: LossUse, scores: Tensor, target: Tensor, heads: dict[Place, bool], rows: bool
) -> Problem | None:
    if scores.grad is False or target.grad or target.role in ("model", "loss"):
        return None
    what = labels(target.dom)
    place = scores.origin.place if scores.origin is not None else None
    seen = heads.get(place) if place is not None else None
    # Argmax on both sides: compared with one another, or a softmax whose labels are decoded elsewhere.
    both = seen or (seen is False and rows and scores.dom.kind in (PROBS, LOGPROBS))
    if not what and target.dom.kind == DATA and both:
        what = "labels that are decoded by argmax"
    if not what or not _class_scores(scores, target, place is not None and place in heads):
        return None
    if scores.dom.kind in (PROBS, LOGPROBS, UNIT, BOUNDED):
        harm = "its gradient vanishes where the model is confident and wrong"
        given = f"the classes' scores behind {scores.dom.how or 'an activation'}"
    else:
        harm = "it punishes scores for being more right than the label, and pulls all others to zero"
        given = "the scores of classes"
    return Problem(
        f"{use.name} measures the distance between {given} and {what}: {harm}.",
        "This is classification: give nn.CrossEntropyLoss the raw scores and the class indices.",
        tensor=scores,
    )


def _class_scores(scores: Tensor, target: Tensor, is_decoded: bool) -> bool:
    """Whether these are the scores of several classes."""
    dom, size = scores.dom, size_of_classes(scores)
    if target.dom.how == "labels" and target.dom.kind == INDICES and dom.kind in (SCORES, UNIT, BOUNDED):
        return "normalized" not in dom.flags  # the labels of a set of classes, whatever is fitted to them
    if size == 1:
        return False
    if dom.kind in (PROBS, LOGPROBS):
        return not dom.flags & {"scaled", "picked", "mixture"}
    if dom.kind not in (SCORES, UNIT, BOUNDED) or "normalized" in dom.flags:
        return False
    return is_decoded or (one_hot(target.dom) and size is not None and size == size_of_classes(target))
