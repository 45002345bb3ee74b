"""Functions of other libraries: softmaxes and their kin, which are none of torch's; thresholds of images."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.domain import MOST_MARK, marks
from torchlosslint.flow.ops.call import OpCall, number
from torchlosslint.flow.ops.support import flagged, operand, register, unknown
from torchlosslint.flow.values import External, Tensor, TupleV, Value

FOREIGN = (
    "jax.nn.softmax jax.nn.log_softmax jax.nn.sigmoid jax.nn.relu jax.scipy.special.logsumexp "
    "scipy.special.softmax scipy.special.log_softmax scipy.special.expit scipy.special.logsumexp "
    "tensorflow.nn.softmax tensorflow.nn.log_softmax tensorflow.nn.sigmoid"
)


def foreign(call: OpCall, name: str) -> Value:
    """An operation of another framework: nothing that a torch loss is given."""
    return unknown(name, operand(call))


def threshold(call: OpCall) -> Value:
    """cv2.threshold(image, limit, maxval, cv2.THRESH_BINARY): the limit, and an array of 0 and maxval."""
    largest, kind = number(call.arg(2, "maxval")), call.arg(3, "type")
    two = isinstance(kind, External) and kind.qual in ("cv2.THRESH_BINARY", "cv2.THRESH_BINARY_INV")
    limit = unknown("threshold")
    if not two or largest is None or not 1 < largest <= MOST_MARK:
        return TupleV((limit, unknown("threshold")))
    return TupleV((limit, Tensor(flagged(marks(largest), "numpy"), "uint8", (None, None), False)))


def enter() -> None:
    """Enter all of this module."""
    register(threshold, "cv2.threshold")
    for name in FOREIGN.split():
        register(partial(foreign, name=name), name)


enter()
