"""The cache changes how long a run takes, and nothing else."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import NoReturn

import msgspec
import pytest
from msgspec.structs import replace

from torchlosslint import cache, engine, part
from torchlosslint.cache import FOLDER, Cache, clean
from torchlosslint.cli.main import main
from torchlosslint.config import Settings
from torchlosslint.finding import Report
from torchlosslint.outcome import Outcome, decode_pack, encode
from torchlosslint.program.resolve import Resolver
from torchlosslint.syntax import ir

MODEL = """\
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(x).softmax(1)
"""
SOUND = MODEL.replace(".softmax(1)", "")
TRAIN = """\
import torch
from torch import nn
from model import Net

net, criterion = Net(), nn.CrossEntropyLoss()
loss = criterion(net(torch.randn(4, 8)), torch.tensor([0, 1, 2, 0]))
"""
OTHER = """\
import torch
import torch.nn.functional as F

def step(x, y):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(x), y)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a program of two files, and one of one file."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("model.py").write_text(MODEL)
    Path("train.py").write_text(TRAIN)
    Path("other.py").write_text(OTHER)
    return folder


def plain(report: Report) -> Report:
    """A report without what may differ between runs."""
    return replace(report, times={}, notes=[])


def run(*paths: str, **changes: object) -> Report:
    """A run with the cache, which must say what one without it says."""
    settings = Settings(**changes)  # type: ignore[arg-type]
    report = engine.lint(paths or (".",), settings, cache=FOLDER)
    assert plain(report) == plain(engine.lint(paths or (".",), settings))
    return report


def found(report: Report) -> list[tuple[str, str]]:
    return [(f.location.path, f.code) for f in report.findings]


BOTH = [("other.py", "TLL104"), ("train.py", "TLL101")]


