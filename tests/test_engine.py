"""Bad input, end to end: a clear message, the right exit status, and the other files are still linted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import torchlosslint.engine as engine
import torchlosslint.part as part
from torchlosslint.cli.main import main
from torchlosslint.config import ConfigError, Settings
from torchlosslint.finding import Report
from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.program.module import ModuleInfo
from torchlosslint.rule import load_rules
from torchlosslint.sources import notebook
from torchlosslint.sources.decode import SourceError, read_bytes
from torchlosslint.sources.discovery import Discovery, DiscoveryError, discover

GOOD = """\
import torch.nn as nn
import torch.nn.functional as F


def step(x, y):
    out = F.softmax(nn.Linear(8, 4)(x), dim=1)
    return nn.CrossEntropyLoss()(out, y)
"""
FOUND = ("good.py", 7, "TLL101")
# Whatever is put before it, a file with these words is one that the screen wants parsed.
LOSS = "loss = nn.CrossEntropyLoss()(out, y)\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one file that can be linted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text(GOOD)
    return tmp_path


def lint(*paths: str, **changes: object) -> Report:
    return engine.lint(paths or (".",), Settings(no_cache=True, **changes))  # type: ignore[arg-type]


def found(report: Report) -> list[tuple[str, int, str]]:
    return [(f.location.path, f.location.line, f.code) for f in report.findings]


def unreadable(report: Report, name: str) -> str:
    """The message of the one TLL001 for `name`; the good file must have its finding all the same."""
    assert FOUND in found(report)
    bad = [f for f in report.findings if f.code == "TLL001"]
    assert [f.location.path for f in bad] == [name]
    assert [s.path for s in report.skipped] == [name]
    assert bad[0].severity == "error"
    assert bad[0].message == report.skipped[0].reason
    assert bad[0].help
    return bad[0].message


# ---- paths -----------------------------------------------------------------------------


def test_a_good_file() -> None:
    report = lint()
    assert found(report) == [FOUND]
    assert (report.files_checked, report.files_parsed, report.skipped) == (1, 1, [])
    assert (report.loss_calls.seen, report.loss_calls.judged, report.loss_calls.unknown) == (1, 1, 0)


def test_a_missing_path() -> None:
    with pytest.raises(DiscoveryError, match=r"no such file or folder: missing\.py"):
        lint("good.py", "missing.py")


def test_an_unknown_rule() -> None:
    with pytest.raises(ConfigError, match="unknown selector 'TLL999'"):
        lint(select=("TLL999",))


def test_an_empty_folder() -> None:
    Path("empty").mkdir()
    report = lint("good.py", "empty")
    assert found(report) == [FOUND]
    assert [(s.path, s.reason) for s in report.skipped] == [("empty", "no Python files in this folder")]


def test_a_file_that_is_not_python() -> None:
    Path("notes.txt").write_text("nothing")
    report = lint("good.py", "notes.txt")
    assert found(report) == [FOUND]
    assert [(s.path, s.reason) for s in report.skipped] == [("notes.txt", "not a Python file")]


def test_the_same_file_twice() -> None:
    report = lint("good.py", "./good.py", ".", os.path.abspath("good.py"))
    assert len(report.findings) == 1
    assert report.files_checked == 1


def test_the_same_code_under_two_roots() -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "good.py").write_text(GOOD)
    assert [path for path, _, _ in found(lint("a", "b"))] == ["a/good.py", "b/good.py"]


def test_absolute_paths_stay_absolute(project: Path) -> None:
    assert [path for path, _, _ in found(lint(str(project)))] == [f"{project.as_posix()}/good.py"]


def test_an_odd_name() -> None:
    name = "my net (1) \N{GREEK SMALL LETTER ALPHA}.py"
    Path(name).write_text(GOOD)
    assert [path for path, _, _ in found(lint(name))] == [name]


def test_an_empty_file_and_one_of_comments() -> None:
    Path("empty.py").touch()
    Path("comments.py").write_text("# nothing\n\n# no newline at the end")
    report = lint("empty.py", "comments.py", "good.py")
    assert found(report) == [FOUND]
    assert report.files_parsed == 3


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_that_lead_back() -> None:
    Path("deep").mkdir()
    Path("deep", "loop").symlink_to("..", target_is_directory=True)
    Path("self.py").symlink_to("self.py")
    Path("gone.py").symlink_to("nowhere.py")
    report = lint()
    assert found(report) == [FOUND]
    assert report.files_checked == 1
    assert {s.path for s in report.skipped} == {"gone.py", "self.py"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_on_the_command_line() -> None:
    Path("link.py").symlink_to("good.py")
    Path("self.py").symlink_to("self.py")
    assert [code for _, _, code in found(lint("link.py"))] == ["TLL101"]
    with pytest.raises(DiscoveryError, match=r"no such file or folder: self\.py"):
        lint("self.py")


# ---- bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(bytes(range(256)) + LOSS.encode(), "null byte: this is a binary file", id="binary"),
        pytest.param(b"\x7fELF\0\0" + LOSS.encode(), "null byte", id="program"),
        pytest.param(b"# \xe9\xe8\n" + LOSS.encode(), "byte 0xe9 cannot be decoded as UTF-8", id="latin-1"),
        pytest.param(b"# coding: klingon\n" + LOSS.encode(), "unknown encoding 'klingon'", id="klingon"),
        pytest.param(b"# coding: hex\n" + LOSS.encode(), "encoding 'hex' cannot be used", id="hex"),
        pytest.param(
            b"\xef\xbb\xbf# coding: latin-1\n" + LOSS.encode(), "byte order mark", id="two-encodings"
        ),
        pytest.param(b"def f(:\n" + LOSS.encode(), "", id="syntax"),
        pytest.param(LOSS.encode() + b'print "loss:", loss\n', "Python 2", id="python-2-print"),
        pytest.param(LOSS.encode() + b"raise ValueError, 'bad'\n", "Python 2", id="python-2-raise"),
        pytest.param(LOSS.encode() + b"exec 'x = 1'\n", "", id="python-2-exec"),
        pytest.param(LOSS.encode() + b"    x = 1\n", "", id="indentation"),
        pytest.param(b"if x:\n\ty = 1\n        z = 1\n" + LOSS.encode(), "", id="tabs-and-spaces"),
        pytest.param(b"s = '''\n" + LOSS.encode(), "", id="open-string"),
        pytest.param(b"x = (1,\n" + LOSS.encode(), "", id="open-bracket"),
        pytest.param(b"<<<<<<< HEAD\n" + LOSS.encode() + b"=======\n>>>>>>> x\n", "", id="merge-conflict"),
        pytest.param(b"<html><body>404: " + LOSS.encode(), "", id="html"),
    ],
)
def test_a_file_that_cannot_be_read(data: bytes, message: str) -> None:
    Path("bad.py").write_bytes(data)
    said = unreadable(lint(), "bad.py")
    assert message in said
    assert "Traceback" not in said
    assert main([".", "--no-cache"]) == 1
    assert main([".", "--no-cache", "--exit-zero"]) == 0
    assert main([".", "--no-cache", "--ignore", "TLL001,TLL101"]) == 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbf" + GOOD.encode(), id="byte-order-mark"),
        pytest.param(GOOD.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(GOOD.replace("\n", "\r").encode(), id="cr"),
        pytest.param(GOOD.replace("\n\n\n", "\n\f\n\n", 1).encode(), id="form-feed"),
        pytest.param(GOOD.replace("\n\n\n", "\n \n\t\n", 1).encode(), id="blanks"),
        pytest.param(GOOD.replace("import", "# coding: latin-1; \xe9\nimport", 1).replace(
            "\n\n\n", "\n\n", 1).encode("latin-1"), id="latin-1"),
        pytest.param(GOOD.rstrip("\n").encode(), id="no-last-newline"),
        pytest.param(GOOD.replace("out", "ausgäbe").encode(), id="unicode-names"),
        pytest.param(GOOD.replace("    ", "\t").encode(), id="tabs"),
        pytest.param(GOOD.replace("(out, y)", "(\\\n  out, y)").encode(), id="continued"),
    ],
)  # fmt: skip
def test_a_file_that_is_written_another_way(data: bytes) -> None:
    Path("good.py").write_bytes(data)
    report = lint()
    assert [f.code for f in report.findings] == ["TLL101"]
    assert report.findings[0].location.line == 7
    assert report.skipped == []


def test_columns_count_characters() -> None:
    Path("good.py").write_text(GOOD.replace("    return ", "    s = '漢字😀'; return "), encoding="utf-8")
    (finding,) = lint().findings
    line = Path("good.py").read_text(encoding="utf-8").splitlines()[6]
    place = finding.location
    assert line[place.column - 1 : place.end_column - 1] == "nn.CrossEntropyLoss()(out, y)"


def test_python_2_that_nothing_needs_is_left_alone() -> None:
    Path("old.py").write_text('print "hello"\n')
    report = lint()
    assert found(report) == [FOUND]
    assert (report.files_checked, report.files_parsed) == (2, 1)
    assert [code for _, _, code in found(lint("old.py"))] == ["TLL001"], "named, it is checked"


def test_a_broken_file_that_is_imported() -> None:
    Path("broken.py").write_text("class Net(:\n")
    Path("train.py").write_text("from broken import Net\n" + GOOD + "\nF.cross_entropy(Net()(1), 2)\n")
    report = lint(verbose=True)
    assert found(report) == [
        *[("broken.py", 1, "TLL001")],
        FOUND,
        ("train.py", 8, "TLL101"),
    ]
    assert report.loss_calls.unknown == 1


def test_the_finding_is_where_the_trouble_is() -> None:
    Path("bad.py").write_text("import torch\n\n" + LOSS + "x = = 1\n")
    (finding,) = (f for f in lint().findings if f.code == "TLL001")
    assert finding.location.line == 4


# ---- sizes -----------------------------------------------------------------------------

SECONDS = 30.0  # each takes a second or two on a quiet machine


def quickly(*paths: str) -> Report:
    start = time.monotonic()
    report = lint(*paths)
    assert time.monotonic() - start < SECONDS
    return report


def test_five_megabytes_of_numbers() -> None:
    table = "DATA = [\n" + "    " + "12345, " * 700_000 + "\n]\n"
    assert len(table) > 4_900_000
    Path("table.py").write_text(table + "def my_loss(x): return x\n")
    Path("train.py").write_text("from table import DATA, my_loss\n" + GOOD)
    report = quickly()
    assert [f for f in found(report) if f[2] == "TLL101"] == [FOUND, ("train.py", 8, "TLL101")]
    assert [f for f in found(report) if f[0] == "table.py"] in ([], [("table.py", 1, "TLL001")])


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("x = " + "(" * 2000 + "1" + ")" * 2000, id="parentheses"),
        pytest.param("x = " + "[" * 2000 + "]" * 2000, id="lists"),
        pytest.param("x = " + "f(" * 2000 + ")" * 2000, id="calls"),
        pytest.param("x = " + "(" * 2000, id="never-closed"),
        pytest.param("x = " + "-" * 5000 + "1", id="minus"),
        pytest.param("x = " + "not " * 5000 + "1", id="not"),
        pytest.param("x = " + "1 + " * 20_000 + "1", id="sum"),
        pytest.param("x = y" + ".a" * 5000, id="attributes"),
        pytest.param("x = " + "lambda: " * 3000 + "1", id="lambdas"),
        pytest.param("if a:\n    pass\n" + "elif a:\n    pass\n" * 10_000, id="elif"),
        pytest.param(
            "".join(" " * i + "if a:\n" for i in range(1000)) + " " * 1000 + "pass", id="nested-ifs"
        ),
        pytest.param("x = '" + "a" * 3_000_000 + "'", id="one-string"),
        pytest.param("x = 1\n" * 150_000, id="statements"),
        pytest.param("x = " + "1" * 10_000, id="one-number"),
    ],
)
def test_code_that_no_person_wrote(code: str) -> None:
    Path("made.py").write_text(code + "\n" + LOSS)
    report = quickly()
    assert FOUND in found(report)
    assert {f for f in found(report) if f != FOUND} <= {
        ("made.py", line, "TLL001") for _, line, _ in found(report)
    }
    assert bool(report.skipped) == (len(report.findings) > 1)


# ---- what happens meanwhile --------------------------------------------------------------


def test_a_file_that_disappears_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.py").write_text(GOOD)

    def then_remove(paths: tuple[str, ...], *more: Any) -> Discovery:
        result = discover(paths, *more)
        Path("bad.py").unlink()
        return result

    monkeypatch.setattr(engine, "discover", then_remove)
    assert "does not exist (any more)" in unreadable(lint(), "bad.py")


def test_utf_16_when_it_is_named() -> None:
    Path("bad.py").write_bytes(("\ufeff" + LOSS).encode("utf-16-le"))
    assert "the file is UTF-16" in unreadable(lint("good.py", "bad.py"), "bad.py")


@pytest.mark.parametrize(
    "read",
    [
        2,
        3,
    ],
)
def test_a_file_that_disappears_later(monkeypatch: pytest.MonkeyPatch, read: int) -> None:
    """Before it is parsed, and before positions are looked up for its finding."""
    Path("bad.py").write_text(GOOD)
    times = 0

    def vanishing(path: str) -> bytes | SourceError:
        nonlocal times
        times += path == "bad.py"
        if path == "bad.py" and times == read:
            Path("bad.py").unlink()
        return read_bytes(path)

    monkeypatch.setattr(notebook, "read_bytes", vanishing)
    assert "does not exist (any more)" in unreadable(lint(), "bad.py")


def test_a_file_that_changes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.py").write_text(GOOD)
    times = 0

    def changing(path: str) -> bytes | SourceError:
        nonlocal times
        times += path == "bad.py"
        if path == "bad.py" and times == 3:
            Path("bad.py").write_text("x = 1\n")
        return read_bytes(path)

    monkeypatch.setattr(notebook, "read_bytes", changing)
    assert FOUND in found(lint())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission() -> None:
    Path("bad.py").write_text(GOOD)
    Path("bad.py").chmod(0)
    assert "no permission" in unreadable(lint(), "bad.py")


def test_no_permission_as_the_system_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.py").write_text(GOOD)

    def forbidding(path: str) -> bytes | SourceError:
        if path == "bad.py":
            return SourceError(path, 1, 1, "cannot read the file: no permission")
        return read_bytes(path)

    monkeypatch.setattr(notebook, "read_bytes", forbidding)
    assert "no permission" in unreadable(lint(), "bad.py")


# ---- imports ---------------------------------------------------------------------------


def test_a_package_called_torch() -> None:
    """Whose name hides the library: then nothing is known of its losses, and nothing is said."""
    Path("torch", "nn").mkdir(parents=True)
    Path("torch", "__init__.py").touch()
    Path("torch", "nn", "__init__.py").write_text(
        "class CrossEntropyLoss:\n    def __call__(self, out, y):\n        return out\n\n"
        "class Linear:\n    def __init__(self, a, b):\n        pass\n\n"
        "    def __call__(self, x):\n        return x\n"
    )
    Path("torch", "nn", "functional.py").write_text("def softmax(x, dim):\n    return x\n")
    assert found(lint()) == []


def test_a_folder_called_torch() -> None:
    Path("torch").mkdir()
    Path("torch", "export.py").write_text("loss = 1\n")
    assert found(lint()) == [FOUND]


@pytest.mark.parametrize("name", ["typing", "dataclasses", "functools", "argparse", "os"])
def test_a_module_called_like_one_of_python(name: str) -> None:
    Path(f"{name}.py").write_text("x = 1\n")
    Path("good.py").write_text(f"import {name}\n" + GOOD)
    assert found(lint()) == [("good.py", 8, "TLL101")]


def test_modules_that_import_one_another() -> None:
    Path("a.py").write_text("import b\nfrom b import Net\nimport a\nfrom a import *\n" + GOOD)
    Path("b.py").write_text(
        "import torch.nn as nn\nfrom a import step\nimport b\n\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(8, 4)\n\n"
        "    def forward(self, x):\n        return self.fc(x).softmax(1)\n"
    )
    Path("c.py").write_text(
        "import torch.nn.functional as F\nfrom a import Net\nF.cross_entropy(Net()(1), 2)\n"
    )
    assert found(lint()) == [("a.py", 11, "TLL101"), ("c.py", 3, "TLL101"), FOUND]


def test_a_package_whose_parts_import_one_another() -> None:
    Path("pkg").mkdir()
    Path("pkg", "__init__.py").write_text("from .net import Net\nfrom .train import *\n__all__ = ['Net']\n")
    Path("pkg", "net.py").write_text(
        "from . import train\nimport torch.nn as nn\n\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        return nn.Linear(8, 4)(x).softmax(1)\n"
    )
    Path("pkg", "train.py").write_text(
        "import torch.nn.functional as F\n\ndef main():\n    from pkg import Net\n"
        "    F.cross_entropy(Net()(1), 2)\n"
    )
    assert found(lint()) == [FOUND, ("pkg/train.py", 5, "TLL101")]


def test_a_long_chain_of_imports() -> None:
    for i in range(300):
        Path(f"m{i}.py").write_text(f"from m{i + 1} import step\n")
    Path("m300.py").write_text(GOOD)
    assert found(quickly()) == [FOUND, ("m300.py", 7, "TLL101")]


# ---- the whole command -------------------------------------------------------------------


def test_the_rules_are_put_back_to_work_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside the engine ends the run with 2, and leaves the process usable."""
    import gc

    def crash(*args: object) -> None:
        raise RuntimeError("something broke")

    with monkeypatch.context() as patch:
        patch.setattr(part, "run_program", crash)
        assert main([".", "--no-cache"]) == 2
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert main([".", "--no-cache"]) == 1


