"""`python -m torchlosslint.runtime [options] script.py arguments`: run a script under the guard."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from torchlosslint.runtime import install, report


def main(arguments: Sequence[str] | None = None) -> None:
    """Options of the guard come before the script, what follows it is the script's."""
    parser = argparse.ArgumentParser(
        prog="python -m torchlosslint.runtime", description="Run a script under the loss guard."
    )
    parser.add_argument("--on-misuse", choices=("warn", "raise", "log"), default="warn")
    parser.add_argument("--ignore", action="append", default=[], help="a code, or how codes begin")
    parser.add_argument("--every", type=int, default=0, help="look at the numbers of each so manieth call")
    parser.add_argument("--sync", action="store_true", help="wait for the accelerator at checked calls")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    parser.add_argument("--picture", metavar="FILE", help="write the label histogram (needs matplotlib)")
    parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module instead of a script")
    parser.add_argument("script", nargs="?")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if options.script is None and options.module is None:
        parser.error("a script is needed")
    install(options.on_misuse, ignore=options.ignore, every=options.every, sync=options.sync)
    try:
        if options.module is not None:
            sys.argv = [options.module, *filter(None, [options.script]), *options.args]
            sys.path.insert(0, "")
            runpy.run_module(options.module, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [options.script, *options.args]
            sys.path[0] = str(Path(options.script).resolve().parent)
            runpy.run_path(options.script, run_name="__main__")
    finally:
        found = report()
        print(found, file=sys.stderr)
        if options.json:
            Path(options.json).write_text(found.json(), encoding="utf-8")
        if options.picture and not found.picture(options.picture):
            print("no picture: no labels were counted, or matplotlib is missing", file=sys.stderr)


if __name__ == "__main__":
    main()
