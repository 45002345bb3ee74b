"""Suppression comments, unused ones (TLL002), and writing them."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from adoption import OTHER, WRONG, Project, project_

from torchlosslint.sources.suppressions import Suppression, suppressions

__all__ = ["project_"]
LOSS, CAUSE = 6, 5  # the lines of WRONG


def commented(comment: str, line: int = LOSS, text: str = WRONG) -> str:
    """WRONG with a comment at the end of a line."""
    lines = text.splitlines()
    lines[line - 1] += f"  {comment}"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("line", [LOSS, CAUSE])
@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# NoQA",
        "# noqa: TLL101",
        "# noqa:TLL101,E501",
        "# noqa: E501 TLL101 some reason",
        "# noqa: tll1",
        "# noqa: softmax-before-cross-entropy",
        "# noqa: whatever this is",  # no code: bare, as flake8 has it
        "# torchlosslint: ignore",
        "# torchlosslint: ignore[TLL101]",
        "# torchlosslint: ignore[TLL101] the head is frozen, see issue #12",
        "# torchlosslint: ignore[TLL2, softmax-before-cross-entropy] reason",
        "# torchlosslint:ignore[TLL1]",
        "# type: ignore  # torchlosslint: ignore[TLL101] reason",
        "# torchlosslint: ignore[TLL101] reason  # noqa: E501",
    ],
)
def test_a_comment_hides_the_finding(project: Project, comment: str, line: int) -> None:
    project.write(train=commented(comment, line))
    outcome = project.run("--ignore", "TLL002")
    assert outcome.status == 0
    assert "1 suppressed" in outcome.out


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: E501",
        "# noqa: TLL102",
        "# noqa:E501 TLL101-ish",
        "# flake8: noqa",
        "# torchlosslint: see the docs",
        "# torchlosslint: ignore[TLL102]",
        "# torchlosslint: ignore[]",
        "# torchlosslint: ignore[TLL101",
        "# torchlosslint: ignore TLL101",
        "# torchlosslint: ignore-next-line[TLL101]",
        "# torchlosslint: ignored[TLL101]",
    ],
)
def test_a_comment_does_not(project: Project, comment: str) -> None:
    project.write(train=commented(comment))
    assert project.found("--ignore", "TLL002") == ["train.py:6 TLL101"]


def test_other_lines_do_not(project: Project) -> None:
    project.write(train=commented("# noqa", 4), string=commented('; s = "# noqa: TLL101"'))
    assert project.found() == ["string.py:6 TLL101", "train.py:6 TLL101"]


def test_next_line_and_file_forms(project: Project) -> None:
    loss = "    return nn.CrossEntropyLoss()"
    above = WRONG.replace(loss, f"    # torchlosslint: ignore-next-line[TLL101] r\n\n    # why\n{loss}")
    project.write(a=above, b=WRONG + "# torchlosslint: ignore-file[TLL101] frozen\n")
    assert project.found() == []


def test_a_call_over_several_lines(project: Project) -> None:
    call = "nn.CrossEntropyLoss()(\n        p,{}\n        y,\n    ){}"
    for within, after in (("  # noqa: TLL101", ""), ("", "  # noqa: TLL101")):
        project.write(train=WRONG.replace("nn.CrossEntropyLoss()(p, y)", call.format(within, after)))
        assert project.found() == []


def test_at_the_cause_in_another_file(project: Project) -> None:
    project.write(
        model="import torch.nn as nn\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        return x.softmax(1)  # torchlosslint: ignore[TLL101] probabilities are the interface\n",
        train="import torch.nn as nn\nfrom model import Net\ndef step(x, y):\n"
        "    return nn.CrossEntropyLoss()(Net()(x), y)\n",
    )
    assert project.found() == []
    assert project.found("train.py") == project.found("model.py") == []


def test_notebooks(project: Project) -> None:
    above, loss = WRONG[: WRONG.index("    return")], WRONG[WRONG.index("def step") :]
    cells = [
        above.replace("def step(x, y):\n", "%matplotlib inline\nif True:\n"),
        "x = 1  # noqa: TLL1",
        loss,
    ]
    book: dict[str, object] = {"nbformat": 4, "metadata": {}, "cells": []}
    for hidden in (False, True):
        if hidden:
            cells[2] = cells[2].replace(
                "(p, y)", "(p, y)  # torchlosslint: ignore[TLL101] a teaching example"
            )
        book["cells"] = [{"cell_type": "code", "source": text} for text in cells]
        project.put("a.ipynb", json.dumps(book))
        found = [(f["cell"], f["line"], f["code"]) for f in project.json().findings]
        assert found == [(2, 1, "TLL002"), *([] if hidden else [(3, 3, "TLL101")])]


def test_files_that_cannot_be_parsed(project: Project) -> None:
    project.write(
        a=WRONG + "print 'x'  # torchlosslint: ignore-file[TLL001] Python 2\n", b="loss = (\n# noqa: TLL101\n"
    )
    outcome = project.json("a.py")
    assert outcome.found == []
    assert project.found("b.py") == ["b.py:1 TLL001"]


@pytest.mark.parametrize("flag", [["--require-reason"], ["--config", "require-reason=true"]])
def test_reasons_can_be_required(project: Project, flag: list[str]) -> None:
    files = {
        "a": "# noqa: TLL101",
        "b": "# noqa: TLL101 frozen",
        "c": "# torchlosslint: ignore",
        "d": "# noqa",
    }
    for name, comment in files.items():
        project.write(**{name: commented(comment)})
    outcome = project.json(*flag)
    assert outcome.found == [
        *("a.py:6 TLL101", "a.py:6 TLL002"),
        *("c.py:6 TLL101", "c.py:6 TLL002"),
        "d.py:6 TLL101",  # a bare noqa is nobody's mistake, but it does not count
    ]
    assert "gives no reason" in outcome.findings[1]["message"]


def test_comments_are_read_only_where_there_may_be_some(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchlosslint.sources import suppressions as source

    texts: list[str] = []

    def read(text: str, names: object) -> list[Suppression]:
        texts.append(text)
        return suppressions(text)

    monkeypatch.setattr(source, "suppressions", read)
    project.write(plain=WRONG, clean="x = 1  # noqa\ny = 2  # a comment\n")
    assert project.found() == ["plain.py:6 TLL101"]
    assert texts == []
    project.write(hidden=commented("# noqa"), more="x = 1  # noqa: TLL101\n")
    assert project.found() == ["more.py:1 TLL002", "plain.py:6 TLL101"]
    assert len(texts) == 2


# ---- TLL002


def test_unused_suppressions(project: Project) -> None:
    project.write(
        train=commented("# noqa: TLL101,TLL301"),
        clean="x = 1  # torchlosslint: ignore[TLL101] old\ny = 2  # noqa\nz = 3  # noqa: E501\n"
        "t = 4  # torchlosslint: ignore\n",
    )
    outcome = project.json()
    assert outcome.found == ["clean.py:1 TLL002", "clean.py:4 TLL002", "train.py:6 TLL002"]
    assert outcome.status == 1
    first = outcome.findings[0]
    assert (first["severity"], first["column"], first["end_column"]) == ("warning", 8, 43)
    assert "TLL301 hides nothing" in outcome.findings[2]["message"]
    assert "TLL101" not in outcome.findings[2]["message"]
    project.put("clean.py", "# torchlosslint: ignore[TLL101] for the next line, it was thought\nx = 1\n")
    said = " ".join(project.run().out.split())
    assert "what hides findings in the line below is ignore-next-line[...]" in said


def test_only_what_was_asked_about_is_unused(project: Project) -> None:
    project.write(clean="x = 1  # noqa: TLL101\n", sub__a="x = 1  # noqa: TLL101\n")
    assert project.found("--ignore", "TLL101") == []
    assert project.found("--ignore", "TLL002") == []
    assert project.found("--select", "TLL101") == []
    assert project.found("--select", "TLL101,TLL002") == ["clean.py:1 TLL002", "sub/a.py:1 TLL002"]
    assert project.found("clean.py") == []  # named alone: what others do with it is not known
    assert project.found("clean.py", "--select", "TLL101,TLL002", ".") == [
        "clean.py:1 TLL002",
        "sub/a.py:1 TLL002",
    ]
    project.put("torchlosslint.toml", '[per-file-ignores]\n"sub/" = ["TLL1"]\n')
    assert project.found() == ["clean.py:1 TLL002"]


def test_suppressions_of_findings_that_are_not_shown_are_used(project: Project) -> None:
    maybe = "    p = layer(x)\n    if p.sum() > 0:\n        p = F.softmax(p, dim=1)"
    text = WRONG.replace("    p = F.softmax(layer(x), dim=1)", maybe)
    project.write(train=commented("# noqa: TLL101", 8, text))
    assert project.found() == project.found("--confidence", "possible") == []


@pytest.mark.parametrize(
    ("comment", "message", "hint"),
    [
        ("# noqa: TLL1O1", "TLL1O1 is no rule", "Did you mean TLL101?"),
        ("# noqa: TLL999", "TLL999 is no rule", "`torchlosslint rules` lists the rules."),
        ("# torchlosslint: ignore[E501] r", "E501 is no rule", "lists the rules"),
        (
            "# torchlosslint: ignore[softmax-before-crossentropy]",
            "is no rule",
            "mean softmax-before-cross-entropy?",
        ),
        (
            "# torchlosslint: ignore[TLL101",
            "the bracket is never closed",
            "Write # torchlosslint: ignore[TLL101]",
        ),
        ("# torchlosslint: ignore[ ]", "it names no rule", "Write"),
        ("# torchlosslint: ignore TLL101", "rules stand in brackets: ignore[TLL101]", "Write"),
        ("# torchlosslint: ignore-line[TLL101]", "'ignore-line' is none of", "Write"),
    ],
)
def test_suppressions_that_mean_nothing(project: Project, comment: str, message: str, hint: str) -> None:
    project.write(clean=f"x = 1  {comment}\n")
    for path in (".", "clean.py"):
        outcome = project.run("--format", "text", path)
        said = " ".join(outcome.out.split())
        assert outcome.status == 1
        assert "clean.py:1:8: TLL002 unused-suppression [warning]" in said
        assert message in said
        assert hint in said


def test_unused_suppressions_can_be_kept(project: Project) -> None:
    project.write(
        a="x = 1  # torchlosslint: ignore[TLL101, TLL002] comes and goes\n",
        b="# torchlosslint: ignore-file[TLL002] generated\nx = 1  # noqa: TLL101\n",
    )
    assert project.found() == []


# ---- --add-ignores


def test_add_ignores(project: Project) -> None:
    project.write(train=WRONG, tags=OTHER)
    outcome = project.run("--add-ignores", "known,  see issue #12")
    assert outcome == (0, "suppressed 2 findings in 2 files\n", "")
    assert Path("train.py").read_text() == commented("# torchlosslint: ignore[TLL101] known, see issue #12")
    assert project.found("--require-reason") == []
    assert project.run("--add-ignores", "again").out == "suppressed 0 findings in 0 files\n"


def test_add_ignores_keeps_bytes(project: Project) -> None:
    text = "\ufeff# Größe\r\n" + WRONG.replace("\n", "\r\n").rstrip()
    latin = "# -*- coding: latin-1 -*-\n# Größe\f\n" + WRONG.replace("(p, y)", "(p, y)  # größer")
    project.put("bom.py", text.encode("utf-8"))
    project.put("latin.py", latin.encode("latin-1"))
    os.chmod("latin.py", 0o754)
    Path("link.py").symlink_to("bom.py")
    assert project.run("--add-ignores", "schön").status == 0
    ours = "  # torchlosslint: ignore[TLL101] schön"
    assert Path("bom.py").read_bytes() == (text + ours).encode("utf-8")
    assert Path("latin.py").read_bytes() == latin.replace("größer", "größer" + ours).encode("latin-1")
    assert stat.S_IMODE(os.stat("latin.py").st_mode) == 0o754
    assert Path("link.py").is_symlink()
    assert project.found() == []


def test_add_ignores_finds_a_line(project: Project) -> None:
    loss = "nn.CrossEntropyLoss()(p, y)"
    project.write(
        backslash=WRONG.replace(f"return {loss}", "l = nn.CrossEntropyLoss()(p, \\\n        y)"),
        string=WRONG.replace(loss, '(nn.CrossEntropyLoss()(p, y), """\n  # text\n""")'),
        within=WRONG.replace(f"return {loss}", f"a = 1 + \\\n        {loss} + \\\n        1"),
        merged=commented("# torchlosslint: ignore[TLL104,] r"),
        noted=commented("# note"),
    )
    project.run("--add-ignores", "why", "--ignore", "TLL002")
    assert "        y)  # torchlosslint: ignore[TLL101] why\n" in Path("backslash.py").read_text()
    assert "    # torchlosslint: ignore-next-line[TLL101] why\n    return" in Path("string.py").read_text()
    assert Path("merged.py").read_text() == commented("# torchlosslint: ignore[TLL104, TLL101] r")
    assert Path("noted.py").read_text() == commented("# note  # torchlosslint: ignore[TLL101] why")
    for path in Path().glob("*.py"):
        compile(path.read_text(), path, "exec")
    assert project.found("--ignore", "TLL002") == ["within.py:7 TLL101"]


def test_add_ignores_says_what_is_left(project: Project) -> None:
    project.put("latin.py", ("# coding: latin-1\n" + WRONG).encode("latin-1"))
    project.put("bad.py", "loss = (\n")
    outcome = project.run("--add-ignores", "漢字", "bad.py", "latin.py")
    assert outcome.status == 1
    assert "left: bad.py:1: TLL001 is nothing that a comment can settle" in outcome.out
    assert "left: latin.py:7: the reason cannot be written in its encoding, iso8859-1" in outcome.out
    assert Path("latin.py").read_bytes() == ("# coding: latin-1\n" + WRONG).encode("latin-1")


def test_add_ignores_where_nothing_can_be_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    project.write(train=WRONG, tags=OTHER)
    monkeypatch.setattr(os, "replace", full)
    outcome = project.run("--no-cache", "--add-ignores", "r")
    assert outcome.status == 1
    assert "left: train.py:6: it cannot be written: No space left on device" in outcome.out
    assert "suppressed 0 findings in 0 files" in outcome.out
    assert Path("train.py").read_text() == WRONG
    assert sorted(os.listdir()) == ["tags.py", "train.py"]
