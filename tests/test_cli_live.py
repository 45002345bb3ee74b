"""Help, completion, the progress line, and --watch: what a person at a terminal meets."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue

import click
import pytest
from click.testing import CliRunner

from torchlosslint.cli.check import check
from torchlosslint.cli.help import SECTIONS
from torchlosslint.cli.main import cli
from torchlosslint.cli.progress import Progress, progress

WRONG = """\
import torch, torch.nn as nn
net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
loss = nn.CrossEntropyLoss()(net(torch.randn(2, 4)), torch.tensor([0, 1]))
"""


def heeding_interrupts() -> None:
    """In the child: a test run in the background ignores SIGINT, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("args", [["--help"], ["check", "--help"], ["explain", "-h"], ["rules", "-h"]])
def test_help_fits_the_terminal(args: list[str], width: int) -> None:
    done = CliRunner().invoke(cli, args, terminal_width=width, max_content_width=width)
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= width
    assert "..." not in done.output.replace("PATH...", "").replace("[ARGS]...", "").replace(
        "]...", ""
    ).replace(",...", "")


def test_help_has_every_option_once_in_its_section() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    options = {str(param.name): param for param in check.params if isinstance(param, click.Option)}
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(options)
    for option in options.values():
        assert option.help
        assert len(re.findall(rf"^  {option.opts[0]}\b", shown, re.MULTILINE)) == 1
    for heading in (*SECTIONS, "Commands", "Examples", "Exit status"):
        assert f"{heading}:" in shown
    assert "--version" in shown


def complete(words: str) -> list[str]:
    """What bash would offer for the last word of a command line."""
    code = "import sys\nfrom torchlosslint.cli.main import main\nsys.exit(main())"
    env = {**os.environ, "_TORCHLOSSLINT_COMPLETE": "bash_complete", "COMP_WORDS": words}
    env["COMP_CWORD"] = str(len(words.split()) - (not words.endswith(" ")))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("torchlosslint exp", {"explain"}),
        ("torchlosslint --stat", {"--statistics"}),
        ("torchlosslint check --base", {"--baseline"}),
        ("torchlosslint --confidence ", {"possible", "likely", "certain"}),
        ("torchlosslint explain TLL50", {"TLL501", "TLL502"}),
        ("torchlosslint explain soft", {"softmax-before-cross-entropy"}),
        ("torchlosslint --select TLL1", {"TLL101"}),
        ("torchlosslint --format sar", {"sarif"}),
        ("torchlosslint rules --format ", {"text", "markdown", "json"}),
    ],
)
def test_completion(words: str, offered: set[str]) -> None:
    assert offered <= set(complete(words))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    code = "import sys\nfrom torchlosslint.cli.main import main\nsys.exit(main())"
    env = {**os.environ, "_TORCHLOSSLINT_COMPLETE": f"{shell}_source"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert "_TORCHLOSSLINT_COMPLETE" in done.stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    line = Progress(patience=0)
    line(3, 12, "package/a/very/long/path/to/some/module.py")
    line.end()
    said = terminal.getvalue()
    assert "3 of 12 files; reading …" in said
    assert said.endswith("\r\x1b[K")
    assert "\n" not in said
    assert max(map(len, said.split("\r\x1b[K"))) < 40


def test_short_runs_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = Progress(patience=1000)
    line(0, 1, "a.py")
    line.end()
    assert terminal.getvalue() == ""


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert progress() is None
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert progress() is not None
    monkeypatch.setenv("TERM", "dumb")
    assert progress() is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_watch_checks_again_when_a_file_changes(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    (tmp_path / "train.py").write_text("x = 1\n")
    watcher = subprocess.Popen(
        [sys.executable, "-m", "torchlosslint", "--format", "concise", "--watch", "train.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heeding_interrupts,
    )
    lines: Queue[str] = Queue()
    stream = watcher.stdout
    assert stream is not None

    def listen() -> None:
        for line in stream:
            lines.put(line)

    threading.Thread(target=listen, daemon=True).start()
    try:
        # The file system is watched from a little after this on, so the change is made until it is seen.
        while "watching for changes" not in lines.get(timeout=60):
            pass
        for attempt in range(60):
            # In one step, or the last look may fall on an empty file.
            (tmp_path / "draft").write_text(WRONG + f"# {attempt}\n")
            (tmp_path / "draft").replace(tmp_path / "train.py")
            try:
                found = lines.get(timeout=2)
                break
            except Exception:
                continue
        assert found.startswith("train.py:3:8: TLL101")
        # The run is over, and has its status, only once the watcher says that it watches again.
        while "watching for changes" not in lines.get(timeout=60):
            pass
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(60) == 1
    finally:
        watcher.kill()


def test_watch_without_watchfiles_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['watchfiles'] = None\n"
        "from torchlosslint.cli.main import main\nsys.exit(main(['--watch']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "python -m pip install 'torchlosslint[watch]'" in done.stderr
    assert "Traceback" not in done.stderr
