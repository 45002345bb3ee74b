"""What torchlosslint costs, against a bare libcst parse of the files that it had to parse.

    python benchmarks/cost.py [--repeats N] PATH...

One run finds out which files are parsed. Then each repeat runs, in child processes one after the other,
torchlosslint over the paths and `libcst.parse_module` (garbage collection off, trees dropped at once)
over just those files. Printed are medians: CPU seconds of the whole linter, of the bare parse alone and
of the whole process that did it (start and `import libcst` included), the two ratios, and the linter's
peak memory.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import child


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of torchlosslint against a bare libcst parse.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parse", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*")
    options = parser.parse_args()
    if options.parse is not None:
        return bare_parse(options.parse)
    if not options.paths or options.repeats < 1:
        parser.error("give at least one path, and at least one repeat")
    arguments = ["check", *options.paths, "--no-cache", "--jobs", "1", "--format", "json", "--exit-zero"]
    with tempfile.TemporaryDirectory() as scratch:
        record = Path(scratch) / "record.json"
        measured([str(child.RECORDED), str(record), *arguments])
        files = json.loads(record.read_text())
        if not files:
            raise SystemExit("nothing had to be parsed")
        lint: list[child.Cost] = []
        bare: list[child.Cost] = []
        for _ in range(options.repeats):
            lint.append(measured(["-m", "torchlosslint", *arguments]))
            bare.append(measured([__file__, "--parse", str(record)]))
    whole = median(c.cpu for c in bare)
    alone = median(float(c.output) for c in bare)
    ratios = [a.cpu / float(b.output) for a, b in zip(lint, bare, strict=True)]
    lines = sum(count for _, count in files)
    print(f"parsed           {len(files)} files, {lines} lines")
    print(f"torchlosslint    {median(c.cpu for c in lint):.2f} s CPU ({_spread([c.cpu for c in lint])})")
    print(f"bare parse       {alone:.2f} s CPU ({_spread([float(c.output) for c in bare])})")
    print(f"  whole process  {whole:.2f} s CPU")
    print(f"ratio            {median(ratios):.2f} ({_spread(ratios)})")
    print(f"  whole process  {median(a.cpu / b.cpu for a, b in zip(lint, bare, strict=True)):.2f}")
    print(f"peak memory      {median(c.peak for c in lint) / 1e6:.0f} MB")
    return 0


def measured(arguments: list[str]) -> child.Cost:
    """A child that has to succeed."""
    cost = child.run(arguments)
    if cost.status != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with status {cost.status}\n{cost.errors[-4000:]}")
    return cost


def bare_parse(record: Path) -> int:
    """Print the CPU seconds that libcst needs for the recorded files."""
    import libcst

    from torchlosslint.sources.decode import SourceError, decode, read_bytes
    from torchlosslint.syntax.guard import on_large_stack, prepare

    texts = []
    for path, _ in json.loads(record.read_text()):
        data = read_bytes(path)
        text = data if isinstance(data, SourceError) else decode(data, path)
        if isinstance(text, SourceError):
            raise SystemExit(f"{path}: {text.message}")
        texts.append(prepare(text).text)

    def parse() -> None:
        for text in texts:
            libcst.parse_module(text)

    gc.disable()
    start = time.process_time()
    on_large_stack(parse)
    print(time.process_time() - start)
    return 0


def _spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


if __name__ == "__main__":
    sys.exit(main())
