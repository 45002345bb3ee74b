"""Everything that a user may hand over, damaged: an answer comes out, never an internal error."""

from __future__ import annotations

import io
import json
import random
import re
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from torchlosslint.cli.main import main
from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.finding import IN_PART

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
WRONG = """\
import torch
import torch.nn.functional as F
from torch import nn

scores = torch.softmax(nn.Linear(3, 4)(torch.randn(2, 3)), 1)
F.cross_entropy(scores, torch.zeros(2).long())  # torchlosslint: ignore[TLL101] -- known
F.cross_entropy(scores, torch.zeros(2).long())  # noqa: TLL101,TLL102
# torchlosslint: ignore-next-line[softmax-before-cross-entropy] reason
F.cross_entropy(scores, torch.zeros(2).long())
F.cross_entropy(scores, torch.zeros(2).long())
"""
TOML = """\
extend-select = ["TLL401", "ALL"]
ignore = ["TLL118", "softmax-implicit-dim"]
exclude = ["build/", "*.pyi", "!keep.py", "[a-z]/**"]
src = ["src", "."]
respect-gitignore = true
confidence = "likely"
fail-on = "error"
torch = "2.4"
require-reason = false

[per-file-ignores]
"tests/" = ["TLL1"]
"*_demo.py" = ["ALL"]

[severity]
TLL109 = "note"

[losses."pkg.losses.FocalLoss"]
input = "logits"
arguments = ["input", "target"]
switches = [{when = {from_logits = false}, input = "probabilities"}]
"""
BASELINE = json.dumps({"version": 1, "files": {"program.py": {"TLL101": 2, "TLL116": 1}}}, indent=2)
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": ["# a\n"]},
            {"cell_type": "code", "source": ["%matplotlib inline\n", *WRONG.splitlines(keepends=True)]},
            {"cell_type": "code", "source": "!ls\nx = scores?\n%%time\ny = 1", "outputs": [], "metadata": {}},
        ],
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
    },
    indent=1,
)
WORD = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|\w+|\s+|.", re.DOTALL)
ODD = [
    *("", "\0", "\ud800", "\x1b[31m", "\u2028", "\r", "é", "9" * 5_000, "-1", "1e999", "0x", "'", '"', '"""'),
    *("[" * 300, "{" * 300, "[]", "{}", "null", "true", "nan", "\\", "..", "/", "\\u0000", "*" * 50, "[!"),
    *("((", "1979-13-45", "99:99", "\ufeff", "#", "=", ",", ":", "a" * 3_000),
]  # fmt: skip


def damaged(text: str, dice: random.Random, others: list[str]) -> str:
    """Words deleted, doubled, swapped, replaced by odd ones or by those of another text."""
    words = WORD.findall(text)
    for _ in range(dice.randint(1, 5)):
        i, j = dice.randrange(len(words)), dice.randrange(len(words))
        way = dice.randrange(6)
        if way == 0:
            words[i] = ""
        elif way == 1:
            words[i] *= 2
        elif way == 2:
            words[i], words[j] = words[j], words[i]
        elif way == 3:
            words[i] = dice.choice(ODD)
        elif way == 4:
            words[i] = dice.choice(WORD.findall(dice.choice(others)))
        else:
            lines = "".join(words).split("\n")
            k = dice.randrange(len(lines))
            lines[k:k] = dice.choice(others).split("\n")[:3]
            words = WORD.findall("\n".join(lines))
    return "".join(words)


def write(path: str, text: str) -> None:
    Path(path).write_bytes(text.encode("utf-8", "surrogatepass"))