def entries() -> list[Path]:
    return sorted(p for p in Path(FOLDER).iterdir() if p.name[1] == "-")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The parts that were interpreted with a cache at hand."""
    done: list[tuple[str, ...]] = []
    whole = part.Shop.do

    def do(self: part.Shop, job: part.Job) -> Outcome:
        if self.cache is not None:
            done.append(job.files)
        return whole(self, job)

    monkeypatch.setattr(part.Shop, "do", do)
    return done


def test_a_second_run_interprets_nothing(work: list[tuple[str, ...]]) -> None:
    assert found(run()) == BOTH
    assert len(work) == 2
    work.clear()
    assert found(run()) == BOTH
    assert work == []


def forget(kind: str) -> None:
    """Remove the entries of a kind."""
    gone = [path for path in entries() if path.name.startswith(f"{kind}-")]
    assert gone
    for path in gone:
        path.unlink()


@pytest.mark.parametrize("kinds", ["o", "p", "e", "s", "oe", "pe", "se", "ps"])
def test_any_of_the_entries_will_do(kinds: str, work: list[tuple[str, ...]]) -> None:
    """A pack has the outcomes of all parts, and what is lost of the rest is found out anew."""
    assert found(run()) == BOTH
    work.clear()
    for kind in kinds:
        forget(kind)
    assert found(run()) == BOTH
    assert work == []
    assert found(run()) == BOTH


def test_a_pack_knows_the_parts_that_did_not_change(work: list[tuple[str, ...]]) -> None:
    run()
    forget("o")
    work.clear()
    Path("other.py").write_text("# changed\n" + OTHER)
    assert found(run()) == BOTH
    assert work == [("other.py",)]


def test_where_nothing_changed_no_import_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run()

    def looked_up(*args: object) -> NoReturn:
        raise AssertionError("an import was looked up")

    monkeypatch.setattr(Resolver, "files_of", looked_up)
    assert found(engine.lint((".",), Settings(), cache=FOLDER)) == BOTH
    Path("new.py").touch()
    with pytest.raises(AssertionError, match="looked up"):
        engine.lint((".",), Settings(), cache=FOLDER)


def test_a_pack_whose_parts_make_no_sense_is_not_used() -> None:
    run()
    (path,) = (path for path in entries() if path.name.startswith("p-"))
    pack = decode_pack(path.read_bytes()[cache.SIZE :])
    assert pack is not None
    assert len(pack.parts) == 2
    pack.sign = b"other"
    for each in pack.parts:
        each.bonds = msgspec.Raw(b"\xc0")
    data = encode(pack)
    assert data is not None
    path.write_bytes(cache.digest(data) + data)
    assert found(run()) == BOTH


def test_a_second_run_does_not_load_the_parser() -> None:
    assert main(["."]) == 1
    code = (
        "import sys\nfrom torchlosslint.cli.main import main\nmain(['.'])\n"
        "print(sorted({'libcst', 'torch', 'torchlosslint.part'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "TLL101" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def write(path: str, text: str) -> Callable[[], object]:
    def change() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)

    return change


@pytest.mark.parametrize(
    ("paths", "change", "expected"),
    [
        ((), write("model.py", SOUND), BOTH[:1]),
        ((), write("model.py", MODEL.replace("softmax", "sigmoid")), None),
        ((), lambda: Path("model.py").unlink(), BOTH[:1]),
        ((), lambda: Path("other.py").unlink(), BOTH[1:]),
        # Of the same length, at once after the run.
        ((), write("model.py", MODEL.replace(".softmax(1)", " +.000000 ")), BOTH[:1]),
        # A package wins over a module of its name.
        ((), write("model/__init__.py", SOUND), BOTH[:1]),
        # What the run was not told to look at, but reads.
        (("train.py",), write("model.py", SOUND), []),
        (("train.py",), write("model/__init__.py", SOUND), []),
        (("train.py",), lambda: Path("model.py").unlink(), []),
        (("train.py",), write("model.py", "def f(:\n"), [("model.py", "TLL001")]),
        (("train.py",), write("torch/__init__.py", "x = 1\n"), []),
        ((), write("more.py", TRAIN), [("more.py", "TLL101"), *BOTH]),
        ((), write("train.py", "\n" + TRAIN), BOTH),
        ((), write("model.py", "def f(:\n"), [("model.py", "TLL001"), BOTH[0]]),
    ],
)
def test_changes_are_seen(
    paths: tuple[str, ...], change: Callable[[], object], expected: list[tuple[str, str]] | None
) -> None:
    before = found(run(*paths))
    change()
    after = found(run(*paths))
    if expected is not None:
        assert after == expected
    assert before == (BOTH if not paths else BOTH[1:])


def test_a_module_that_appears(work: list[tuple[str, ...]]) -> None:
    """What was looked for in vain is part of what an outcome depends on."""
    Path("model.py").unlink()
    assert found(run("train.py")) == []
    work.clear()
    assert found(run("train.py")) == []
    assert work == []
    Path("src").mkdir()
    Path("src/model.py").write_text(MODEL)
    assert found(run("train.py")) == BOTH[1:]


def test_many_changes_in_a_row() -> None:
    """Files come, go and change at random; a run with the cache never differs from one without."""
    texts = [MODEL, SOUND, TRAIN, OTHER, "import model\n", "from .model import Net\n", "def f(:\n", "\0"]
    names = ["model.py", "train.py", "other.py", "src/model.py", "a/__init__.py", "a/model.py", "a/train.py"]
    dice = random.Random(6)
    for _ in range(12):
        path = Path(dice.choice(names))
        if path.exists() and dice.random() < 0.3:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(dice.choice(texts))
        run()
        if Path("train.py").exists():
            run("train.py")


def test_settings_that_matter_have_their_own_outcomes() -> None:
    assert found(run()) == BOTH
    assert found(run(ignore=("TLL101",))) == BOTH[:1]
    assert found(run(select=("TLL101",))) == BOTH[1:]
    assert run(verbose=True).loss_calls.seen == 2
    assert found(run()) == BOTH


def test_other_sources_of_the_tool_have_their_own_entries(tmp_path: Path) -> None:
    first, second = Cache(str(tmp_path / "c"), b"1"), Cache(str(tmp_path / "c"), b"2")
    first.store("o", b"key", b"data")
    assert first.load("o", b"key") == b"data"
    assert second.load("o", b"key") is None
    assert first.load("i", b"key") is None


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "flipped", "sealed", "folder", "link"])
def test_broken_entries_heal(damage: str, tmp_path: Path) -> None:
    """Whatever is in the place of an entry: the run is right, and so is the next."""
    assert found(run()) == BOTH
    for path in entries():
        data = path.read_bytes()
        path.unlink()
        if damage == "empty":
            path.touch()
        elif damage == "cut":
            path.write_bytes(data[:-1])
        elif damage == "noise":
            path.write_bytes(os.urandom(100))
        elif damage == "flipped":
            path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        elif damage == "sealed":  # as somebody would who knows the checksum
            path.write_bytes(cache.digest(b"\x93\xc0\xc0\xc0") + b"\x93\xc0\xc0\xc0")
        elif damage == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero" if os.path.exists("/dev/zero") else tmp_path)
    assert found(run()) == BOTH
    assert found(run()) == BOTH


def test_an_index_that_lies_about_a_file_is_not_believed_for_long() -> None:
    """Outcomes are found by the contents of files: the index only saves reading them."""
    run()
    text = Path("model.py").read_text()
    Path("model.py").write_text(SOUND)
    run()
    Path("model.py").write_text(text)
    assert found(run()) == BOTH


def notes() -> list[str]:
    report = engine.lint((".",), Settings(), cache=FOLDER)
    assert found(report) == BOTH
    return report.notes


def test_a_tree_that_cannot_be_written() -> None:
    """The run goes on without a cache, and says so once."""
    Path(FOLDER).write_text("in the way")
    assert notes() == ["nothing is kept for the next run: File exists"]
    assert Path(FOLDER).read_text() == "in the way"


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert main(["."]) == 1
    said = capsys.readouterr().err
    assert said == "torchlosslint: nothing is kept for the next run: No space left on device\n"
    assert sorted(p.name for p in Path(FOLDER).iterdir()) == [".gitignore", "CACHEDIR.TAG"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A repository may hold one that leads out of the tree."""
    (tmp_path / "home").mkdir()
    Path(FOLDER).symlink_to(tmp_path / "home")
    assert notes() == [f"nothing is kept for the next run: {FOLDER} is a link"]
    assert list((tmp_path / "home").iterdir()) == []
    assert main(["clean"]) == 2


