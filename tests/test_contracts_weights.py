"""Per-class weights: what the contracts say of their lengths and types, against the installed torch."""

from __future__ import annotations

import pytest
from test_contracts_tools import call, outcome, resolve, scores

from torchlosslint import contracts
from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract

torch = pytest.importorskip("torch")

FUNCTIONS = [c for c in contracts.ALL if c.function]
MODULES = [c for c in contracts.ALL if c.module]


@pytest.mark.parametrize(
    ("c", "p"),
    [(c, p) for c in FUNCTIONS if c.key != "linear_cross_entropy" for p in c.parameters],
    ids=lambda v: getattr(v, "key", getattr(v, "name", "")),
)
def test_weight_lengths(c: LossContract, p: b.Parameter) -> None:
    assert (p.name in c.module_params) is p.module
    y = torch.tensor([0, 1, 2, 0]) if c.index_dtypes else scores(4, 3)

    def told(*shape: int) -> bool:
        return (
            outcome(lambda: call(c, scores(4, 3).requires_grad_(), y, **{p.name: scores(*shape)})) == "fine"
        )

    assert [told(3), told(2), told(4, 3), told(4, 1)] == {
        "classes": [True, False, False, False],
        "broadcast": [True, False, True, True],
        "elements": [False, False, True, False],
    }[p.length]


@pytest.mark.parametrize(
    "c", [c for c in MODULES if any(p.module for p in c.parameters)], ids=lambda c: c.key
)
def test_weights_must_be_tensors(c: LossContract) -> None:
    first = {"in_features": 4, "num_classes": 3} if c.owns_layer else {}
    for p in c.parameters:
        if p.module:
            with pytest.raises((TypeError, AttributeError)):
                resolve(c.module)(**first, **{p.name: [1.0, 2.0, 3.0]})
