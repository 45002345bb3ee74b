"""How the cost of torchlosslint grows with the code it is given, from ten thousand to millions of lines.

    python benchmarks/linear.py --source FOLDER [--lines 10000,100000,1000000] [--program 10000,100000]
                                [--cached 1000000] [--changed N] [--tools FOLDER]
                                [--json FILE] [--plot FILE]

Trees are made of whole subfolders of --source (say, one folder a repository), copied until the lines are
reached, and once more under another name where there are too few. --program makes trees of its own: one
program, each of whose files imports another. Each is linted cold, in a child process, one after the other.

    lines, files, parsed   of the tree; parsed are the files that the linter had to read closely
    CPU s, us a line       of the whole child process, start included
    wall s, peak MB        of the same

For the tree of --cached lines it is also measured what a run takes that fills the cache (`first`), one in
which nothing changed (`warm`), one after a comment was added to N parsed files (`changed`), and
`ruff check --isolated --no-cache` over the same tree, where ruff is installed (or in --tools).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import child
from speed import tool_path

OVER = 1.05  # a subfolder that brings a tree over so much of its lines is passed over
HEAD = "| tree | lines | files | parsed | step | CPU s | us a line | wall s | peak MB |"


@dataclass(frozen=True)
class Row:
    """What one run over one tree took."""

    tree: str
    lines: int
    files: int
    parsed: int
    step: str
    cpu: float
    wall: float
    peak: int

    def markdown(self) -> str:
        """A line of the table."""
        start = f"| {self.tree} | {self.lines:,} | {self.files:,} | {self.parsed:,} | {self.step} "
        a_line, peak = self.cpu * 1e6 / self.lines, self.peak / 1e6
        return f"{start}| {self.cpu:.2f} | {a_line:.1f} | {self.wall:.2f} | {peak:.0f} |"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time and memory against lines of code.")
    parser.add_argument("--source", type=Path, help="folder whose subfolders are what trees are made of")
    parser.add_argument("--lines", default="10000,30000,100000,300000,1000000", help="sizes of trees")
    parser.add_argument("--program", default="10000,30000,100000", help="sizes of generated programs")
    parser.add_argument("--cached", type=int, default=1_000_000, help="size at which the cache is measured")
    parser.add_argument("--changed", type=int, default=10, metavar="N", help="files to change")
    parser.add_argument("--tools", type=Path, action="append", default=[], help="where to look for ruff")
    parser.add_argument("--seed", type=int, default=1, help="which subfolders come first")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--plot", type=Path, help="draw them there (.svg or .png; needs matplotlib)")
    options = parser.parse_args()
    if options.source is not None and not options.source.is_dir():
        parser.error(f"no such folder: {options.source}")
    rows: list[Row] = []
    print(HEAD)
    print("|---|---:|---:|---:|---|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, size in _trees(options):
            tree = Path(scratch) / "tree"
            if name == "program":
                lines = generated(tree, size)
            else:
                lines = copied(options.source, tree, size, options.seed)
            for row in measured(name, tree, lines, size == options.cached, options.changed, options.tools):
                rows.append(row)
                print(row.markdown(), flush=True)
            shutil.rmtree(tree)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if options.plot is not None:
        plot(rows, options.plot)
    return 0


def _trees(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    if options.source is not None:
        yield from (("repositories", int(size)) for size in options.lines.split(",") if size)
    yield from (("program", int(size)) for size in options.program.split(",") if size)


# ---- trees


def copied(source: Path, tree: Path, lines: int, seed: int) -> int:
    """Make a tree of the .py files of whole subfolders; the number of its lines."""
    folders = sorted(path for path in source.iterdir() if path.is_dir())
    random.Random(seed).shuffle(folders)
    total, turn = 0, 0
    tree.mkdir()
    while total < lines:
        turn += 1
        before = total
        for folder in folders:
            texts = _texts(folder)
            count = sum(text.count(b"\n") for text in texts.values())
            if not count or total + count > lines * OVER:
                continue
            for path, text in texts.items():
                target = tree / (folder.name if turn == 1 else f"{folder.name}-{turn}") / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text)
            total += count
            if total >= lines:
                break
        if total == before:
            break
    return total


def _texts(folder: Path) -> dict[Path, bytes]:
    found = sorted(path for path in folder.rglob("*.py") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder): path.read_bytes() for path in found}


MODEL = '''"""Part {n} of a program that was generated."""

import torch
from torch import nn
from torch.nn import functional as F
{imported}

class Block{n}(nn.Module):
    """A layer, on top of another one."""

    def __init__(self, width: int = {width}, dropout: float = 0.1) -> None:
        super().__init__()
        self.below = {below}
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, {classes})

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the head looks at."""
        x = self.below(x) if isinstance(self.below, nn.Identity) else self.below.features(x)
        y = F.relu(self.first(x))
        y = self.dropout(self.second(y))
        return self.norm(x + y)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        return self.head(self.features(x))


