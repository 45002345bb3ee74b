"""The programs of fixtures/, and a process that runs them one after the other, watched or not.

A first line `# requires: package, ...` skips a program where a package is missing, and `# raises: Name`
says that it ends with that exception (`# raises on an accelerator: Name`,
where there is one). Each program gets fresh modules of its own project.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import io
import json
import os
import runpy
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SECONDS = 120  # for one program


def programs() -> list[Path]:
    """The file that starts each fixture: the file itself, or main.py or train.py of a folder."""
    starts = []
    for path in sorted(FIXTURES.glob("*/*")) + [FIXTURES / "demo_project"]:
        if path.parent != FIXTURES and not path.name.startswith(("wrong_", "right_")):
            continue
        candidates = [path / "main.py", path / "train.py"] if path.is_dir() else [path]
        starts += [candidate for candidate in candidates if candidate.is_file()]
    return [s for s in starts if s.suffix == ".py" and not is_unreadable(s)]


def is_unreadable(start: Path) -> bool:
    """Single files that no Python can read: they are there to be linted only."""
    return start.parent.name == "tll001_unreadable_source" and start.name.startswith("wrong_")


def named(start: Path) -> str:
    return start.relative_to(FIXTURES).as_posix()


def head(start: Path) -> tuple[str, list[str]]:
    """What the first line of a program asks for: ("raises", [...]), ("requires", [...]) or ("", [])."""
    first = start.read_bytes().split(b"\n", 1)[0].decode("latin-1").strip()
    for key in ("raises", "requires"):
        if first.startswith(f"# {key}:"):
            return key, [word.strip() for word in first.split(":", 1)[1].split(",")]
    if first.startswith("# raises on an accelerator:") and has_accelerator():
        return "raises", [first.split(":", 1)[1].strip()]
    return "", []


def has_accelerator() -> bool:
    """Whether this machine has a GPU that the installed torch can use."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def skip_where_something_is_missing(start: Path) -> None:
    key, words = head(start)
    missing = [word for word in words if key == "requires" and importlib.util.find_spec(word) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


class Worker:
    """Runs programs in one process that has imported torch already; in a new one where that died."""

    def __init__(self, folder: Path, guarded: bool) -> None:
        self.folder, self.guarded = folder, guarded
        self.process: subprocess.Popen[str] | None = None

    def run(self, start: Path) -> dict[str, Any]:
        """raised: the name of the exception that ended the program, or ""; text: its traceback. Under
        the guard also findings (code, line, certainty), and broken: what the guard itself failed on."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, *(["guarded"] if self.guarded else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=self.folder,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
                text=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{start}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"no answer within {SECONDS} seconds, or the process ended"
        found: dict[str, Any] = json.loads(answer)
        return found


@contextmanager
def working(folder: Path, guarded: bool) -> Iterator[Worker]:
    """A worker, until nobody needs it; a skip without torch."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    found = Worker(folder, guarded)
    yield found
    if found.process is not None:
        found.process.communicate()


def work(guarded: bool) -> None:
    """The worker: reads the path of a program a line, answers with a line of JSON each."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, io.StringIO()
    path, modules = list(sys.path[1:]), set(sys.modules)
    for line in sys.stdin:
        start = Path(line.strip())
        sys.path[:] = [str(start.parent), *path]
        sys.argv = [str(start)]
        torch.distributions.Distribution.set_default_validate_args(True)  # torch.compile turns it off
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        answer = _watched(start) if guarded else _run(start)
        faulthandler.cancel_dump_traceback_later()
        for module in [m for m in sys.modules if m not in modules]:
            file = getattr(sys.modules[module], "__file__", None) or ""
            if Path(file).is_relative_to(FIXTURES):
                del sys.modules[module]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _run(start: Path) -> dict[str, Any]:
    try:
        runpy.run_path(str(start), run_name="__main__")
    except BaseException as error:  # a program may end in any way
        return {"raised": type(error).__name__, "text": traceback.format_exc()}
    return {"raised": "", "text": ""}


def _watched(start: Path) -> dict[str, Any]:
    from torchlosslint.runtime import findings, guarded as watching

    with watching(lambda finding: None) as session:
        answer = _run(start)
    found = [(f.code, f.line, f.certainty) for f in session.findings]
    return {**answer, "findings": found, "broken": findings.broken()}


if __name__ == "__main__":
    work("guarded" in sys.argv)
