"""TLL116 says which function the log is taken of, whatever numbers of it were picked."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint

HEAD = """
import torch
scores = torch.nn.Linear(4, 4)(torch.rand(4, 4))
p, s = scores.softmax(dim=1), scores.sigmoid()
at = torch.zeros(4, 1, dtype=torch.int64)
"""
SOFTMAX = """
    p.diagonal() | torch.diag(p) | p.tril() | p.gather(1, at) | torch.take_along_dim(p, at, 1)
    p.index_select(1, at[:, 0]) | p.masked_select(p > 0.1) | p.topk(2).values | p.narrow(1, 0, 2)
    p.select(1, 0) | p.unbind(1)[0] | p[:, 0] | p.take(at) | p.amax(1) | p.sort(1)[0] | p.sqrt()
"""
WORDS = [
    *((one.strip(), "a softmax") for line in SOFTMAX.strip().splitlines() for one in line.split("|")),
    ("1 - p", "1 - softmax(x)"),
    ("1 - p.diagonal()", "1 - softmax(x)"),
    ("1 - p.clamp(0.01, 0.99)", "1 - softmax(x)"),
    ("s.diagonal()", "a sigmoid"),
    ("1 - s", "1 - sigmoid(x)"),
    ("1 - s.clamp(0.01, 0.99)", "1 - sigmoid(x)"),
    ("(1 - s).diagonal()", "1 - sigmoid(x)"),
]


@pytest.mark.parametrize(("of", "words"), WORDS)
def test_the_log_is_of(of: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "main.py"
    path.write_text(f"{HEAD}torch.log({of})\n")
    (found,) = lint([str(path)], Settings(no_cache=True, select=("TLL116",))).findings
    assert found.message.startswith(f"The log of {words} in two steps")
