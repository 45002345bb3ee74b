"""TLL508 says how long a sum of losses grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "tll508_graph_accumulation"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("wrong_sum_begun_anew.py", "memory grows until the sum is begun anew."),
        ("wrong_running_total.py", "memory grows all through the loop."),
        ("wrong_sum_of_an_inner_loop.py", "memory grows all through the loop."),
    ],
)
def test_how_long_it_grows(program: str, words: str) -> None:
    findings = lint([str(FIXTURES / program)], Settings(no_cache=True, select=("TLL508",))).findings
    assert findings
    assert all(f.message.endswith(words) for f in findings)
