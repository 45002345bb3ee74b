"""TLL117."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import LOGPROBS, PROBS
from torchlosslint.flow.values import DOTS, Tensor
from torchlosslint.rule import Event, LossUse, Problem, Rule


class SoftmaxWrongDim(Rule):
    """On its way to a loss, softmax runs over the batch, or over a dimension of size one.

    What it does
        Looks at the dimension of the softmax or log_softmax that made a loss's input, where the shape
        is known well enough.

    Why it is bad
        Over the batch, the samples compete with one another and the result depends on who else is in
        the batch. Over a dimension of size one, softmax gives 1 and log_softmax gives 0 whatever the
        scores are: there is no gradient at all.

    Example
        Wrong::

            F.nll_loss(F.log_softmax(scores, dim=0), y)     # scores: (N, C)
            torch.softmax(self.fc(x), dim=1)                # fc has one output

        Right::

            F.nll_loss(F.log_softmax(scores, dim=1), y)
            torch.sigmoid(self.fc(x))

    When it is wrong to fix
        The first dimension is not the batch there.
    """

    code = "TLL117"
    name = "softmax-wrong-dim"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.input
        if not isinstance(tensor, Tensor):
            return
        dom, shape = tensor.dom, tensor.shape
        if dom.kind not in (PROBS, LOGPROBS) or dom.dim is None or not shape:
            return
        rank = None if DOTS in shape else len(shape)
        size = _size(shape, dom.dim)
        if size == 1 and rank is not None and rank > 1:
            yield Problem(
                f"{dom.how or 'softmax'} runs over dimension {dom.dim}, which has size one: it gives the "
                "same "
                "constant whatever the scores are, and no gradient.",
                "For one score a sample use sigmoid (BCEWithLogitsLoss); else softmax over the classes.",
            )
        elif rank is not None and rank >= 2 and dom.dim in (0, -rank) and use.contract.class_dim == 1:
            yield Problem(
                f"{dom.how or 'softmax'} runs over dimension 0, the batch: samples compete with one another "
                "and the result depends on who else is in the batch.",
                "Run it over the classes: dim=1.",
            )

    def check_event(self, event: Event) -> Iterable[Problem]:
        tensor = event.value
        if event.kind != "argmax" or not isinstance(tensor, Tensor):
            return
        dom, shape = tensor.dom, tensor.shape
        if (
            dom.kind in (PROBS, LOGPROBS)
            and dom.dim in (0, -2)
            and shape
            and DOTS not in shape
            and len(shape) == 2
        ):
            yield Problem(
                f"{dom.how or 'softmax'} runs over dimension 0, the batch, before the argmax over the "
                "classes: "
                "the prediction for a sample depends on who else is in the batch.",
                "Run it over the classes, dim=1; for an argmax the raw scores do as well.",
                tensor=tensor,
            )


def _size(shape: tuple[object, ...], dim: int) -> object:
    if dim >= 0 and DOTS in shape:
        return None
    try:
        return shape[dim]
    except IndexError:
        return None
