"""What happens around a loss in a training step: sums, lists, backward, averages."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint

HEAD = """
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
net, criterion = nn.Linear(3, 2), nn.CrossEntropyLoss()
batches = [(torch.randn(4, 3), torch.zeros(4).long())] * 3
"""


def found(folder: Path, text: str) -> list[tuple[str, int, str]]:
    """Code, line of the program below the head, and severity of each finding of the TLL5 family."""
    (folder / "main.py").write_text(HEAD + dedent(text))
    report = lint([folder], Settings(no_cache=True, select=("TLL5",)))
    assert not report.skipped
    return [(f.code, f.location.line - HEAD.count("\n") - 1, f.severity) for f in report.findings]


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    program = """
        kept = []
        kept.append(kept)
        held = {"all": kept}
        held["self"] = held
        for x, y in batches:
            loss = criterion(net(x), y)
            loss.backward()
            kept.append(loss)
            print(held)
        """
    assert found(tmp_path, program) == [("TLL508", 8, "warning")]


def test_a_loss_of_a_library_that_is_not_followed(tmp_path: Path) -> None:
    program = """
        from somewhere import load
        model, total = load(), 0
        for x, y in batches:
            loss = model(x, labels=y).loss
            loss.backward()
            total += loss
            good = 0.9 * loss.item()
        """
    assert found(tmp_path, program) == [("TLL508", 6, "warning")]


@pytest.mark.parametrize(
    "step",
    [
        "loss.backward(retain_graph=True)\n    total += loss\ntotal.backward()",
        "total += loss.detach()\n    loss.backward()",
        "total += loss\ntotal.backward()",
        "total += loss\ntorch.autograd.backward(total)",
        "total += loss\ntorch.autograd.grad(total, net.parameters())",
        "total += loss\n(total / 3).backward()",
        "losses.append(loss)\nsum(losses).backward()",
        "losses.append(loss)\ntorch.stack(losses).mean().backward()",
        "losses = losses + [loss]\ntorch.stack(losses).sum().backward()",
    ],
)
def test_sums_that_are_meant(tmp_path: Path, step: str) -> None:
    program = "total, losses = 0, []\nfor x, y in batches:\n    loss = criterion(net(x), y)\n    " + step
    assert found(tmp_path, program) == []


@pytest.mark.parametrize(
    ("body", "findings"),
    [
        ("scaler.scale(loss).backward()", [("TLL508", 7, "warning")]),
        ("accelerator.backward(loss)", [("TLL508", 7, "warning")]),
        ("pass", [("TLL508", 7, "error")]),
    ],
)
def test_backward_in_other_spellings(tmp_path: Path, body: str, findings: list[tuple[str, int, str]]) -> None:
    program = f"""
from accelerate import Accelerator
accelerator, scaler, total = Accelerator(), torch.cuda.amp.GradScaler(), 0
loader = DataLoader(TensorDataset(torch.randn(9, 3), torch.zeros(9).long()), batch_size=3)
for x, y in loader:
    loss = criterion(net(x), y)
    {body}
    total += loss
print(f"{{float(total)}}")
"""
    assert found(tmp_path, program) == findings


@pytest.mark.parametrize(
    "mode", ["torch.no_grad()", "torch.inference_mode()", "torch.set_grad_enabled(False)"]
)
def test_modes_without_a_graph(tmp_path: Path, mode: str) -> None:
    program = f"""
total = 0
loader = DataLoader(TensorDataset(torch.randn(9, 3), torch.zeros(9).long()), batch_size=3)
with {mode}:
    for x, y in loader:
        total += criterion(net(x), y)
print(total)

@{mode}
def check():
    total = 0
    for x, y in loader:
        total += criterion(net(x), y)
    return total
print(check())
"""
    assert found(tmp_path, program) == []


def test_an_unreduced_loss_is_reduced_before_backward(tmp_path: Path) -> None:
    program = """
        x, y = batches[0]
        each = F.cross_entropy(net(x), y, reduction="none")
        each.unsqueeze(1).backward()
        (each * y).sum().backward()
        each[0].backward()
        each.backward(torch.ones(4))
        """
    assert found(tmp_path, program) == [("TLL506", 3, "error")]
