"""The package of docs/plugins.md, written out as it stands there, installed, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "plugins.md"
PROGRAM = """\
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return torch.sigmoid(self.head(x))


net = Net()
x, y = torch.randn(8, 4), torch.rand(8, 1)
first = F.mse_loss(net(x), y)
second = nn.MSELoss(reduction="sum")(net.head(x), y)
"""


def files() -> dict[str, str]:
    """The files of the page: each block of code below the name of its file."""
    text = PAGE.read_text("utf-8")
    return dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package was installed by pip."""
    source, target = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    for name, text in files().items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    # torchlosslint is there already.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    done = subprocess.run([*pip, str(source)], capture_output=True, text=True, timeout=300)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("no package index to build with")
    assert done.returncode == 0, done.stderr
    return target


def tool(site: Path, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line where the package is installed."""
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH", ""))))
    return subprocess.run(
        [sys.executable, "-m", "torchlosslint", *args],
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_page_has_the_whole_package() -> None:
    assert set(files()) == {
        "pyproject.toml",
        "acme_loss_rules/__init__.py",
        "acme_loss_rules/summed_loss.py",
        "acme_loss_rules/sigmoid_into_distance.py",
    }


def test_its_rules_are_listed_and_explained(site: Path) -> None:
    listed = json.loads(tool(site, "rules", "--format", "json").stdout)
    assert {"ACME001", "ACME002", "TLL101"} <= {rule["code"] for rule in listed}
    shown = tool(site, "explain", "summed-loss").stdout
    assert shown.startswith("ACME001 summed-loss (warning)\n")
    assert "Our learning rates are tuned for means." in " ".join(shown.split())


def test_its_rules_report_with_the_way_of_the_value(site: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    done = tool(site, "--select", "ACME", "--format", "json", "train.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)["findings"]
    assert [(f["code"], f["line"]) for f in found] == [("ACME002", 17), ("ACME001", 18)]
    assert [step["line"] for step in found[0]["flow"]] == [12]
    assert not json.loads(
        tool(site, "--ignore", "ACME", "--format", "json", "train.py", cwd=tmp_path).stdout
    )["findings"]


def test_the_test_of_the_page_passes(site: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "test_rules.py").write_text(blocks[-1])
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_rules.py"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named"),
        ("def rules():\n    return [1]\n", "'code'"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(site: Path, tmp_path: Path, broken: str, why: str) -> None:
    for path in site.iterdir():
        if path.suffix == ".dist-info":
            shutil.copytree(path, tmp_path / path.name)
    (tmp_path / "acme_loss_rules.py").write_text(broken)
    (tmp_path / "train.py").write_text(PROGRAM)
    for args in (["train.py"], ["rules"], ["explain", "TLL101"]):
        done = tool(tmp_path, *args, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith(
            "Error: the rules of acme-loss-rules (acme_loss_rules:rules) cannot be loaded: "
        )
        assert why in done.stderr
        assert done.stderr.count("\n") == 1
