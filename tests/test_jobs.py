"""How many processes work makes no difference to what is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from test_cache import MODEL, OTHER, SOUND, TRAIN

import torchlosslint.engine as engine
import torchlosslint.part as part
import torchlosslint.pool as pool
from torchlosslint.config import Settings
from torchlosslint.finding import Report
from torchlosslint.syntax.parse import parse_safely


def heeding_interrupts() -> None:
    """In the child: a test run in the background ignores SIGINT, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with several programs, and a pool that starts for any of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        Path(name).mkdir()
        Path(name, "model.py").write_text(MODEL if name != "b" else SOUND)
        Path(name, "train.py").write_text(TRAIN)
        Path(name, "other.py").write_text(OTHER)
    Path("c", "broken.py").write_text("def f(:\n    loss_fn(x)\n")
    monkeypatch.setattr(pool, "WORTH", 1)
    monkeypatch.setattr(pool, "WORTH_SPAWNED", 1)
    return tmp_path


FOUND = [
    ("a/other.py", "TLL104"),
    ("a/train.py", "TLL101"),
    ("b/other.py", "TLL104"),
    ("c/broken.py", "TLL001"),
    ("c/other.py", "TLL104"),
    ("c/train.py", "TLL101"),
]


def lint(jobs: int, cache: str = "", **changes: object) -> Report:
    settings = Settings(jobs=jobs, **changes)  # type: ignore[arg-type]
    report = engine.lint(("a", "b", "c"), settings, cache=cache)
    return msgspec.structs.replace(report, times={})


def found(report: Report) -> list[tuple[str, str]]:
    return [(f.location.path, f.code) for f in report.findings]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_any_number_finds_the_same(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == "fork" and sys.platform != "linux":
        pytest.skip("only Linux forks")
    alone = lint(1, verbose=True)
    assert found(alone) == FOUND
    monkeypatch.setattr(pool, "method", lambda: method)
    if method == "spawn":  # of which each process loads everything anew
        assert lint(2, ".torchlosslint_cache", verbose=True) == alone
        return
    assert lint(2, verbose=True) == alone
    assert lint(4, ".torchlosslint_cache", verbose=True) == alone
    assert lint(4, ".torchlosslint_cache", verbose=True) == alone
    assert lint(1, ".torchlosslint_cache", verbose=True) == alone


@pytest.mark.parametrize("cache", ["", ".torchlosslint_cache"])
def test_a_large_part_is_parsed_by_all(cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "BATCH", 200)
    monkeypatch.setattr(pool, "LARGE", 0.0)
    assert lint(3, cache) == lint(1)


def test_a_large_part_on_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "BATCH", 200)
    monkeypatch.setattr(pool, "LARGE", 0.0)
    Path("full").touch()
    report = lint(3, "full")
    assert report.notes == ["nothing is kept for the next run: File exists"]
    assert msgspec.structs.replace(report, notes=[]) == lint(1)


@pytest.mark.skipif(sys.platform != "linux", reason="patches reach only forked workers")
@pytest.mark.parametrize("large", [False, True])
def test_a_worker_that_dies_costs_its_part(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the parser is hurt beyond what was foreseen, or memory runs out."""
    whole = parse_safely

    def dying(path: str, text: str) -> object:
        if path == "b/model.py":
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(path, text)

    monkeypatch.setattr(part, "parse_safely", dying)
    if large:
        monkeypatch.setattr(pool, "BATCH", 200)
        monkeypatch.setattr(pool, "LARGE", 0.0)
    report = lint(2)
    assert found(report) == sorted([*FOUND, ("b/train.py", "TLL001")])
    lost = next(f for f in report.findings if f.location.path == "b/train.py")
    assert lost.message == (
        "the process that checked this file and 1 more that belongs to it died (signal 9);"
        " nothing is known of it"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="patches reach only forked workers")
def test_a_mistake_in_a_worker_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object) -> None:
        raise KeyError("something broke")

    monkeypatch.setattr(part, "run_program", crash)
    with pytest.raises(RuntimeError, match="KeyError: 'something broke'"):
        lint(2)


def test_small_runs_stay_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    small = part.Job((), ("a", "b"), {}, frozenset(), (b"", b""), 2000, b"")
    assert pool.workers_for([small], 8) < 2
    assert pool.workers_for([replace(small, size=10_000_000)], 8) == 2
    assert pool.workers_for([replace(small, size=10_000_000)] * 20, 8) == 8


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_run_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C reaches the workers as well, which leave it to the parent."""
    code = (
        "import sys, time\n"
        "import torchlosslint.part as part, torchlosslint.pool as pool\n"
        "from torchlosslint.cli.main import main\n"
        "def slow(self, job):\n"
        "    open(f'working-{time.time_ns()}', 'w').close()\n"
        "    time.sleep(60)\n"
        "part.Shop.do = slow\n"
        "pool.WORTH = 1\n"
        "pool.method = lambda: 'fork'\n"
        "sys.exit(main(['a', 'b', 'c', '--jobs', '2', '--no-cache']))\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heeding_interrupts,
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("working-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=30)  # which ends when no process holds the pipe
    assert run.returncode == 2
    assert said.decode().strip() == "torchlosslint: interrupted"
