"""Random right uses of every loss never give a finding, whatever their shapes, dtypes and settings."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from test_contracts_tools import resolve

from torchlosslint import contracts
from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract

torch = pytest.importorskip("torch")
from torchlosslint.runtime import findings, guarded  # noqa: E402

ALL = [c for c in contracts.ALL if c.function]
ADVICE = ("TLL504",)  # kl_div's own default is what it is


def right_use(c: LossContract, draw: Any) -> dict[str, Any]:
    """Arguments by name of a right call."""
    n, k = draw(st.integers(2, 6)), draw(st.integers(2, 7))
    more = draw(st.sampled_from([(), (3,), (2, 3)])) if c.key in ("cross_entropy", "nll") else ()
    if c.key in ("multi_margin", "multilabel_margin", "cosine_embedding"):
        more = ()
    shape = (n, k, *more)
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    scores = torch.randn(shape, dtype=dtype) * draw(st.sampled_from([0.1, 1.0, 30.0]))
    scores = (scores + draw(st.sampled_from([0.0, 0.0, 100.0]))).requires_grad_(draw(st.booleans()))
    labels = torch.randint(0, k, (n, *more))
    config: dict[str, Any] = {}
    if c.key == "ctc":
        log_probs = torch.randn(12, n, k + 1, dtype=dtype).log_softmax(-1)
        lengths = torch.randint(1, 5, (n,))
        targets = torch.randint(1, k + 1, (n, 4))
        return {
            "log_probs": log_probs,
            "targets": targets,
            "input_lengths": (12,) * n,
            "target_lengths": tuple(lengths.tolist()),
        }
    if c.key == "linear_cross_entropy":
        return {
            "input": torch.randn(n, 3),
            "linear_weight": torch.randn(k, 3),
            "target": torch.randint(0, k, (n,)),
        }
    if any(p.length == "classes" for p in c.parameters) and draw(st.booleans()):
        config["weight"] = torch.rand(k, dtype=dtype) + 0.1
    if "ignore_index" in c.function_params and draw(st.booleans()):
        ignored = draw(st.sampled_from([-100, 255, 0]))
        config["ignore_index"] = ignored
        labels = torch.where(torch.rand(labels.shape) < 0.3, torch.full_like(labels, ignored), labels)
        labels.reshape(-1)[0] = 1
    config["reduction"] = draw(st.sampled_from([r for r in c.reductions if r != "batchmean"]))
    inputs = {
        b.LOG_PROBS: lambda: scores.log_softmax(1),
        b.UNIT: lambda: torch.rand(shape, dtype=dtype),
        b.RATE: lambda: scores / 30,
    }
    args = {c.function_input_arg or c.input_arg: inputs.get(c.input, lambda: scores)()}
    for name in c.inputs[1:]:
        args[name] = (torch.rand if name == "var" else torch.randn)(shape, dtype=dtype)
    signs = (n,) if c.key == "cosine_embedding" else shape
    targets_of = {
        b.CLASS_INDEX: lambda: labels,
        b.CLASS_INDEX_OR_PROBS: lambda: (
            labels
            if draw(st.booleans()) or "ignore_index" in config
            else torch.randn(shape, dtype=dtype).softmax(1)
        ),
        b.FLOAT_UNIT: lambda: draw(
            st.sampled_from([torch.rand, lambda *a, **kw: torch.rand(*a, **kw).round()])
        )(shape, dtype=dtype),
        b.FLOAT_SAME: lambda: torch.poisson(torch.rand(shape, dtype=dtype) * 3),
        b.PROBS: lambda: torch.randn(shape, dtype=dtype).softmax(1),
        b.SIGN: lambda: torch.randint(0, 2, signs).to(dtype) * 2 - 1,
        b.CLASS_LIST: lambda: torch.cat([torch.zeros(n, 1), -torch.ones(n, k - 1)], 1).long(),
    }
    if c.target in targets_of:
        args[c.target_arg] = targets_of[c.target]()
    return {**args, **config}


@pytest.mark.parametrize("c", ALL, ids=lambda c: c.key)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_right_uses_are_silent(c: LossContract, data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 2**16)))
    function = resolve(c.function)
    with warnings.catch_warnings(), guarded(lambda finding: None) as seen:
        warnings.simplefilter("ignore")
        for _ in range(data.draw(st.integers(1, 4))):
            function(**right_use(c, data.draw))
    assert [str(f) for f in seen.findings if f.code not in ADVICE] == []
    assert findings.broken() == []
