"""The GitHub Action: its script is run as the runner would, its description is held against the script."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / ".ci" / "action.sh"
WRONG = """\
import torch
import torch.nn as nn

net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
loss = nn.CrossEntropyLoss()(net(torch.randn(2, 4)), torch.tensor([0, 1]))
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my code").mkdir()
    (tmp_path / "my code" / "train.py").write_text(WRONG)
    (tmp_path / "fine").mkdir()
    (tmp_path / "fine" / "a.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str = "", **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """The script's process, its outputs, and the summary of the job."""
    Path("out.txt").write_text("")
    Path("summary.md").write_text("")
    env = {key: value for key, value in os.environ.items() if not key.startswith("INPUT_")}
    env |= {f"INPUT_{key.upper()}": value for key, value in inputs.items()}
    env["TORCHLOSSLINT"] = command or str(Path(sys.executable).with_name("torchlosslint"))
    env |= {"GITHUB_OUTPUT": "out.txt", "GITHUB_STEP_SUMMARY": "summary.md", "PYTHONUTF8": "1"}
    done = subprocess.run(["bash", str(SCRIPT)], env=env, capture_output=True, text=True, timeout=120)
    outputs = dict(line.split("=", 1) for line in Path("out.txt").read_text().splitlines())
    return done, outputs, Path("summary.md").read_text("utf-8")


def test_findings_are_annotated_uploaded_and_summed_up() -> None:
    done, outputs, summary = run(sarif="found.sarif")
    assert done.returncode == 0, done.stderr
    assert outputs == {"status": "1", "sarif": "found.sarif"}
    assert "file=my code/train.py,line=5" in done.stdout
    results = json.loads(Path("found.sarif").read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["TLL101"]
    assert "my code/train.py:5:8: TLL101 softmax-before-cross-entropy [error]" in summary
    assert "\x1b" not in summary


def test_paths_and_options_are_one_a_line() -> None:
    _, outputs, _ = run(paths="  my code\n\n  fine\n", args="--select=TLL5\n--confidence\ncertain\n")
    assert outputs["status"] == "0"
    _, outputs, _ = run(paths="my code")
    assert outputs["status"] == "1"


def test_nothing_found() -> None:
    _, outputs, summary = run(paths="fine")
    assert outputs == {"status": "0", "sarif": "torchlosslint.sarif"}
    assert "no findings" in summary


@pytest.mark.parametrize(
    "inputs", [{"paths": "no such"}, {"args": "--select=TLL1O1"}, {"command": "no-such"}]
)
def test_a_failed_run_uploads_nothing(inputs: dict[str, str]) -> None:
    Path("torchlosslint.sarif").write_text("{}")  # of an earlier run
    done, outputs, summary = run(**inputs)
    assert done.returncode == 0
    assert outputs == {"status": "2", "sarif": ""}
    assert done.stderr
    assert "The run failed" in summary


def test_the_description_matches_the_script() -> None:
    yaml = pytest.importorskip("yaml")
    action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    steps = action["runs"]["steps"]
    text = json.dumps(steps)
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(action["inputs"])
    lint = next(step for step in steps if step.get("id") == "lint")
    used = set(re.findall(r"\$\{(TORCHLOSSLINT|INPUT_\w+)\b", SCRIPT.read_text("utf-8")))
    assert used == set(lint["env"])
    assert all("shell" in step for step in steps if "run" in step)
    assert all("description" in about for about in (*action["inputs"].values(), *action["outputs"].values()))
    # What code scanning gets, it gets before the findings fail the job.
    upload = next(i for i, step in enumerate(steps) if "upload-sarif" in step.get("uses", ""))
    assert upload < len(steps) - 1
    assert "exit" in steps[-1]["run"]
