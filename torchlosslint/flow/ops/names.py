"""Canonical names: the many import paths of one and the same function or class of torch."""

from __future__ import annotations

import re
from functools import lru_cache

EXACT = {
    "torch.autograd.variable.Variable": "torch.autograd.Variable",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "torch.nn.modules.Parameter": "torch.nn.Parameter",
    "torch.special.expit": "torch.sigmoid",
    "torch.special.softmax": "torch.softmax",
    "torch.special.log_softmax": "torch.log_softmax",
    "torch.special.logsumexp": "torch.logsumexp",
    "torch.tensor.Tensor": "torch.Tensor",
    "torch._tensor.Tensor": "torch.Tensor",
    "torch.nn.utils.rnn.PackedSequence": "torch.nn.utils.rnn.PackedSequence",
}
FUNCTIONAL = re.compile(r"^torch(?:\.\w+)*?\.F\.(?=\w)")
NESTED = re.compile(r"^(?:torch|numpy)\.(?:\w+\.)*(?=torch\.)")
MODULES = re.compile(r"^torch\.nn\.modules\.(?:[a-z_0-9]+\.)*(?=[A-Z])")


@lru_cache(maxsize=1 << 14)
def normalise(qual: str) -> str:
    """The name that the registries know an operation of torch or numpy by."""
    if qual in EXACT:
        return EXACT[qual]
    if not qual.startswith(("torch", "numpy", "np.")):
        return qual
    if qual.startswith("np."):
        qual = "numpy." + qual[3:]
    qual = NESTED.sub("", qual)
    qual = FUNCTIONAL.sub("torch.nn.functional.", qual)
    qual = MODULES.sub("torch.nn.", qual)
    for old, new in (
        ("torch.functional.", "torch."),
        ("torch._C._VariableFunctions.", "torch."),
        ("torch._VF.", "torch."),
    ):
        if qual.startswith(old):
            qual = new + qual[len(old) :]
    return EXACT.get(qual, qual)
