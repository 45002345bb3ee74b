"""Every fixture is a program that runs: the comments in its head say where it cannot.

A first line `# requires: package, ...` skips it where a package is missing, and
`# raises: Name` says that it ends with that exception. The programs run one after the
other in a worker process of their own, each with fresh project modules.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


def head(start: Path) -> tuple[str, list[str]]:
    """What the first line of a program asks for: ("raises", [...]), ("requires", [...]) or ("", [])."""
    first = start.read_bytes().split(b"\n", 1)[0].decode("latin-1").strip()
    for key in ("raises", "requires"):
        if first.startswith(f"# {key}:"):
            return key, [word.strip() for word in first.split(":", 1)[1].split(",")]
    return "", []


class Worker:
    """Runs programs in one process that has imported torch already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def run(self, start: Path) -> tuple[str, str]:
        """The name of the exception that ended the program, "" for none, and its text."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, __file__],
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
        if not answer:
            return "WorkerDied", f"no answer within {SECONDS} seconds, or the process ended"
        name, text = json.loads(answer)
        return name, text

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    found = Worker(tmp_path_factory.mktemp("fixtures"))
    yield found
    found.close()


@pytest.mark.parametrize("start", programs(), ids=lambda start: start.relative_to(FIXTURES).as_posix())
def test_fixture_runs(start: Path, worker: Worker) -> None:
    key, words = head(start)
    missing = [word for word in words if key == "requires" and importlib.util.find_spec(word) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    name, text = worker.run(start)
    assert name == (words[0] if key == "raises" else ""), text


def work() -> None:
    """The worker: reads the path of a program a line, answers with a line of JSON each."""
    import faulthandler
    import io
    import runpy
    import traceback
    import warnings

    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, io.StringIO()
    path, modules = list(sys.path[1:]), set(sys.modules)
    for line in sys.stdin:
        start = Path(line.strip())
        sys.path[:] = [str(start.parent), *path]
        sys.argv = [str(start)]
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        name = text = ""
        torch.distributions.Distribution.set_default_validate_args(True)  # torch.compile turns it off
        try:
            runpy.run_path(str(start), run_name="__main__")
        except BaseException as error:  # a program may end in any way
            name, text = type(error).__name__, traceback.format_exc()
        faulthandler.cancel_dump_traceback_later()
        for module in [m for m in sys.modules if m not in modules]:
            file = getattr(sys.modules[module], "__file__", None) or ""
            if Path(file).is_relative_to(FIXTURES):
                del sys.modules[module]
        answers.write(json.dumps([name, text]) + "\n")
        answers.flush()


if __name__ == "__main__":
    work()