def said(*args: str) -> tuple[int, str, str]:
    """The command line with these arguments: nothing escapes, and nothing a terminal obeys."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["check", "--no-cache", *args])
    assert status in (0, 1, 2)
    assert "internal error" not in err.getvalue() + out.getvalue(), err.getvalue()
    assert not set(out.getvalue() + err.getvalue()) & set("\0\x1b\x07")
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("program.py", WRONG)


KINDS: dict[str, tuple[str, str, list[str]]] = {
    "torchlosslint.toml": (TOML, "settings", ["."]),
    "pyproject.toml": (
        "[tool.torchlosslint]\n" + re.sub(r"^\[", "[tool.torchlosslint.", TOML, flags=re.M),
        "settings",
        ["."],
    ),
    "known.json": (BASELINE, "baseline", ["--baseline", "known.json", "."]),
    "book.ipynb": (NOTEBOOK, "notebook", ["book.ipynb"]),
    "program.py": (WRONG, "program", ["program.py", "--require-reason"]),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_damaged_input_gives_an_answer(name: str) -> None:
    text, _, args = KINDS[name]
    dice = random.Random(name)
    others = [other for other, _, _ in KINDS.values()]
    write(name, text)
    assert said(*args)[0] in (0, 1)
    statuses = set()
    for _ in range(40):
        write(name, damaged(text, dice, others))
        statuses.add(said(*args)[0])
    assert len(statuses) > 1 or name.endswith(("ipynb", ".py"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("known.json", BASELINE.replace("2", "9" * 5_000)),
        ("torchlosslint.toml", "line-length = " + "9" * 5_000),
        ("torchlosslint.toml", 'exclude = ["[", "[!", "**", "a**b", "/", "[a[b]"]'),
        ("torchlosslint.toml", 'exclude = ["\\\\"]'),
        ("torchlosslint.toml", 'exclude = ["!"]'),
        ("torchlosslint.toml", '[per-file-ignores]\n"[z-a]" = ["ALL"]'),
        ("torchlosslint.toml", 'exclude = ["' + "*a" * 20 + '"]'),
        ("book.ipynb", NOTEBOOK.replace("4", "9" * 5_000)),
        ("program.py", WRONG + "x = " + "9" * 5_000 + "\n"),
    ],
)
def test_what_was_found_so(name: str, text: str) -> None:
    write(name, text)
    status, _, err = said(*KINDS[name][2])
    assert (status == 2) == bool(err)
    assert err.count("\n") <= 1
    assert len(err) < 500


def test_patterns_of_git_that_are_none_are_passed_over(recwarn: pytest.WarningsRecorder) -> None:
    """As git does. One with many stars takes for ever on a name that is made for it."""
    Path(".git").mkdir()
    write(".gitignore", "\\\n!\n[z-a]\na\\\n[a[b]\n" + "*a" * 20 + "b\nleft_out.py\n")
    write("left_out.py", WRONG)
    write("a" * 120 + ".py", "x = 1\n")
    status, out, _ = said(".")
    assert status == 1
    assert "program.py" in out
    assert "left_out" not in out
    assert not recwarn.list


@pytest.mark.parametrize("seed", range(60))
def test_damaged_arguments(seed: int) -> None:
    dice = random.Random(seed)
    options = [
        *("--select", "--ignore", "--confidence", "--format", "--config", "--baseline", "--torch", "--jobs"),
        *(
            "--exclude",
            "--verbose",
            "--exit-zero",
            "--project",
            "--severity",
            "--output-file",
            "--require-reason",
        ),
    ]
    words = [
        "TLL1",
        "ALL",
        "json",
        "text",
        "sarif",
        "likely",
        "x=1",
        "select=['TLL1']",
        "losses.a.b=3",
        "torch=2",
    ]
    chosen = [dice.choice([options, words, ODD])[0:] for _ in range(dice.randint(1, 5))]
    said("program.py", *(dice.choice(group).replace("\0", "") for group in chosen))


def spliced(first: str, second: str, dice: random.Random) -> str:
    """Lines of one program with some of another between them."""
    lines, more = first.split("\n"), second.split("\n")
    for _ in range(dice.randint(1, 4)):
        i, j = dice.randrange(len(lines) + 1), dice.randrange(len(more))
        lines[i : i + dice.randint(0, 2)] = more[j : j + dice.randint(0, 4)]
    return "\n".join(lines)


def swapped(first: str, second: str, dice: random.Random) -> str:
    """One name of a program in the place of another."""
    names = sorted(set(re.findall(r"[A-Za-z_]\w*", first))) or [""]
    for _ in range(dice.randint(1, 4)):
        first = re.sub(rf"\b{dice.choice(names)}\b", dice.choice(names), first) if names[0] else first
    return first


WAYS: list[Callable[[str, str, random.Random], str]] = [
    lambda first, second, dice: damaged(first, dice, [second]),
    spliced,
    swapped,
]


@pytest.mark.parametrize("seed", range(6))
def test_damaged_programs_have_no_internal_error(seed: int) -> None:
    dice = random.Random(seed)
    texts = [
        p.read_text(encoding="utf-8") for p in sorted(FIXTURES.rglob("*.py")) if "tll001" not in p.as_posix()
    ]
    valid = 0
    for number in range(120):
        text = dice.choice(WAYS)(dice.choice(texts), dice.choice(texts), dice)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(text, "program", "exec")
            is_valid = True
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            is_valid = False
        if not is_valid and number % 4:
            continue
        write("program.py", text)
        settings = Settings(no_cache=True, verbose=True, confidence="possible", select=("ALL",))
        report = lint(["program.py"], settings)
        assert not any("internal" in s.reason for s in report.skipped), (report.skipped, text)
        if is_valid:
            valid += 1
            assert {s.reason for s in report.skipped} <= {IN_PART}, (report.skipped, text)
    assert valid > 20
