"""Baselines, through the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from adoption import OTHER, WRONG, Project, project_

__all__ = ["project_"]
TWICE = WRONG + WRONG[WRONG.index("def step") :].replace("step", "again")


def test_a_baseline_hides_what_is_known(project: Project) -> None:
    project.write(train=TWICE, a__tags=OTHER)
    outcome = project.run("--write-baseline", "known.json")
    assert outcome == (0, "known.json: 3 findings, which --baseline known.json will not report again\n", "")
    assert json.loads(Path("known.json").read_text()) == {
        "version": 1,
        "files": {"a/tags.py": {"TLL104": 1}, "train.py": {"TLL101": 2}},
    }
    outcome = project.run("--baseline", "known.json")
    assert outcome.status == 0
    assert "3 in the baseline" in outcome.out
    assert len(project.found()) == 3


def test_a_moved_line_is_no_news(project: Project) -> None:
    project.write(train=TWICE)
    project.run("--write-baseline", "known.json")
    project.write(train="# a line\n\n" + TWICE.replace("again", "more"))
    assert project.found("--baseline", "known.json") == []


def test_one_more_shows_all_of_the_file(project: Project) -> None:
    project.write(train=WRONG, tags=OTHER)
    project.run("--write-baseline", "known.json")
    project.write(train=TWICE, new=WRONG)
    outcome = project.json("--baseline", "known.json")
    assert outcome.found == ["new.py:6 TLL101", "train.py:6 TLL101", "train.py:9 TLL101"]
    assert outcome.status == 1


def test_paths_are_relative_to_the_baseline(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(a__train=WRONG)
    project.run("--write-baseline", "a/known.json")
    assert '"train.py"' in Path("a/known.json").read_text()
    monkeypatch.chdir("a")
    assert project.found("--baseline", "known.json") == []
    assert project.found("--baseline", "known.json", str(Path.cwd())) == []


def test_the_configuration_can_name_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(a__train=WRONG)
    project.put("torchlosslint.toml", 'baseline = "known.json"\n')
    assert "known.json: there is no such baseline" in project.fails()
    assert project.run("--write-baseline", "known.json").status == 0
    assert project.found() == []
    monkeypatch.chdir("a")
    assert project.found() == []


def test_stale_entries_are_told(project: Project) -> None:
    project.write(train=TWICE, tags=OTHER, gone=WRONG)
    project.run("--write-baseline", "known.json")
    project.write(train=WRONG, tags="x = 1\n")
    Path("gone.py").unlink()
    outcome = project.json("--baseline", "known.json")
    assert outcome.found == ["known.json:5 TLL002", "known.json:8 TLL002", "known.json:11 TLL002"]
    assert [f["message"] for f in outcome.findings] == [
        "The baseline has 1 TLL101 of gone.py: the file is gone.",
        "The baseline has 1 TLL104 of tags.py: none left.",
        "The baseline has 2 TLL101 of train.py: 1 left.",
    ]
    assert "known.json:5:1: TLL002" in project.run("--baseline", "known.json").out
    assert project.run("--write-baseline", "known.json").status == 0
    assert project.found("--baseline", "known.json") == []


def test_what_was_not_looked_at_is_not_stale(project: Project) -> None:
    project.write(a__train=WRONG, b__tags=OTHER)
    project.run("--write-baseline", "known.json")
    project.write(b__tags="x = 1\n")
    assert project.found("--baseline", "known.json", "a") == []
    assert project.found("--baseline", "known.json", "b/tags.py") == []
    assert project.found("--baseline", "known.json", "--ignore", "TLL104") == []
    assert project.found("--baseline", "known.json", "b") == ["known.json:8 TLL002"]


def test_suppressed_findings_are_not_written(project: Project) -> None:
    project.write(train=WRONG.replace("(p, y)", "(p, y)  # noqa: TLL101"), b="x = 1  # noqa: TLL101\n")
    assert project.run("--write-baseline", "known.json").status == 0
    assert json.loads(Path("known.json").read_text())["files"] == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "known.json:1: the baseline is no valid JSON; write it anew with --write-baseline"),
        ("[" * 100_000, "no valid JSON"),
        (b"\xff\xfe", "the baseline is not UTF-8"),
        ("[]", "known.json: this is no baseline of torchlosslint"),
        ('{"version": 2, "files": {}}', "it is of version 2, and 1 is wanted"),
        ('{"version": 1, "files": {"a.py": 1}}', "'a.py' should have the counts of rules"),
        ('{"version": 1, "files": {"a.py": {"TLL101": 0}}}', "'a.py', TLL101: 0 is no count"),
        ('{"version": 1, "files": {"a.py": {"TLL101": "1"}}}', "is no count"),
    ],
)
def test_a_baseline_that_cannot_be_read(project: Project, data: str | bytes, message: str) -> None:
    project.write(train=WRONG)
    project.put("known.json", data)
    assert message in project.fails("--baseline", "known.json")


def test_a_baseline_that_is_not_there_or_cannot_be_written(project: Project) -> None:
    project.write(train=WRONG)
    assert "no.json: there is no such baseline" in project.fails("--baseline", "no.json")
    Path("folder").mkdir()
    assert "folder: the baseline cannot be read" in project.fails("--baseline", "folder")
    assert "cannot write no/known.json" in project.fails("--write-baseline", "no/known.json")
    assert os.listdir("folder") == []