def test_runs_at_the_same_time_agree() -> None:
    command = [sys.executable, "-m", "torchlosslint", ".", "--format", "json"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    said = [each.communicate(timeout=120) for each in runs]
    assert {each.returncode for each in runs} == {1}
    assert len(set(said)) == 1
    assert said[0][1] == b""
    assert [p.name for p in Path(FOLDER).iterdir() if p.name.startswith("draft-")] == []
    assert found(run()) == BOTH


def test_git_ignores_it() -> None:
    run()
    assert Path(FOLDER, ".gitignore").read_text().splitlines()[-1] == "*"


def test_no_cache_leaves_nothing_behind() -> None:
    assert main([".", "--no-cache"]) == 1
    assert not Path(FOLDER).exists()


def test_clean_removes_the_cache_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    Path(FOLDER, "notes.txt").write_text("mine")
    count = len(entries())
    assert main(["clean"]) == 0
    assert capsys.readouterr().out == f"{FOLDER}: {count} entries removed\n"
    assert [p.name for p in Path(FOLDER).iterdir()] == ["notes.txt"]
    Path(FOLDER, "notes.txt").unlink()
    assert found(run()) == BOTH
    clean(FOLDER)
    assert not Path(FOLDER).exists()
    assert main(["clean"]) == 0


def test_the_oldest_go_when_there_is_no_room(tmp_path: Path) -> None:
    store = Cache(str(tmp_path / "c"), b"")
    for number in range(10):
        store.store("o", bytes([number]), bytes(1000))
        os.utime(store._path("o", bytes([number])), (number, number))
    assert store.load("o", b"\0") is not None  # which marks it as used
    store.prune(6000)
    left = [number for number in range(10) if store.load("o", bytes([number])) is not None]
    assert left == [0, 7, 8, 9]


def test_a_module_comes_back_as_it_was() -> None:
    from torchlosslint.syntax.parse import parse_safely

    text = dedent(
        """
        x = [1, 1.0, True, None, "1", 1e999, -0.0, 'caf\u00e9']
        async def f(a, /, b=2, *c, d: int = 3, **e) -> str:
            return f"{a!r:>{b}}" if (y := await g(*c, **e)) else [z for z in e if z]
        """
    )
    module = parse_safely("x.py", text)
    data = part.encoded_module(module)
    assert data is not None
    again = part._decoder.decode(data)
    assert repr(again) == repr(module)
    assert isinstance(again, ir.Module)


@pytest.mark.parametrize("text", ["x = 99999999999999999999999\n", "x = '\\ud800'\n"])
def test_what_the_format_cannot_hold_is_parsed_each_time(text: str) -> None:
    Path("other.py").write_text(OTHER + text)
    assert found(run()) == BOTH
    assert found(run()) == BOTH
