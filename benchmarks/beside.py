"""What torchlosslint costs against a bare libcst parse, both measured side by side in one process.

    python benchmarks/beside.py PATH...

Whenever the linter parses a file, the file is also parsed bare (`libcst.parse_module`, the tree dropped at
once, garbage collection off as in the linter), before it and after it in turns. So both meet the same
machine, and a noisy neighbour spoils the ratio little; `cost.py` measures whole processes instead. Printed
are CPU seconds of the bare parses and of everything else, their ratio, and the ratio where the start of
Python and `import libcst` count on both sides.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time

import libcst

START = time.process_time()

import torchlosslint.part  # noqa: E402
from torchlosslint.cli.main import main as lint  # noqa: E402
from torchlosslint.syntax import guard, ir, parse  # noqa: E402


class Bare:
    """Parses every text a second time, and books what that takes."""

    def __init__(self) -> None:
        self.files = 0
        self.seconds = 0.0  # of the parses alone
        self.whole = 0.0  # with what it takes to come to them
        self.own = parse.parse_safely

    def parse_safely(self, path: str, text: str) -> ir.Module:
        """The linter's own parse, with a bare one before or after it."""
        self.files += 1
        if self.files % 2:
            self.again(text)
        try:
            return self.own(path, text)
        finally:
            if not self.files % 2:
                self.again(text)

    def again(self, text: str) -> None:
        """A bare parse."""
        begin = time.process_time()
        with contextlib.suppress(guard.SyntaxTrouble):
            prepared = guard.prepare(text)
            guard.on_large_stack(lambda: self.timed(prepared.text))
        self.whole += time.process_time() - begin

    def timed(self, text: str) -> None:
        """What is compared with."""
        begin = time.process_time()
        with contextlib.suppress(libcst.ParserSyntaxError):
            libcst.parse_module(text)
        self.seconds += time.process_time() - begin


def main() -> int:
    """Measure and print."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    bare = Bare()
    torchlosslint.part.parse_safely = bare.parse_safely  # type: ignore[attr-defined]
    arguments = ["check", *sys.argv[1:], "--no-cache", "--jobs", "1", "--format", "json", "--exit-zero"]
    with contextlib.redirect_stdout(io.StringIO()):
        status = lint(arguments)
    if status:
        raise SystemExit(f"torchlosslint ended with status {status}")
    if not bare.files:
        raise SystemExit("nothing had to be parsed")
    linter = time.process_time() - bare.whole
    print(f"parsed           {bare.files} files")
    print(f"bare parse       {bare.seconds:.2f} s CPU")
    print(f"torchlosslint    {linter:.2f} s CPU")
    print(f"ratio            {linter / bare.seconds:.2f}")
    print(f"  with the start {linter / (bare.seconds + START):.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
