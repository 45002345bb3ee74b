"""All losses of torch.nn against what may be wrong with a call: what torch does, and what the guard says.

No cell may be left where torch says nothing, the result is wrong, and the guard is silent too, unless
FINE says why the call is right. The table is printed by `python tests/test_runtime_matrix.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from test_contracts_tools import resolve

from torchlosslint import contracts
from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract

torch = pytest.importorskip("torch")
from torchlosslint.runtime import findings, guarded  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:reduction")
N, C, D, T = 6, 4, 5, 8
INDEXED = (b.CLASS_INDEX, b.CLASS_INDEX_OR_PROBS)
Args = dict[str, Any]


def right(c: LossContract) -> tuple[Callable[..., Any], Args]:
    """A right call: the instance (AdaptiveLogSoftmax) or the function, with its arguments by name."""
    torch.manual_seed(0)
    scores = torch.randn(N, C, requires_grad=True)
    labels = torch.randint(0, C, (N,))
    if c.key == "ctc":
        made = torch.randn(T, N, C, requires_grad=True).log_softmax(-1)
        y = torch.randint(1, C, (N, 3))
        return resolve(c.function), {
            "log_probs": made,
            "targets": y,
            "input_lengths": torch.full((N,), T),
            "target_lengths": torch.full((N,), 3),
        }
    if c.key == "adaptive_log_softmax":
        layer = torch.nn.AdaptiveLogSoftmaxWithLoss(D, C, [2])
        return (lambda **kw: layer(**kw).loss), {"input_": torch.randn(N, D), "target_": labels}
    if c.key == "linear_cross_entropy":
        weight = torch.randn(C, D, requires_grad=True)
        return resolve(c.function), {"input": torch.randn(N, D), "linear_weight": weight, "target": labels}
    first = c.function_input_arg or c.input_arg
    made = {
        b.LOG_PROBS: lambda: scores.log_softmax(1),
        b.UNIT: lambda: scores.sigmoid(),
        b.RATE: lambda: scores,
    }.get(c.input, lambda: scores)()
    args: Args = {first: made}
    for name in c.inputs[1:]:
        args[name] = torch.rand(N, C) + 0.1 if name == "var" else torch.randn(N, C, requires_grad=True)
    target = {
        b.CLASS_INDEX: labels,
        b.CLASS_INDEX_OR_PROBS: labels,
        b.FLOAT_UNIT: torch.randint(0, 2, (N, C)).float(),
        b.FLOAT_SAME: torch.rand(N, C).round() + torch.rand(N, C).round(),
        b.PROBS: torch.randn(N, C).softmax(1),
        b.SIGN: torch.randint(0, 2, (N,) if c.key == "cosine_embedding" else (N, C)).float() * 2 - 1,
        b.CLASS_LIST: torch.tensor([[1, 0, -1, 0]] * N),
    }.get(c.target)
    if target is not None:
        args[c.target_arg] = target
    return resolve(c.function), args


def first_arg(c: LossContract) -> str:
    return (c.function_input_arg or c.input_arg) if c.function else c.input_arg


# Each mistake gives the changed arguments, or None where there is no such mistake for this loss.


def wrong_dtype(c: LossContract, args: Args) -> Args | None:
    y = args.get(c.target_arg)
    if y is None or c.key in ("ctc", "linear_cross_entropy"):
        return None  # CTC takes every dtype; floats of any shape may be meant as probabilities
    return {**args, c.target_arg: y.float() if not y.is_floating_point() else y.long()}


def wrong_rank(c: LossContract, args: Args) -> Args | None:
    y = args.get(c.target_arg)
    if y is None or c.key == "ctc":
        return None
    return {**args, c.target_arg: y[:, None] if y.dim() == 1 else y[:, 0]}


def wrong_classes(c: LossContract, args: Args) -> Args | None:
    """Weights for one class too many; a target of another width where there is no such weight."""
    if any(p.name == "weight" for p in c.parameters) and c.class_dim is not None and not c.owns_layer:
        return {**args, "weight": torch.ones(C + 1)}
    y = args.get(c.target_arg)
    if y is None or y.dim() < 2 or c.key == "ctc":
        return None
    return {**args, c.target_arg: torch.cat([y, y[:, :1]], 1)}


def wrong_device(c: LossContract, args: Args) -> Args | None:
    y = args.get(c.target_arg)
    return None if y is None or c.key == "ctc" else {**args, c.target_arg: y.to("meta")}


def out_of_range(c: LossContract, args: Args) -> Args | None:
    y: Any = args.get(c.target_arg)
    if y is None or (c.target == b.FLOAT_SAME and c.key != "poisson_nll"):
        return None
    if y.is_floating_point():
        return {**args, c.target_arg: -y - 2 if c.key in ("kl_div", "poisson_nll") else y * 255}
    return {**args, c.target_arg: torch.full_like(y, C)}


def wrong_alphabet(c: LossContract, args: Args) -> Args | None:
    y: Any = args.get(c.target_arg)
    if c.target == b.SIGN:
        return {**args, c.target_arg: (y + 1) / 2}
    if c.target == b.FLOAT_UNIT:
        return {**args, c.target_arg: y * 2 - 1}
    return None


def wrong_domain(c: LossContract, args: Args) -> Args | None:
    """What the loss does itself, done before; raw scores where it wants something else."""
    x = first_arg(c)
    scores = torch.nn.Linear(D, C)(torch.randn(*args[x].shape[:-1], D))
    if c.owns_layer:
        return None
    if c.activation == "softmax":
        return {**args, x: scores.softmax(1)}
    if c.activation == "sigmoid" and c.input == b.LOGITS:
        return {**args, x: scores.sigmoid()}
    if c.input in (b.LOG_PROBS, b.UNIT):
        return {**args, x: scores}
    if c.input == b.RATE:
        return {**args, x: scores, "log_input": False}
    if c.key == "gaussian_nll":
        return {**args, "var": scores}
    return None


def not_a_number(c: LossContract, args: Args) -> Args | None:
    x = args[first_arg(c)].detach().clone()
    x[0, 0] = float("nan")
    return {**args, first_arg(c): x.requires_grad_()}


MISTAKES = {
    "dtype": wrong_dtype,
    "rank": wrong_rank,
    "classes": wrong_classes,
    "device": wrong_device,
    "range": out_of_range,
    "alphabet": wrong_alphabet,
    "domain": wrong_domain,
    "nan": not_a_number,
}
# Where torch takes the call and is right to.
FINE = {
    ("l1", "dtype"): "integers are promoted",
    ("mse", "dtype"): "integers are promoted",
    ("smooth_l1", "dtype"): "integers are promoted",
    ("poisson_nll", "dtype"): "integers are promoted",
    ("gaussian_nll", "dtype"): "integers are promoted",
    ("multilabel_soft_margin", "dtype"): "integers are promoted",
    ("soft_margin", "dtype"): "integers are promoted",
    ("margin_ranking", "dtype"): "integers are promoted",
    ("hinge_embedding", "dtype"): "integers are promoted",
    ("cosine_embedding", "dtype"): "integers are promoted",
}


def cell(c: LossContract, mistake: str) -> tuple[str, list[str]] | None:
    """What torch does ("raises", "backward raises", "warns", "silent"), and the codes of the guard."""
    call, args = right(c)
    changed = MISTAKES[mistake](c, args)
    if changed is None:
        return None
    with guarded(lambda finding: None) as seen, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torchs = "silent"
        try:
            loss = call(**changed)
            torchs = "warns" if said else "silent"
            if loss.requires_grad and loss.device.type != "meta":
                (loss.sum() if loss.dim() else loss).backward()
        except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError):
            torchs = "raises" if torchs == "silent" else "backward raises"
    return torchs, sorted({f.code for f in seen.findings})


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("c", contracts.ALL, ids=lambda c: c.key)
def test_no_cell_is_silent_on_both_sides(c: LossContract, mistake: str) -> None:
    found = cell(c, mistake)
    if found is None:
        pytest.skip("no such mistake")
    torchs, codes = found
    if (c.key, mistake) in FINE:
        assert (torchs, codes) == ("silent", [])
    else:
        assert codes, f"torch {torchs}"
    assert findings.broken() == []


@pytest.mark.parametrize("c", contracts.ALL, ids=lambda c: c.key)
def test_the_right_call_is_silent(c: LossContract) -> None:
    call, args = right(c)
    with guarded(lambda finding: None) as seen:
        for _ in range(4):
            loss = call(**args)
    assert torch.isfinite(loss).all()
    assert [f for f in seen.findings if f.code not in ("TLL109", "TLL504")] == []
    assert sum(site.calls for site in seen.sites.values()) == 4


def main() -> None:
    print("| loss | " + " | ".join(MISTAKES) + " |")
    print("| --- |" + " --- |" * len(MISTAKES))
    for c in contracts.ALL:
        row = []
        for mistake in MISTAKES:
            found = cell(c, mistake)
            row.append("-" if found is None else f"{found[0]}: {' '.join(found[1]) or 'silent'}")
        print(f"| {c.key} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
