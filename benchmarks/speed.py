"""How long torchlosslint takes for public packages: cold, warm, and after changes; and other tools.

    python benchmarks/speed.py [--cache FOLDER] [--only NAME]... [--changed N] [--repeats N]

The packages are those of packages.toml (see packages.py for where they come from). Everything runs in one
process, one after the other, so that the ratios of one run can be compared, on a machine that does other
things as well. The unit is the CPU time that libcst alone needs to parse the files that torchlosslint has
to parse. Printed is a table in Markdown; medians where there are several repeats:

    parse    libcst.parse_module of the needed files (garbage collection off, trees dropped at once)
    cold     torchlosslint without a cache
    first    torchlosslint that fills the cache
    warm     the same again: nothing changed
    changed  after a comment was added to N of the needed files
    ruff, pylint, torchfix, torch-preflight: where they are installed, over the same folder
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import child
import tomllib
from packages import HERE, unpacked

COST = str(HERE / "cost.py")
# What is installed of these is run as well; {} is the folder.
OTHERS = {
    "ruff": ["check", "--isolated", "--no-cache", "--exit-zero", "--quiet", "{}"],
    "pylint": ["--jobs=1", "--exit-zero", "--score=n", "--recursive=y", "{}"],
    "torchfix": ["--select=ALL", "{}"],
    "torch-preflight": ["lint", "{}"],
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time and memory, cold, warm and after changes.")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "torchlosslint-packages")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this one; repeatable")
    parser.add_argument("--changed", type=int, default=10, metavar="N", help="files to change")
    parser.add_argument("--repeats", type=int, default=1, metavar="N")
    options = parser.parse_args()
    packages = tomllib.loads((HERE / "packages.toml").read_text())["package"]
    chosen = [p for p in packages if p["name"] in options.only or not options.only]
    if not chosen or options.repeats < 1:
        parser.error("nothing to do: see packages.toml for the names")
    print("| package | parsed lines | step | CPU s | ratio | wall s | peak MB |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for package in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / package["folder"]
            shutil.copytree(unpacked(package, options.cache) / package["folder"], folder)
            measure(f"{package['name']} {package['version']}", folder, options.changed, options.repeats)
    return 0


def measure(name: str, folder: Path, changed: int, repeats: int) -> None:
    """The rows of one package."""
    record = folder.parent / "record.json"
    check = ["check", folder.name, "--format", "json", "--exit-zero", "--jobs", "1"]
    tool = ["-m", "torchlosslint", *check]
    run([str(child.RECORDED), str(record), *check, "--no-cache"], folder.parent)
    files = json.loads(record.read_text())
    lines = sum(count for _, count in files)
    needed = [folder.parent / path for path, _ in files]
    rows: dict[str, list[child.Cost]] = {}

    def step(label: str, work: Callable[[], child.Cost]) -> None:
        rows.setdefault(label, []).append(work())

    for _ in range(repeats):
        shutil.rmtree(folder.parent / ".torchlosslint_cache", ignore_errors=True)
        step("parse", lambda: run([COST, "--parse", str(record)], folder.parent))
        step("cold", lambda: run([*tool, "--no-cache"], folder.parent))
        step("first", lambda: run(tool, folder.parent))
        step("warm", lambda: run(tool, folder.parent))
        for path in needed[:: max(1, len(needed) // changed)][:changed]:
            with path.open("a", encoding="utf-8") as file:
                file.write("\n# changed\n")
        step("changed", lambda: run(tool, folder.parent))
        for other, arguments in OTHERS.items():
            program = shutil.which(other) or shutil.which(other, path=str(Path(sys.executable).parent))
            if program is not None:
                filled = [argument.format(folder.name) for argument in arguments]
                step(other, lambda p=program, a=filled: child.run(a, folder.parent, p))  # type: ignore[misc]
    unit = median(float(cost.output) for cost in rows["parse"])
    for label, costs in rows.items():
        cpu = unit if label == "parse" else median(cost.cpu for cost in costs)
        wall = "" if label == "parse" else f"{median(cost.wall for cost in costs):.1f}"
        peak = median(cost.peak for cost in costs) / 1e6
        print(f"| {name} | {lines} | {label} | {cpu:.2f} | {cpu / unit:.2f} | {wall} | {peak:.0f} |")
    sys.stdout.flush()


def run(arguments: list[str], folder: Path) -> child.Cost:
    """A child that has to succeed."""
    cost = child.run(arguments, folder)
    if cost.status != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with status {cost.status}\n{cost.errors[-4000:]}")
    return cost


if __name__ == "__main__":
    sys.exit(main())
