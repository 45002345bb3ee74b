"""The command line, as a user runs it: in a process of its own.

Where the outcome of a run matters and not how it came about, the process gets a stand-in for the engine.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest
from reports import MODEL, TRAIN

# Runs the true command line with a made-up engine, which discovers files and selects rules as the
# true one does, and made-up rules.
STAND_IN = """
import sys, types
import torchlosslint.rule as rule
from torchlosslint.cli.main import main
from torchlosslint.config import selection
from torchlosslint.sources.discovery import discover
sys.path.insert(0, {tests!r})
from reports import report

class Softmax(rule.Rule):
    '''Softmax before cross-entropy.

    What it does
        Finds it.
    '''
    code, name = "TLL101", "softmax-before-cross-entropy"

class Off(rule.Rule):
    '''Advice.'''
    code, name, severity, default = "TLL204", "bce-for-multi-class", "note", False

rule.load_rules = lambda: [Softmax(), Off()]

def lint(paths, settings, configuration=None, *more):
    if "crash" in paths:
        raise RuntimeError("something broke")
    if "interrupt" in paths:
        raise KeyboardInterrupt
    found = discover(paths)
    chosen = selection(settings, rule.load_rules())
    outcome = report()
    outcome.files_checked = len(found.files)
    outcome.skipped = found.skipped
    outcome.findings = [f for f in outcome.findings if f.code in chosen and settings.shows(f.confidence)]
    print(sorted(chosen.codes), settings, file=sys.stderr)
    return outcome

