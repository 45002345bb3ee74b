"""A program from standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from adoption import WRONG, Project, project_

MODEL = """\
import torch.nn.functional as F
def scores(x):
    return F.softmax(x, dim=1)
"""
TRAIN = """\
import torch, torch.nn as nn
from net import scores
loss = nn.CrossEntropyLoss()(scores(torch.randn(2, 4)), torch.tensor([0, 1]))
"""

__all__ = ["project_"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> type[Typed]:
    Typed.monkeypatch = monkeypatch
    return Typed


class Typed:
    """What standard input holds."""

    monkeypatch: pytest.MonkeyPatch

    def __init__(self, data: str | bytes) -> None:
        raw = io.BytesIO(data.encode() if isinstance(data, str) else data)
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))


def test_findings_name_the_file_and_quote_what_came_in(project: Project, typed: type[Typed]) -> None:
    typed(WRONG)
    out = project.run("-", "--stdin-filename", "src/train.py").out
    assert out.startswith("src/train.py:6:12: TLL101")
    assert "6 |     return nn.CrossEntropyLoss()(p, y)" in out
    assert not Path("src").exists()


def test_what_came_in_counts_and_not_what_the_file_holds(project: Project, typed: type[Typed]) -> None:
    project.write(train="x = 1\n")
    typed(WRONG)
    assert project.found("--stdin-filename", "train.py", "-") == ["train.py:6 TLL101"]
    project.write(train=WRONG)
    typed("x = 1\n")
    assert project.found("--stdin-filename", "train.py", "-") == []
    assert project.found("train.py") == ["train.py:6 TLL101"]


def test_imports_are_resolved_beside_the_name(project: Project, typed: type[Typed]) -> None:
    project.write(lib__net=MODEL)
    typed(TRAIN)
    assert project.found("-", "--stdin-filename", "lib/train.py") == ["lib/train.py:3 TLL101"]
    typed(TRAIN)
    assert project.found("-", "--stdin-filename", "elsewhere/train.py") == []


def test_the_project_sees_what_came_in(project: Project, typed: type[Typed]) -> None:
    project.write(net="def scores(x):\n    return x\n", train=TRAIN)
    typed(MODEL)
    assert project.found("--project", ".", "-", "--stdin-filename", "net.py") == ["train.py:3 TLL101"]


def test_without_a_name(project: Project, typed: type[Typed]) -> None:
    typed(WRONG)
    assert project.found("-") == ["<stdin>:6 TLL101"]


def test_a_notebook(project: Project, typed: type[Typed]) -> None:
    cells = [{"cell_type": "code", "source": WRONG, "metadata": {}}]
    typed(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    (finding,) = project.json("-", "--stdin-filename", "a.ipynb").findings
    assert (finding["path"], finding["cell"], finding["line"]) == ("a.ipynb", 1, 6)


def test_bytes_that_are_no_program(project: Project, typed: type[Typed]) -> None:
    typed(b"\xff\xfe\0")
    assert project.found("-", "--stdin-filename", "a.py") == ["a.py:1 TLL001"]
    typed("")
    assert project.found("-") == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-", "train.py"], "- stands alone"),
        (["--stdin-filename", "a.py", "train.py"], "give - as the PATH"),
        (["-", "--watch"], "--watch needs files"),
        (["-", "--add-ignores", "known"], "--add-ignores needs files"),
        (["-", "--stdin-filename", "."], "names a folder"),
    ],
)
def test_what_cannot_be_had(project: Project, typed: type[Typed], args: list[str], message: str) -> None:
    project.write(train=WRONG)
    typed(WRONG)
    assert message in project.fails(*args)
