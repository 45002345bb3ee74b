"""What the rules of this family share: the networks whose scores the program decodes, and class labels."""

from __future__ import annotations

from torchlosslint.flow.domain import CHOSEN, DATA, INDICES, LOGPROBS, ONEHOT, PROBS, Domain
from torchlosslint.flow.values import Place, Tensor, Value
from torchlosslint.rule import History

# Events by which a program shows that it takes the largest of several scores for its prediction.
DECODING = frozenset({"argmax", "chosen", "match"})


def decoded(history: History) -> dict[Place, bool]:
    """The layers whose largest output is taken for the prediction: by where they are made. True where
    the labels that it is compared with are the largest of a row as well, that is, one-hot rows."""
    found: dict[Place, bool] = {}
    for event in history.events:
        value = event.value
        if event.kind not in DECODING or not isinstance(value, Tensor) or value.origin is None:
            continue
        rows = event.kind == "match" and chosen_from_data(event.data.get("other"))
        found[value.origin.place] = found.get(value.origin.place, False) or rows
    return found


def rows_decoded(history: History) -> bool:
    """Whether the program takes the largest of a row of data for something, as of one-hot labels."""
    return any(
        isinstance(e.value, Tensor) and e.value.dom.kind == DATA and e.value.role != "model"
        for e in history.of("argmax")
    )


def chosen_from_data(value: Value | None) -> bool:
    """Whether these are the indices of the largest of something that no network gave."""
    return (
        isinstance(value, Tensor)
        and value.dom.kind == INDICES
        and value.dom.how in CHOSEN
        and value.role != "model"
    )


def one_hot(dom: Domain) -> bool:
    """Rows with a single one for one class among several; not an identity matrix for its own sake."""
    return dom.kind == ONEHOT and dom.how != "eye" and "smoothed" not in dom.flags


def labels(dom: Domain) -> str:
    """In words, which class labels a target is; "" for everything else."""
    if one_hot(dom):
        return "one-hot labels"
    if dom.kind == INDICES and dom.how in ("randint", "labels"):
        return "class indices"
    if dom.kind in (PROBS, LOGPROBS) and dom.base is not None and one_hot(dom.base):
        return f"the {dom.how} of one-hot labels"
    return ""


def size_of_classes(tensor: Tensor) -> int | None:
    """The number of classes that scores are over, where it is known: that of the last dimension, or of
    the dimension that a softmax ran over."""
    shape, dim = tensor.shape, tensor.dom.dim
    if not shape:
        return None
    try:
        size = shape[-1 if dim is None else dim]
    except IndexError:
        return None
    return size if isinstance(size, int) else None
