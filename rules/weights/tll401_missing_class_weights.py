"""TLL401."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torchlosslint.contracts.datasets import IMBALANCED, OWN
from torchlosslint.flow.origins import origin
from torchlosslint.flow.values import Const, Place, Step, Tensor, Unknown, Value
from torchlosslint.rule import Event, History, LossUse, Problem, Rule

from .common import CHOOSING, size_of_classes, unweighted


class MissingClassWeights(Rule):
    """A classification loss treats all classes alike.

    What it does
        Looks at the losses over several classes that a network is trained with and that are
        given no weights. Whether the classes are balanced is in the data, not in the code, so this is a
        warning only where the program itself shows it: it counts the classes of the very labels that
        the loss gets (`Counter`, `value_counts`, `bincount`, `np.unique(y, return_counts=True)`, a count
        plot) and does no more than look at the counts, or the labels are those of a set whose classes
        are known to differ much; and no loss has weights and no sampler may balance the classes. Labels
        are followed through splits, slices, conversions, data sets and loaders. Rows picked by
        a mask or by indices are other labels: the classes may have been balanced so. That the classes of
        a well-known balanced set are counted shows nothing.

        Everywhere else it is a note, shown only where the rule is selected (`--select TLL401`).
        The summary counts the places. Left out are losses that the program weighs itself
        (`reduction="none"`) and those in which every sample is a class of its own.

    Why it is bad
        Where one class has 95% of the samples, always predicting it is 95% right and has a small
        loss. The network learns that first, and the rare class last or never.

    Example
        Wrong::

            print(Counter(labels))                          # 950 samples of one class, 50 of the other
            criterion = nn.CrossEntropyLoss()

        Right::

            counts = torch.bincount(labels)
            criterion = nn.CrossEntropyLoss(weight=counts.sum() / (len(counts) * counts))

    When it is wrong to fix
        The classes are balanced (the counts that you look at say so), or the rare ones do not matter.
    """

    code = "TLL401"
    name = "missing-class-weights"
    severity = "warning"
    quiet_notes = "classification losses without class weights"
    watches = frozenset({"loss", "counted", "sampler", "construct"})

    def check_program(self, history: History) -> Iterable[tuple[Event | LossUse, Problem]]:
        plain = [use for use in history.losses if _plain(use)]
        warned: set[Place | None] = set()
        if not _treated(history):
            for use, problem in _with_evidence(history, plain):
                criterion = use.made or use.place
                if criterion not in warned or use.place in warned:  # once for a criterion
                    warned |= {use.place, criterion}
                    yield use, problem
        for use in plain:
            if use.place not in warned and (use.made or use.place) not in warned:
                yield (
                    use,
                    Problem(
                        f"{_called(use)} is given no class weights: where the classes are imbalanced, the "
                        "frequent ones decide what is learnt.",
                        f"Count the classes of the training set. If they differ much, {_WEIGH}",
                        severity="note",
                    ),
                )


_WEIGH = "pass weight=total / (classes * counts), or sample by class."


def _with_evidence(history: History, plain: list[LossUse]) -> Iterator[tuple[LossUse, Problem]]:
    """The losses whose labels the program counts, or that are those of a set of unequal classes."""
    counted = {e.value.key: e for e in history.of("counted") if isinstance(e.value, Unknown)}
    for use in plain:
        labels = origin(use.target)
        event = counted.get(labels) if labels is not None else None
        known = labels[1] if isinstance(labels, tuple) and labels[0] == "label" else None
        if known is not None and known not in OWN:
            event = None  # what is counted are classes of a well-known set
        if event is not None:
            yield (
                use,
                Problem(
                    f"{_called(use)} is given no class weights, and the program counts the classes of these "
                    "very labels only to look at them: where the counts differ much, the frequent "
                    "classes decide what is learnt.",
                    f"If the counts differ much, {_WEIGH}",
                    tensor=Tensor(trail=Step(None, event.place, "the classes of these labels are counted")),
                ),
            )
        elif known in IMBALANCED:
            yield (
                use,
                Problem(
                    f"{_called(use)} is given no class weights, and {IMBALANCED[known]}: the frequent "
                    "classes decide what is learnt.",
                    f"To learn the rare classes as well, {_WEIGH}",
                ),
            )


def _treated(history: History) -> bool:
    """Whether some loss weighs its classes, or a sampler may balance them."""
    if history.of("sampler") or any("sampled" in e.data for e in history.of("construct")):
        return True
    return any(use.contract.key in CHOOSING and not unweighted(use) for use in history.losses)


def _plain(use: LossUse) -> bool:
    """Whether a network is trained with this loss over classes, and all count the same."""
    if use.contract.key not in CHOOSING or use.no_grad or not unweighted(use):
        return False
    return not _each_its_own(use.target) and use.config.get("reduction") != Const("none")


def _called(use: LossUse) -> str:
    count = size_of_classes(use)
    return (use.name or use.contract.title) + (f" over {count} classes" if count and count > 1 else "")


def _each_its_own(target: Value) -> bool:
    """Whether each sample of the batch is a class of its own, as in contrastive learning."""
    return isinstance(target, Tensor) and target.dom.how == "arange"
