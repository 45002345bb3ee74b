"""The hook, by a real `pre-commit try-repo` in a repository made for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL = """\
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)
    def forward(self, x):
        return self.head(x)
"""
TRAIN = """\
import torch, torch.nn as nn
from lib.net import Net
loss = nn.CrossEntropyLoss()(Net()(torch.randn(2, 4)), torch.tensor([0, 1]))
"""
ALONE = """\
import torch, torch.nn as nn
loss = nn.BCEWithLogitsLoss()(torch.sigmoid(nn.Linear(4, 3)(torch.randn(2, 4))), torch.ones(2, 3))
"""


def git(*args: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], check=True, capture_output=True
    )


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which all is well, as the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, text in {"lib/net.py": MODEL, "tools/train.py": TRAIN}.items():
        Path(name).parent.mkdir()
        Path(name).write_text(text)
    Path("lib", "net.pyi").write_text("class Net: ...\n")
    git("init", "-q", ".")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path


def test_the_hook_reads_the_repository_along(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("pre_commit")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    # The repository that pre-commit clones: what there is now, committed or not.
    source = tmp_path_factory.mktemp("hooks") / "torchlosslint"
    unwanted = shutil.ignore_patterns(
        ".*_cache", ".venv*", "__pycache__", "*.egg-info", "fixtures", "tests", "build"
    )
    shutil.copytree(
        ROOT, source, ignore=lambda folder, names: {*unwanted(folder, names), ".git"} & set(names)
    )
    git("init", "-q", str(source))
    git("-C", str(source), "add", "-A")
    git("-C", str(source), "commit", "-q", "-m", "all")
    home = tmp_path_factory.mktemp("home")

    def hook(*args: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pre_commit",
                "try-repo",
                str(source),
                "torchlosslint",
                "--verbose",
                *args,
            ],
            env={**os.environ, "PRE_COMMIT_HOME": str(home), "NO_COLOR": "1", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if "No matching distribution found" in done.stdout + done.stderr:
            pytest.skip("no package index to install the hook from")
        return done

    done = hook("--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 files checked" in done.stdout  # the stub is none of them

    # The cause comes into one file, the loss is in another; a mistake elsewhere is not part of the commit.
    Path("lib", "net.py").write_text(
        MODEL.replace("nn.Linear(4, 3)", "nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))")
    )
    Path("tools", "alone.py").write_text(ALONE)
    cells: list[dict[str, object]] = [
        {"cell_type": "code", "source": ALONE, "metadata": {}, "outputs": [], "execution_count": None}
    ]
    Path("a.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    git("add", "lib")
    done = hook()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tools/train.py:3:8: TLL101 softmax-before-cross-entropy" in done.stdout
    assert "TLL104" not in done.stdout

    done = hook("--files", "a.ipynb")
    assert done.returncode == 1
    assert "a.ipynb:cell 1:2:8: TLL104" in done.stdout


def test_the_hook_s_description() -> None:
    yaml = pytest.importorskip("yaml")
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["id"] == "torchlosslint"
    assert hook["types_or"] == ["python", "jupyter"]
    assert hook["exclude_types"] == ["pyi"]
    assert hook["require_serial"] is True
