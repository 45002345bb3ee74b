"""The codes that only the guard gives: what is said, that it is true of torch, and that the docs say it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch.nn import functional as F

from torchlosslint.report.guarded import of_the_guard
from torchlosslint.runtime import findings, guarded

DOCS = Path(__file__).parent.parent / "docs" / "runtime.md"
SCORES, LABELS = torch.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 3.0]]), torch.tensor([1, 2])


def ctc(frames: int, labels: int) -> torch.Tensor:
    log_probs = torch.zeros(9, 2, 30).log_softmax(-1)
    lengths = torch.tensor([[9, frames], [3, labels]])
    return F.ctc_loss(log_probs, torch.ones(2, 12).long(), lengths[0], lengths[1])


def nan_in(tensor: torch.Tensor) -> torch.Tensor:
    found = tensor.clone()
    found.view(-1)[0] = math.nan
    return found


class Unread(torch.Tensor):
    """A subclass whose numbers the guard leaves alone, and whose results are plain tensors."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]


# A call; its code; words of the message; what torch gives ("raises", or how the number is).
Case = tuple[Callable[[], Any], str, str, Callable[[float], bool] | None]
CASES: dict[str, Case] = {
    "nan": (
        lambda: F.cross_entropy(nan_in(SCORES), LABELS),
        "TLL701",
        "The input of F.cross_entropy has 1 NaN and 0 inf",
        math.isnan,
    ),
    "nan in the target": (
        lambda: F.mse_loss(SCORES, nan_in(SCORES)),
        "TLL701",
        "The target of F.mse_loss has 1 NaN",
        math.isnan,
    ),
    "all ignored": (
        lambda: F.cross_entropy(SCORES, torch.full((2,), 255), ignore_index=255),
        "TLL702",
        "Every target that F.cross_entropy gets in this batch is ignore_index (255): the mean over nothing",
        math.isnan,
    ),
    "too many labels": (
        lambda: ctc(9, 12),
        "TLL703",
        "F.ctc_loss gets more labels than time steps in 1 of 2 samples (first: 12 in 9): their loss is inf",
        math.isinf,
    ),
    "too long": (lambda: ctc(36, 3), "TLL703", "input length of 36, longer than the 9 time steps", None),
    "negative": (
        lambda: F.binary_cross_entropy_with_logits(
            torch.tensor([4.0, -4.0]), torch.tensor([255.0, 0.0]).as_subclass(Unread)
        ),
        "TLL704",
        "F.binary_cross_entropy_with_logits is -",
        lambda loss: loss < 0,
    ),
    "device": (
        lambda: F.cross_entropy(SCORES, LABELS.to("meta")),
        "TLL705",
        "The target of F.cross_entropy is on meta, the input on cpu.",
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_message_names_the_culprit(name: str) -> None:
    call, code, words, gives = CASES[name]
    with guarded(lambda finding: None) as seen:
        if gives is None:
            with pytest.raises((RuntimeError, ValueError, NotImplementedError)):
                call()
        else:
            assert gives(call().item())
    (found,) = [f for f in seen.findings if f.code == code] or [None]
    assert found is not None, [str(f) for f in seen.findings]
    assert words in found.message
    assert 1 <= found.message.count(". ") + found.message.endswith(".") <= 2
    assert found.help.endswith(".")
    assert findings.broken() == []


def test_a_batch_of_ignored_targets_is_fine_where_it_is_summed() -> None:
    with guarded(lambda finding: None) as seen:
        assert F.cross_entropy(SCORES, torch.full((2,), -100), reduction="sum") == 0
    assert seen.findings == []


def test_the_docs_list_each_code_with_its_name() -> None:
    page = DOCS.read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| TLL7")]
    assert [row.split("|")[1].strip() for row in rows] == [f"{r.code} {r.name}" for r in of_the_guard()]
    assert {code for _, code, _, _ in CASES.values()} == {rule.code for rule in of_the_guard()}
