"""Run a child process and say what it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RECORDED = Path(__file__).with_name("recorded.py")


@dataclass(frozen=True)
class Cost:
    """What a child process printed and used: seconds of `cpu` and on the clock, bytes at its `peak`."""

    status: int
    output: str
    errors: str
    cpu: float
    peak: int
    wall: float


def run(arguments: Sequence[str], folder: Path | None = None, program: str = sys.executable) -> Cost:
    """Run a program (this Python) with arguments, in a folder, to its end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        # As installed: with bytecode.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        child = subprocess.Popen(
            [program, *arguments], cwd=folder, stdout=output, stderr=errors, env=environment
        )
        _, status, usage = os.wait4(child.pid, 0)  # ru_maxrss of this child alone
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        unit = 1 if sys.platform == "darwin" else 1024
        return Cost(
            child.returncode,
            output.read().decode(),
            errors.read().decode(errors="replace"),
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * unit,
            wall,
        )
