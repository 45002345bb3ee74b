"""What the numbers of a call show. The numbers come from `measure`, now or later."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torchlosslint.contracts import base as b
from torchlosslint.runtime.call import INDEXED
from torchlosslint.runtime.checks.activation import floor
from torchlosslint.runtime.checks.measure import Facts
from torchlosslint.runtime.checks.trail import AFFINE, LOG_SOFTMAX, SOFTMAX, UNBOUNDED, UNKNOWN
from torchlosslint.runtime.findings import LIKELY, Problem

BATCHES = 3  # probabilities where scores belong are reported only after so many different batches
CLOSE = 1e-3
NEAR = 0.1  # total variation distance between the shares of class weights and of the labels of a batch
_DISTANCES = ("mse", "l1", "smooth_l1", "huber")


def judge(f: Facts, streak: dict[str, tuple[int, float]]) -> Iterator[Problem]:
    """streak: what the batches of this place had in common so far."""
    n = f.numbers
    if any(n.get(name) for name in ("x nan", "x +inf", "y nan", "y inf")):
        yield from _not_finite(f)
    yield from _weights(f)
    yield from _counts(f, streak)
    yield from _dropout(f)
    if not n.get("x nan"):
        yield from _input(f, streak)
    if not n.get("y nan") and not n.get("y inf"):
        yield from _target(f)


def _shown(f: Facts, *names: str) -> tuple[tuple[str, object], ...]:
    return tuple((name, f"{f.numbers[name]:.6g}") for name in names if name in f.numbers)


def _not_finite(f: Facts) -> Iterator[Problem]:
    for side, infinite, what in (("x", "x +inf", "input"), ("y", "y inf", "target")):
        nan, inf = f.numbers.get(f"{side} nan", 0), f.numbers.get(infinite, 0)
        if side == "y" and f.config.get("reduction") == "none" and not f.input_grad:
            continue  # an evaluation may leave out what has no label afterwards
        if nan or inf:
            yield Problem(
                "TLL701",
                f"The {what} of {f.name} has {int(nan)} NaN and {int(inf)} inf: the loss is lost, and with "
                "the next step every weight.",
                "Look for the step before: too high a learning rate, a log or division of 0, broken data."
                if side == "x"
                else "Look at the data: a missing value, a division of 0 in its preparation.",
                evidence=_shown(f, f"{side} nan", infinite),
            )


def _weights(f: Facts) -> Iterator[Problem]:
    for name in ("weight", "pos_weight"):
        if f.numbers.get(f"{name} min", 0.0) < 0:
            yield Problem(
                "TLL403",
                f"`{name}` of {f.name} has a negative number: the loss rewards mistakes there.",
                "Give weights of zero or more.",
                evidence=_shown(f, f"{name} min"),
            )
    if f.numbers.get("var min", 0.0) < 0:
        yield Problem(
            "TLL114",
            f"The variance given to {f.name} goes down to {f.numbers['var min']:.3g}: it raises.",
            "Apply softplus or exp to the output of the variance.",
            evidence=_shown(f, "var min"),
        )


def _counts(f: Facts, streak: dict[str, tuple[int, float]]) -> Iterator[Problem]:
    """Whole numbers in the shares of the labels, and no fewer than a batch has: counts, not weights."""
    n = f.numbers
    apart = n.get("weight from shares", 1.0)
    whole = bool(n.get("weight whole")) and n["weight sum"] >= n["labels"] > 1
    problem = Problem(
        "TLL403",
        f"`weight` of {f.name} has whole numbers in the proportion of the labels: counts, by which frequent "
        "classes count even more.",
        "Give their inverse: weight = counts.sum() / (len(counts) * counts).",
        LIKELY,
        _shown(f, "weight sum", "weight from shares"),
    )
    if whole and apart == 0:
        yield problem
    elif "weight whole" in n:
        yield from _habit(f, streak, "counts", whole and apart < NEAR, problem)


def _dropout(f: Facts) -> Iterator[Problem]:
    """Factors of 0 and 1 / (1 - p) alone, other ones in each row, and about a share of p zeros."""
    n, size = f.numbers, math.prod(f.input_shape)
    scale, zeros = n.get("mask max", 0.0), n.get("mask zeros", 0.0)
    if not scale > 1 or not zeros or n["mask rest"] or not n["mask rows"]:
        return
    share = 1 - 1 / scale
    if abs(zeros - share * size) <= 4 * math.sqrt(size * share * (1 - share)):
        yield Problem(
            "TLL106",
            f"{f.name} gets scores after dropout (p = {share:.2g}): at random a class gets the score 0 in "
            "training.",
            "Put dropout before the last linear layer.",
            LIKELY,
            _shown(f, "mask max", "mask zeros"),
            severity="warning",
        )


def _input(f: Facts, streak: dict[str, tuple[int, float]]) -> Iterator[Problem]:
    n = f.numbers
    low, high = n.get("x min"), n.get("x max")
    if low is None or high is None:
        return
    if f.key == "bce" and (low < -1e-6 or high > 1 + 1e-6):
        yield Problem(
            "TLL107",
            f"{f.name} wants probabilities, and gets numbers from {low:.3g} to {high:.3g}.",
            "Use BCEWithLogitsLoss on raw scores.",
            evidence=_shown(f, "x min", "x max"),
        )
    if f.wants == b.NON_NEGATIVE and low < 0:
        yield Problem(
            "TLL113",
            f"{f.name} wants rates (log_input=False), and gets numbers down to {low:.3g}: their log is NaN.",
            "Say log_input=True, or apply softplus or exp first.",
            evidence=_shown(f, "x min"),
        )
    if f.wants == b.LOG_PROBS and high > CLOSE and f.kind not in (LOG_SOFTMAX,):
        code = {"nll": "TLL110", "ctc": "TLL112"}.get(f.key, "TLL111")
        yield Problem(
            code,
            f"{f.name} wants log-probabilities, which are never above 0, and gets numbers up to {high:.3g}.",
            "Apply log_softmax over the classes first.",
            LIKELY,
            _shown(f, "x min", "x max"),
        )
    yield from _rows(f, streak)


def _rows(f: Facts, streak: dict[str, tuple[int, float]]) -> Iterator[Problem]:
    """Rows that sum to one where raw scores belong: a habit over several batches, never one batch.

    Only where the graph is silent: what it shows is proof, and was judged by it."""
    n = f.numbers
    if f.kind != UNKNOWN or n.get("x row") is None or (f.classes or 0) < 2:
        return
    spread = n.get("x spread", 0.0) > 1e-4
    if f.key == "cross_entropy":
        yield from _habit(
            *(
                f,
                streak,
                "probabilities",
                spread and n["x min"] >= 0 and n["x max"] <= 1 and n["x row"] < CLOSE,
            ),
            Problem(
                "TLL101",
                "Rows of the input sum to 1.000: softmax was applied already; this loss cannot fall below "
                f"{floor(f.classes or 2):.3f}.",
                "Give the loss the raw scores; apply softmax only where probabilities are reported.",
                LIKELY,
                _shown(f, "x min", "x max", "x row"),
            ),
        )
        logs = spread and n["x max"] <= CLOSE and n.get("x logsumexp", 1.0) < CLOSE
        yield from _habit(
            *(f, streak, "log-probabilities", logs),
            Problem(
                "TLL102",
                "The input is log-probabilities (the sum of exp over each row is 1.000): log_softmax is done "
                "twice.",
                "Give the loss the raw scores, or use NLLLoss.",
                LIKELY,
                _shown(f, "x max", "x logsumexp"),
            ),
        )


def _habit(
    f: Facts, streak: dict[str, tuple[int, float]], what: str, here: bool, problem: Problem
) -> Iterator[Problem]:
    if not here:
        streak.pop(what, None)
        return
    count, last = streak.get(what, (0, float("nan")))
    print_of_batch = f.numbers.get("x first", 0.0) + f.numbers.get("x max", 0.0)
    if print_of_batch == last:
        return  # the same batch again
    streak[what] = (count + 1, print_of_batch)
    if count + 1 >= BATCHES:
        yield problem


def _target(f: Facts) -> Iterator[Problem]:
    n = f.numbers
    if "y min" not in n:
        return
    if f.contract.target == b.CLASS_LIST:
        yield from _listed(f)
    elif f.contract.target in INDEXED and not f.soft:
        yield from _indices(f)
    elif f.contract.target == b.CLASS_INDEX_OR_PROBS:
        yield from _soft(f)
    elif f.contract.target == b.FLOAT_UNIT:
        yield from _unit(f)
    elif f.contract.target == b.SIGN:
        yield from _signs(f)
    elif f.key == "kl_div":
        yield from _distribution(f)
    elif f.key == "poisson_nll" and n["y min"] < 0:
        yield Problem(
            "TLL306",
            f"{f.name} wants counts, and gets targets down to {n['y min']:.3g}.",
            "Give it the counts themselves, neither centred nor scaled.",
            evidence=_shown(f, "y min", "y max"),
        )
    elif f.key in _DISTANCES:
        yield from _classes_by_distance(f)


def _indices(f: Facts) -> Iterator[Problem]:
    n = f.numbers
    classes = f.classes
    if n.get("y valid") == 0:
        if f.config.get("reduction") != "mean":
            return
        if f.key == "nll" or f.key.endswith("cross_entropy"):
            yield Problem(
                "TLL702",
                f"Every target that {f.name} gets in this batch is ignore_index "
                f"({f.config.get('ignore_index')}): the mean over nothing is NaN.",
                "Leave out batches without a label.",
                evidence=_shown(f, "y valid"),
            )
        return
    if classes is None:
        return
    low, high = n["y min"], n["y max"]
    wrong = high if high >= classes else low if low < 0 else None
    if wrong is None:
        return
    hint = "Correct the labels, or give the head one unit for each class."
    if low >= 1 and high == classes:
        hint = "The labels seem to start at 1: subtract 1."
    elif wrong < 0 and "ignore_index" in f.config:
        hint = (
            f"Say ignore_index={int(wrong)} if that label means nothing (it is {f.config['ignore_index']})."
        )
    elif high == 255:
        hint = "Say ignore_index=255 if that label means nothing, or map the mask to classes."
    yield Problem(
        "TLL306",
        f"Class index {int(wrong)} for scores with {classes} classes (0..{classes - 1}).",
        hint,
        evidence=(("classes", classes), *_shown(f, "y min", "y max")),
    )


def _listed(f: Facts) -> Iterator[Problem]:
    n, classes = f.numbers, f.classes or 0
    if n["y max"] >= classes or n["y min"] < -1:
        wrong = int(n["y max"] if n["y max"] >= classes else n["y min"])
        yield Problem(
            "TLL306",
            f"Class index {wrong} for scores with {classes} classes (0..{classes - 1}, filled up with -1).",
            "Correct the labels, or give the head one unit for each class.",
            evidence=(("classes", classes), *_shown(f, "y min", "y max")),
        )


def _soft(f: Facts) -> Iterator[Problem]:
    n = f.numbers
    if "y row" not in n:
        return
    exact = n.get("y not 0 1", 1.0) == 0
    if n["y min"] < -CLOSE:
        yield Problem(
            "TLL306",
            f"{f.name} wants class probabilities, and gets targets down to {n['y min']:.3g}: raw scores or "
            "log-probabilities.",
            "Apply softmax to the teacher's scores.",
            evidence=_shown(f, "y min", "y max"),
        )
    elif exact and n["y row max"] > 1:
        yield Problem(
            "TLL203",
            f"{f.name} wants one class a row, and gets rows with up to {int(n['y row max'])} ones: the "
            "classes fight each other, and the loss never reaches 0.",
            "Use BCEWithLogitsLoss for labels of which several may be true.",
            evidence=_shown(f, "y row min", "y row max"),
        )
    elif n["y row max"] > 1 + 1e-2:
        yield Problem(
            "TLL306",
            f"{f.name} wants class probabilities, and gets rows that sum to up to {n['y row max']:.3g}.",
            "Divide each row by its sum.",
            LIKELY,
            _shown(f, "y row min", "y row max"),
        )
    elif exact and n["y row"] == 0 and (f.classes or 0) > 1 and not f.config.get("label_smoothing"):
        yield Problem(
            "TLL301",
            f"{f.name} gets one-hot rows of floats: class indices are faster and keep ignore_index.",
            "Give it the indices: target.argmax(dim=1).",
            LIKELY,
            _shown(f, "y row"),
            severity="warning",
        )


def _unit(f: Facts) -> Iterator[Problem]:
    n = f.numbers
    low, high = n["y min"], n["y max"]
    if f.key == "bce" and f.kind == SOFTMAX and n.get("y row", 0) > CLOSE:
        yield Problem(
            "TLL108",
            f"{f.name} gets softmax probabilities, which sum to one, and labels of which "
            "several may be true.",
            "Use BCEWithLogitsLoss on the raw scores.",
            evidence=_shown(f, "y row"),
            severity="error",
        )
    if low >= -1e-6 and high <= 1 + 1e-6:
        return
    hint = "Give it labels from 0 to 1."
    if n.get("y not -1 1") == 0:
        hint = "Map the labels from {-1, 1} to {0, 1}: (target + 1) / 2."
    elif low >= 0 and 1 < high <= 255:
        hint = "Divide the mask by 255." if high == 255 else "Divide by the highest value, or compare with 0."
    masked = f.config.get("reduction") == "none"
    yield Problem(
        "TLL306",
        f"{f.name} wants labels in [0, 1], and gets numbers from {low:.3g} to {high:.3g}: the loss can fall "
        "below zero without end.",
        hint,
        LIKELY if masked else "proved",
        _shown(f, "y min", "y max"),
    )


def _signs(f: Facts) -> Iterator[Problem]:
    n = f.numbers
    if n.get("y not -1 1", 0) == 0:
        return
    zeros = n.get("y not 0 1") == 0
    inside = n["y min"] >= -1 and n["y max"] <= 1
    yield Problem(
        "TLL306",
        f"{f.name} wants labels -1 and 1, and gets "
        + (
            "0 and 1: a label of 0 switches its sample off."
            if zeros
            else f"{n['y min']:.3g} to {n['y max']:.3g}."
        ),
        "Map the labels: 2 * target - 1." if zeros else "Give it labels -1 and 1.",
        "proved" if zeros or not inside else LIKELY,
        _shown(f, "y min", "y max"),
    )


def _distribution(f: Facts) -> Iterator[Problem]:
    n = f.numbers
    if f.wants_target == b.LOG_PROBS and n["y max"] > CLOSE:
        wrong = "log-probabilities (log_target=True)", "Leave log_target out, or give it log_softmax."
    elif f.wants_target == b.PROBS and n["y min"] < -1e-6:
        wrong = "probabilities", "Apply softmax to the target, or say log_target=True for log-probabilities."
    else:
        return
    yield Problem(
        "TLL111",
        f"{f.name} wants a target of {wrong[0]}, and gets numbers from {n['y min']:.3g} to {n['y max']:.3g}.",
        wrong[1],
        evidence=_shown(f, "y min", "y max"),
    )


def _classes_by_distance(f: Facts) -> Iterator[Problem]:
    """Scores of classes against one-hot rows. Raw scores count only with more than two classes."""
    n = f.numbers
    one_hot = n.get("y not 0 1", 1.0) == 0 and n.get("y row", 1.0) == 0 and f.soft
    classes = f.input_shape[1] if len(f.input_shape) > 1 else 0
    scores = f.kind == SOFTMAX or (f.kind in (*UNBOUNDED, AFFINE, "tanh", "sigmoid") and f.input_shape[0] > 1)
    if not one_hot or not scores or classes < (2 if f.kind == SOFTMAX else 3) or len(f.input_shape) != 2:
        return
    yield Problem(
        "TLL201",
        f"{f.name} is a distance, and gets scores of {classes} classes against one-hot rows: confident "
        "mistakes get almost no gradient.",
        "Use CrossEntropyLoss on the raw scores and class indices.",
        LIKELY,
        _shown(f, "y row"),
    )