def test_json_of_a_run_with_everything_in_it() -> None:
    Path("bad.py").write_bytes(b"# \xe9\n" + LOSS.encode())
    Path("old.py").write_text('print "x"\n')
    done = subprocess.run(
        [sys.executable, "-m", "torchlosslint", ".", "--format", "json", "--no-cache"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    said = json.loads(done.stdout)
    places = [(f["path"], f["line"], f["code"]) for f in said["findings"]]
    assert places == [("bad.py", 1, "TLL001"), FOUND]
    assert said["summary"]["files_checked"] == 3
    assert said["summary"]["files_parsed"] == 1
    assert [s["path"] for s in said["summary"]["skipped"]] == ["bad.py"]
    assert said["summary"]["loss_calls"] == {"seen": 1, "judged": 1, "unknown": 0}


def test_every_finding_has_a_rule_that_can_be_explained() -> None:
    Path("bad.py").write_text("def f(:\n" + LOSS)
    codes = {rule.code for rule in load_rules()}
    assert {f.code for f in lint().findings} <= codes


def test_selection_reaches_the_findings() -> None:
    assert found(lint(select=("TLL102",))) == []
    assert found(lint(ignore=("TLL101",))) == []
    Path("bad.py").write_text("def f(:\n" + LOSS)
    assert found(lint(select=("TLL102",))) == [("bad.py", 1, "TLL001")], "not checked is never clean"


def test_a_failure_of_the_interpreter_costs_one_entry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is told with the file's name, and the other files are still linted."""
    whole = Interpreter.run_module

    def run(self: Interpreter, info: ModuleInfo) -> None:
        if info.name == "broken":
            raise KeyError("missing")
        whole(self, info)

    monkeypatch.setattr(Interpreter, "run_module", run)
    program = """
        import torch
        from torch import nn

        net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
        loss = nn.CrossEntropyLoss()(net(torch.randn(2, 4)), torch.tensor([0, 1]))
        """
    for name in ("broken.py", "sound.py"):
        (tmp_path / name).write_text(dedent(program))
    report = engine.lint([tmp_path / "broken.py", tmp_path / "sound.py"], Settings())
    assert [Path(f.location.path).name for f in report.findings] == ["sound.py"]
    assert [(Path(s.path).name, "KeyError" in s.reason) for s in report.skipped] == [("broken.py", True)]


def test_what_a_file_imports_does_not_use_up_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file alone out of a large library: its own functions come before the hundreds that it imports."""
    monkeypatch.chdir(tmp_path)
    head = "import torch.nn.functional as F\n"
    idle = "    x = x + 1\n"
    library = "".join(f"def f{n}(x, y):\n{idle * 2}    return F.cross_entropy(x, y)\n" for n in range(1200))
    Path("library.py").write_text(head + library)
    late = f"def step(x, y):\n{idle * 100}    return F.cross_entropy(x.softmax(1), y)\n"
    Path("train.py").write_text(head + late + "import library\n")
    assert [f.code for f in lint("train.py").findings] == ["TLL101"]
