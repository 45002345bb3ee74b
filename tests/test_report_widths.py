"""What a terminal of 80 and of 160 columns shows, kept as text: long lines, tabs, wide characters, paths.

`python tests/test_report_widths.py` writes the snapshots anew; read them yourself before you commit.
"""

from __future__ import annotations

import os
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.report.base import Options, renderer
from torchlosslint.report.display import cut, width, wrap

SNAPSHOTS = Path(__file__).parent / "resources" / "terminal"
FOLDER = "experiments/一つの長い名前のフォルダ/and_one_more_that_is_rather_long"
LONG = f"{FOLDER}/train_the_network_of_the_department.py"
FILES = {
    "models/net.py": """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), \
nn.Linear(128, 10), nn.Softmax(1))

    def forward(self, images):
        return self.layers(images)
""",
    LONG: """\
import torch
from torch import nn
from models.net import Net
网络 = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())  # 模型 🔥🔥 网络
def step(x, y):
\t損失 = nn.BCEWithLogitsLoss()(网络(x), y)\t# tab\tafter, 損失を計算する 🔥
\tresult = {"first": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "loss": nn.CrossEntropyLoss()(Net()(x), y), \
"second": "and more after that", "third": "and still more", "fourth": 4}
\treturn nn.CrossEntropyLoss(
\t\tignore_index=-100)(Net()(x.float().view(-1, 28, 28).contiguous()), y)
def own(scores, y):
\treturn nn.CrossEntropyLoss()(scores, y)
""",
    "broken.py": "import torch.nn as nn\nloss = nn.CrossEntropyLoss(\n",
    "kept.py": "x = 1  # torchlosslint: ignore[softmax-before-crossentropy] the head is frozen\n",
}


def rendered(form: str, columns: int) -> str:
    """What is printed about the files, which are written into the working directory."""
    for name, text in FILES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    report = lint(["."], Settings(no_cache=True, verbose=True))
    options = Options(verbose=True, width=columns, statistics=True, terminal=True)
    return "".join(renderer(form)(report, options))


@pytest.mark.parametrize(("form", "columns"), [("text", 80), ("text", 160), ("concise", 80)])
def test_what_a_terminal_shows(
    form: str, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = rendered(form, columns)
    if form == "text":
        # Wider is only what has a path in it, which nothing may break.
        wide = [line for line in shown.splitlines() if width(line) > columns]
        assert all(LONG in line for line in wide), wide
    kept = SNAPSHOTS / f"{form}-{columns}.txt"
    assert shown == kept.read_text("utf-8"), (
        "run: python tests/test_report_widths.py, and look at what changed"
    )


def test_carets_stand_below_what_they_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In cells of the terminal, where 損失 takes four."""
    monkeypatch.chdir(tmp_path)
    lines = rendered("text", 160).splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("  6 |")]
    code, carets = lines[at], lines[at + 1]
    cells = "".join(char * (2 if unicodedata.east_asian_width(char) in "WF" else 1) for char in code)
    start, end = carets.index("^"), carets.rindex("^") + 1
    assert cells[start:end].startswith("nn.BCEWithLogitsLoss()(")
    assert cells[start:end].endswith("(x), y)")


def test_words_are_measured_in_cells() -> None:
    assert list(wrap("損失 損失 ab", 24, "    ")) == ["    損失 損失 ab"]
    assert list(wrap("損失 " * 5, 24, "    ")) == ["    損失 損失 損失 損失", "    損失"]
    assert list(wrap("one/very/long/path/that/nothing/may/break says", 24, "    ")) == [
        "    one/very/long/path/that/nothing/may/break",
        "    says",
    ]
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "…cdefg"
    assert width(cut("損失を計算する", 6)) <= 6


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    SNAPSHOTS.mkdir(exist_ok=True)
    for each, number in (("text", 80), ("text", 160), ("concise", 80)):
        (SNAPSHOTS / f"{each}-{number}.txt").write_text(rendered(each, number), encoding="utf-8")
    sys.exit(0)