sys.modules["torchlosslint.engine"] = types.SimpleNamespace(lint=lint)
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def run(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line with the stand-in engine."""
    code = STAND_IN.format(tests=str(Path(__file__).parent))
    return _process("-c", code, *args, env=env)


def real(*args: str) -> subprocess.CompletedProcess[str]:
    """The command line as it is."""
    return _process("-m", "torchlosslint", *args)


def _process(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
    )
    assert "Traceback" not in done.stderr
    return done


def test_version_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom torchlosslint.cli.main import main\nmain(['--version'])\n"
        "print(sorted({'libcst', 'torch', 'msgspec', 'torchlosslint.engine'} & set(sys.modules)))"
    )
    assert _process("-c", code).stdout == f"torchlosslint {version('torchlosslint')}\n[]\n"


def test_the_console_script_is_the_same() -> None:
    script = Path(sys.executable).with_name("torchlosslint")
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout == real("--version").stdout


def test_findings_exit_with_1() -> None:
    done = run("model.py", "train.py")
    assert done.returncode == 1
    assert done.stdout.startswith("train.py:2:19: TLL101 softmax-before-cross-entropy [error]\n")
    assert "\x1b" not in done.stdout


def test_check_is_the_default_command_and_the_folder_the_default_path() -> None:
    assert run().stdout == run("check").stdout == run("check", ".").stdout == run("--format", "text").stdout
    assert "2 files checked" in run().stdout


def test_a_command_wins_over_a_folder_of_its_name() -> None:
    Path("rules").mkdir()
    Path("rules", "a.py").touch()
    assert run("rules").stdout.startswith("TLL101  softmax-before-cross-entropy")
    assert "1 file checked" in run("./rules").stdout
    assert "1 file checked" in run("check", "rules").stdout


def test_exit_0_without_findings() -> None:
    assert run("--select", "TLL204").returncode == 0
    assert run("--ignore", "TLL1").returncode == 0
    assert run("--exit-zero").returncode == 0
    assert run("--confidence", "certain", "--ignore", "TLL101").returncode == 0


def test_json() -> None:
    done = run("--format", "json", ".")
    assert done.returncode == 1
    assert [finding["code"] for finding in json.loads(done.stdout)["findings"]] == ["TLL101"]


def test_every_option_reaches_the_settings() -> None:
    flags = "--select TLL101,TLL204 --ignore TLL1 --confidence possible --format json"
    said = run(*flags.split(), "--exit-zero", "--no-cache", "--verbose").stderr
    assert said.startswith("['TLL101', 'TLL204'] Settings(select=('TLL101,TLL204',), ignore=('TLL1',), ")
    assert "confidence='possible', format='json', exit_zero=True, no_cache=True, verbose=True" in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["no/such.py"], "no such file or folder: no/such.py"),
        (["--select", "TLL1O1"], "unknown selector 'TLL1O1'; did you mean TLL101?"),
        (["--ignore", "softmax-before-crossentropy"], "did you mean softmax-before-cross-entropy?"),
        (["--confidence", "sure"], "'sure' is not one of 'possible', 'likely', 'certain'"),
        (["--format", "xml"], "unknown format 'xml'; there are text"),
        (["--format", "json,text"], "two formats on standard output"),
        (["--format", "json:no/such/out.json"], "cannot write no/such/out.json: No such file or directory\n"),
        (["--select", "TLL1", "--ignore", "TLL101"], "--select TLL1 and --ignore TLL101: no rule is left"),
        (["--ignore", "ALL"], "--ignore ALL: no rule is left"),
        (["--no-such-option"], "No such option"),
        (["explain", "TLL999"], "unknown rule 'TLL999'"),
        (["explain"], "Missing argument"),
        (["--exit-zero", "no/such.py"], "no such file or folder"),
        (["crash"], "internal error: RuntimeError: something broke (--verbose shows where)"),
        (["interrupt"], "interrupted"),
    ],
)
def test_a_failed_run_exits_with_2(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert message.lower() in done.stderr.lower()
    assert done.stdout == ""


def test_an_empty_folder_says_so() -> None:
    Path("empty").mkdir()
    done = run("--ignore", "TLL1", "empty")
    assert done.returncode == 0
    assert "empty: no Python files in this folder" in done.stdout


def test_a_reader_that_has_enough_is_no_failure() -> None:
    code = STAND_IN.format(tests=str(Path(__file__).parent))
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as closed:
        done = subprocess.run([sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert b"Error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_a_failure() -> None:
    code = STAND_IN.format(tests=str(Path(__file__).parent))
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    assert b"No space left" in done.stderr


def test_an_output_encoding_that_lacks_characters() -> None:
    Path("train.py").write_text("x = '漢'\n" + TRAIN[TRAIN.index("\t") :], encoding="utf-8")
    assert "criterion" in run(env={"PYTHONIOENCODING": "ascii"}).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("env", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colors_are_for_terminals(env: dict[str, str], colored: bool) -> None:
    import pty

    code = STAND_IN.format(tests=str(Path(__file__).parent))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "60", **env},
    )
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 65536):
            output += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 1
    assert (b"\x1b[31m" in output) is colored
    lines = re.sub(r"\x1b\[\d+m", "", output.decode()).splitlines()
    assert all(len(line) <= 60 for line in lines[1:-1])


def test_rules_are_listed() -> None:
    assert run("rules").stdout == (
        "TLL101  softmax-before-cross-entropy  error       Softmax before cross-entropy.\n"
        "TLL204  bce-for-multi-class           note (off)  Advice.\n"
    )


@pytest.mark.parametrize("rule", ["TLL101", "tll101", "softmax-before-cross-entropy"])
def test_explain(rule: str) -> None:
    assert run("explain", rule).stdout == (
        "TLL101 softmax-before-cross-entropy (error)\n\n"
        "Softmax before cross-entropy.\n\nWhat it does\n    Finds it.\n"
    )


def test_help_shows_the_options_of_check() -> None:
    done = real("--help")
    assert done.returncode == 0
    assert "--select RULES" in done.stdout
    assert "explain" in done.stdout
    assert real("-h").stdout == done.stdout


def test_several_formats_at_once() -> None:
    done = run("--format", "sarif:out.sarif,json:out.json,text", "--statistics")
    assert done.returncode == 1
    assert "TLL101" in done.stdout
    assert re.search(r"^1  TLL101  softmax-before-cross-entropy$", done.stdout, re.MULTILINE)
    assert json.loads(Path("out.sarif").read_text())["version"] == "2.1.0"
    assert json.loads(Path("out.json").read_text())["findings"][0]["code"] == "TLL101"
    assert sorted(p.name for p in Path().iterdir() if p.name.startswith(".")) == []


def test_a_report_takes_the_place_of_the_old_one_whole() -> None:
    Path("old").mkdir()
    Path("old/out.json").write_text("{")
    os.chmod("old/out.json", 0o640)
    Path("out.json").symlink_to("old/out.json")
    assert run("--format", "json:out.json").returncode == 1
    assert Path("out.json").is_symlink()
    assert json.loads(Path("old/out.json").read_text())["findings"]
    assert stat.S_IMODE(os.stat("old/out.json").st_mode) == 0o640
    assert os.listdir("old") == ["out.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_written_to() -> None:
    """`--format json:/dev/stdout` and the like are no files whose place could be taken."""
    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    done = run("--format", "json:pipe")
    reader.join(timeout=60)
    assert done.returncode == 1
    assert json.loads(read[0])["findings"]
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