def accuracy{n}(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """The share that is right."""
    right = 0
    for row, label in zip(scores.argmax(dim=1), labels):
        if row == label:
            right += 1
    return right / max(1, len(labels))


def train{n}(batches, epochs: int = {epochs}, rate: float = 1e-3) -> float:
    """Train one block, and say how large its loss was."""
    model = Block{n}()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    total = 0.0
    for epoch in range(epochs):
        model.train()
        for inputs, labels in batches:
            optimizer.zero_grad()
            scores = model(inputs)
            loss = criterion(scores, labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return total
'''


def generated(tree: Path, lines: int) -> int:
    """Make a tree that is one program: each file builds on another, a few steps from the first."""
    package = tree / "program"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    total, number = 0, 0
    while total < lines:
        under = (number - 1) // 2
        text = MODEL.format(
            n=number,
            imported=f"from program.part{under} import Block{under}\n" if number else "",
            below=f"Block{under}(width, dropout)" if number else "nn.Identity()",
            width=64 + number % 64,
            classes=2 + number % 9,
            epochs=1 + number % 5,
        )
        (package / f"part{number}.py").write_text(text)
        total += text.count("\n")
        number += 1
    return total


# ---- measuring


def measured(
    name: str, tree: Path, lines: int, is_cached: bool, changed: int, tools: list[Path]
) -> Iterator[Row]:
    """The rows of one tree."""
    check = ["-m", "torchlosslint", "check", tree.name, "--isolated", "--jobs", "1"]
    check += ["--format", "json", "--exit-zero"]

    def row(step: str, cost: child.Cost) -> Row:
        if cost.status != 0:
            raise SystemExit(f"{step} ended with status {cost.status}\n{cost.errors[-4000:]}")
        summary = json.loads(cost.output)["summary"]
        files, parsed = summary["files_checked"], summary["files_parsed"]
        return Row(name, lines, files, parsed, step, cost.cpu, cost.wall, cost.peak)

    yield row("cold", child.run([*check, "--no-cache"], tree.parent))
    if not is_cached:
        return
    record = tree.parent / "record.json"
    cache = tree.parent / ".torchlosslint_cache"
    shutil.rmtree(cache, ignore_errors=True)
    yield row("first", child.run(check, tree.parent))
    yield row("warm", child.run(check, tree.parent))
    yield row("warm", child.run(check, tree.parent))
    child.run([str(child.RECORDED), str(record), *check[2:], "--no-cache"], tree.parent)
    needed = [tree.parent / path for path, _ in json.loads(record.read_text())]
    for path in needed[:: max(1, len(needed) // changed)][:changed]:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n# changed\n")
    yield row("changed", child.run(check, tree.parent))
    shutil.rmtree(cache, ignore_errors=True)
    ruff = tool_path("ruff", tools)
    if ruff is not None:
        arguments = ["check", "--isolated", "--no-cache", "--exit-zero", "--quiet", tree.name]
        cost = child.run(arguments, tree.parent, ruff)
        yield Row(name, lines, 0, 0, "ruff", cost.cpu, cost.wall, cost.peak)


def plot(rows: list[Row], path: Path) -> None:
    """Draw CPU seconds against lines."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name in dict.fromkeys(row.tree for row in rows):
        cold = sorted((row.lines, row.cpu) for row in rows if row.tree == name and row.step == "cold")
        axes.loglog([x for x, _ in cold], [y for _, y in cold], marker="o", label=f"{name}, cold")
    for step in ("warm", "changed", "ruff"):
        points = sorted((row.lines, row.cpu) for row in rows if row.step == step)
        if points:
            axes.loglog([x for x, _ in points], [y for _, y in points], marker="x", ls="", label=step)
    axes.set_xlabel("lines of code")
    axes.set_ylabel("CPU seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
