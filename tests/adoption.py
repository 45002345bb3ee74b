"""A small project with findings, and the command line run in this process: for the tests of settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from torchlosslint.cli.main import main

# Softmax before cross-entropy: TLL101 in line 6, its cause in line 5.
WRONG = """\
import torch.nn as nn
import torch.nn.functional as F
layer = nn.Linear(4, 3)
def step(x, y):
    p = F.softmax(layer(x), dim=1)
    return nn.CrossEntropyLoss()(p, y)
"""
# A sigmoid before the loss that applies it itself: TLL104 in line 4.
OTHER = """\
import torch, torch.nn as nn
layer = nn.Linear(4, 3)
def step(x, y):
    return nn.BCEWithLogitsLoss()(torch.sigmoid(layer(x)), y)
"""


class Outcome(NamedTuple):
    """What one run said."""

    status: int
    out: str
    err: str

    @property
    def found(self) -> list[str]:
        """`path:line code` of each finding of a run with --format json."""
        findings = json.loads(self.out)["findings"]
        return [f"{f['path']}:{f['line']} {f['code']}" for f in findings]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings of a run with --format json."""
        result: list[dict[str, Any]] = json.loads(self.out)["findings"]
        return result


class Project:
    """The working directory of one test."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def write(self, **files: str) -> None:
        """Files by name; `__` is a slash, and the suffix is .py where there is none."""
        for name, text in files.items():
            self.put(name.replace("__", "/") + ".py", text)

    def put(self, path: str, text: str | bytes) -> None:
        """One file."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(text.encode() if isinstance(text, str) else text)

    def run(self, *args: str) -> Outcome:
        """The command line."""
        self.capsys.readouterr()
        status = main(list(args))
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err
        assert "internal error" not in said.err
        return Outcome(status, said.out, said.err)

    def json(self, *args: str) -> Outcome:
        """The command line with --format json."""
        return self.run("--format", "json", *args)

    def found(self, *args: str) -> list[str]:
        """What is found."""
        return self.json(*args).found

    def fails(self, *args: str) -> str:
        """What a run that cannot be done says."""
        outcome = self.run(*args)
        assert outcome.status == 2, outcome
        assert outcome.out == ""
        return outcome.err


@pytest.fixture(name="project")
def project_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """An empty project in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Project(capsys)
