"""How long torchlosslint takes for public packages: cold, warm, and after changes; and other tools.

    python benchmarks/speed.py [--cache FOLDER] [--only NAME]... [--changed N] [--repeats N]
                               [--tools FOLDER]... [--without NAME]... [PATH...]

The packages are those of packages.toml (see packages.py for where they come from), or the folders PATH.
Everything runs in one
process, one after the other, so that the ratios of one run can be compared, on a machine that does other
things as well. The unit is the CPU time that libcst alone needs to parse the files that torchlosslint has
to parse. Printed is a table in Markdown; medians where there are several repeats:

    parse    libcst.parse_module of the needed files (garbage collection off, trees dropped at once)
    cold     torchlosslint without a cache
    first    torchlosslint that fills the cache
    warm     the same again: nothing changed
    changed  after a comment was added to N of the needed files
    ruff, pylint, torchfix, torch-preflight: where they are installed (in a folder of --tools, on the
             PATH, or beside this Python), over the same folder, with one process (ruff: as many
             threads as there are cores)
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
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
    "torchfix": ["--jobs=1", "--select=ALL", "{}"],
    "torch-preflight": ["check", "--jobs=1", "--quiet", "{}"],
}
FINE = {0, 1}  # of another tool: 1 where it has findings


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time and memory, cold, warm and after changes.")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "torchlosslint-packages")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this one; repeatable")
    parser.add_argument("--changed", type=int, default=10, metavar="N", help="files to change")
    parser.add_argument("--repeats", type=int, default=1, metavar="N")
    parser.add_argument(
        "--tools", type=Path, action="append", default=[], help="look here for other tools; repeatable"
    )
    parser.add_argument(
        "--without", action="append", default=[], choices=sorted(OTHERS), help="not this one; repeatable"
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="folders instead of the packages")
    options = parser.parse_args()
    packages = tomllib.loads((HERE / "packages.toml").read_text())["package"]
    unknown = set(options.only) - {p["name"] for p in packages}
    missing = [str(path) for path in options.paths if not path.is_dir()]
    if unknown or missing or options.repeats < 1:
        parser.error(f"what is {', '.join([*sorted(unknown), *missing]) or 'fewer than one repeat'}?")
    tools = {name: path for name in OTHERS if (path := tool_path(name, options.tools)) is not None}
    for name in options.without:
        tools.pop(name, None)
    print("| package | parsed lines | step | CPU s | ratio | wall s | peak MB |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for name, original in _chosen(options, packages):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / original.name
            shutil.copytree(original, folder, symlinks=True)
            measure(name, folder, options.changed, options.repeats, tools)
    return 0


def _chosen(options: argparse.Namespace, packages: list[dict[str, str]]) -> Iterator[tuple[str, Path]]:
    """Names and folders of what is to be linted; a package is downloaded when its turn comes."""
    for path in options.paths:
        yield path.resolve().name, path.resolve()
    for package in packages if not options.paths else ():
        if package["name"] in options.only or not options.only:
            folder = unpacked(package, options.cache) / package["folder"]
            yield f"{package['name']} {package['version']}", folder


def tool_path(name: str, folders: list[Path]) -> str | None:
    """Where a program is: in one of the folders, on the PATH, beside this Python, or nowhere."""
    beside = Path(sys.executable).parent
    for place in (*folders, None, beside):
        found = shutil.which(name, path=None if place is None else str(place.absolute()))
        if found is not None:
            return found
    return None


def measure(name: str, folder: Path, changed: int, repeats: int, tools: dict[str, str]) -> None:
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
        for other, program in tools.items():
            filled = [argument.format(folder.name) for argument in OTHERS[other]]
            step(other, lambda p=program, a=filled: child.run(a, folder.parent, p))  # type: ignore[misc]
    unit = median(float(cost.output) for cost in rows["parse"])
    for label, costs in rows.items():
        if any(cost.status not in FINE for cost in costs):
            print(f"{label} failed on {name}:\n{costs[-1].errors[-2000:]}", file=sys.stderr)
            continue
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
