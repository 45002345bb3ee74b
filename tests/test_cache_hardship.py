"""The cache where runs are killed, disks are full and trees cannot be written: findings stay the same.

Runs are children of this process, so that they start at once and may be given limits of their own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_cache import MODEL, OTHER, TRAIN

from torchlosslint import engine
from torchlosslint.cache import FOLDER
from torchlosslint.config import Settings

if sys.platform == "win32":
    pytest.skip("needs POSIX processes", allow_module_level=True)

import resource

Said = tuple[list[tuple[str, int, str]], list[str]]
PROGRAMS = 6


def fill(folder: Path) -> None:
    """Programs of two files, and one file that is a program by itself."""
    for number in range(PROGRAMS):
        (folder / f"p{number}").mkdir()
        for name, text in (("model", MODEL), ("train", TRAIN), ("other", OTHER)):
            (folder / f"p{number}" / f"{name}.py").write_text(f"# {number}\n{text}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    return tmp_path


def said(cache: str = FOLDER) -> Said:
    report = engine.lint((".",), Settings(jobs=1), cache=cache)
    return [(f.location.path, f.location.line, f.code) for f in report.findings], report.notes


def start(prepare: Callable[[], object] = lambda: None) -> tuple[int, int]:
    """A run in a child: its process and where it will write what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            prepare()
            os.write(writer, json.dumps(said()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    return child, reader


def end(run: tuple[int, int]) -> Said | None:
    """What a child said, None if it came to nothing."""
    child, reader = run
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    if not data:
        return None
    findings, notes = json.loads(data)
    return [tuple(f) for f in findings], notes


def entries(pattern: str = "[a-z]-*") -> list[Path]:
    return list(Path(FOLDER).glob(pattern))


def test_a_run_that_is_killed_at_any_time_leaves_no_broken_state(project: Path) -> None:
    expected = said("")
    assert sum(code == "TLL101" for _, _, code in expected[0]) == PROGRAMS
    began = time.monotonic()
    assert end(start()) == expected
    whole = time.monotonic() - began
    cut_short = 0
    for part in (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        for path in entries():
            path.unlink()
        run = start()
        time.sleep(whole * part)
        os.kill(run[0], signal.SIGKILL)
        cut_short += end(run) is None
        assert said() == expected
    assert cut_short
    assert said() == expected


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_run_that_is_killed_while_it_writes(number: int, project: Path) -> None:
    """Between the draft and its being put in place: the draft is never read, and goes in time."""
    expected = said("")
    replace, count = os.replace, 0

    def killed(source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    assert end(start(lambda: setattr(os, "replace", killed))) is None
    (draft,) = entries("draft-*")
    assert len(entries()) == number - 1
    assert said() == expected
    os.utime(draft, (1, 1))
    Path("p0/other.py").write_text(OTHER)
    said()
    assert not entries("draft-*")


@pytest.mark.parametrize("size", [0, 10, 300])
def test_a_disk_that_is_full_at_any_byte(size: int, project: Path) -> None:
    """As the system says it: no file may become larger than so many bytes."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    expected = said("")
    assert end(start(limit)) == (expected[0], ["nothing is kept for the next run: File too large"])
    assert not entries("draft-*")
    assert said() == expected
    assert said() == expected


def test_a_tree_that_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        fill(Path(folder))
        expected = said("")
        Path(folder).chmod(0o555)
        try:  # root may write everything: somebody else looks at the tree
            run = start(lambda: os.setuid(65_534) if os.geteuid() == 0 else None)
            assert end(run) == (expected[0], ["nothing is kept for the next run: Permission denied"])
        finally:
            Path(folder).chmod(0o755)
        assert not Path(FOLDER).exists()


def test_runs_at_the_same_time_agree_while_files_change(project: Path) -> None:
    """Runs that start on a cold cache, with files that change between them, never mix what they know."""
    model = Path("p0/model.py")
    for text in (MODEL, MODEL.replace(".softmax(1)", ""), MODEL):
        model.write_text(text)
        runs = [start() for _ in range(3)]
        outputs = [end(run) for run in runs]
        assert outputs == [said("")] * 3
    assert not entries("draft-*")
