"""Softmaxes and their kin of other frameworks, which are none of torch's."""

from __future__ import annotations

from functools import partial

from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.ops.support import operand, register, unknown
from torchlosslint.flow.values import Value

FOREIGN = (
    "jax.nn.softmax jax.nn.log_softmax jax.nn.sigmoid jax.nn.relu jax.scipy.special.logsumexp "
    "scipy.special.softmax scipy.special.log_softmax scipy.special.expit scipy.special.logsumexp "
    "tensorflow.nn.softmax tensorflow.nn.log_softmax tensorflow.nn.sigmoid"
)


def foreign(call: OpCall, name: str) -> Value:
    """An operation of another framework: nothing that a torch loss is given."""
    return unknown(name, operand(call))


def enter() -> None:
    """Enter all of this module."""
    for name in FOREIGN.split():
        register(partial(foreign, name=name), name)


enter()
