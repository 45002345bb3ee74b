"""Losses without class weights: counted in the summary, listed only where that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli import real

PROGRAM = """
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Linear(4, 3)
x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
F.cross_entropy(model(x), y)
nn.CrossEntropyLoss()(model(x), y)
nn.CrossEntropyLoss(torch.ones(3))(model(x), y)
nn.MSELoss()(model(x), torch.randn(8, 3))
with torch.no_grad():
    F.cross_entropy(model(x), y)
"""
LINE = "classification losses without class weights: 2 (--select TLL401 lists them)"


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "train.py"
    path.write_text(PROGRAM)
    return str(path)


def test_they_are_counted_and_not_listed(program: str) -> None:
    result = real("--no-cache", program)
    assert result.returncode == 0
    assert LINE in result.stdout
    assert "[note]" not in result.stdout


@pytest.mark.parametrize("selector", ["TLL401", "missing-class-weights", "ALL"])
def test_they_are_listed_where_the_rule_is_selected(program: str, selector: str) -> None:
    result = real("--no-cache", "--select", selector, program)
    assert result.returncode == 0, "a note does not fail a run"
    listed = [line.split(":")[1] for line in result.stdout.splitlines() if "TLL401 missing" in line]
    assert listed == ["8", "9"]
    assert LINE not in result.stdout


def test_nothing_is_counted_where_the_rule_is_ignored(program: str) -> None:
    result = real("--no-cache", "--ignore", "TLL401", program)
    assert "class weights" not in result.stdout
