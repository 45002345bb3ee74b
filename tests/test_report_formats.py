"""The formats for other tools: what GitHub, GitLab, CI servers and code scanning read."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace
from reports import MODEL, TRAIN, at, finding, report

from torchlosslint.finding import FlowStep, Report
from torchlosslint.report.base import FORMATS, Options, Output, outputs, renderer

SCHEMA = json.loads((Path(__file__).parent / "resources" / "sarif-schema-2.1.0.json").read_text())


def rendered(name: str, what: Report, **options: Any) -> str:
    return "".join(renderer(name)(what, Options(width=80, **options)))


def hostile() -> Report:
    """Everything that could break out of a format."""
    bad = "a<b>&\"'%,:;\r\n::error::\x1b[31m\x00\u202e\ud800"
    step = FlowStep(at(f"dir/{bad}.py", 1, 1, 2), bad)
    return Report(findings=[finding(at(f"dir/{bad}.py", 1, 1, 2), step, message=bad, help=bad)])


def test_formats_that_are_asked_for() -> None:
    assert outputs("text") == [Output("text")]
    assert outputs("sarif:a/b.sarif, text") == [Output("sarif", "a/b.sarif"), Output("text")]
    assert outputs(r"json:C:\x.json") == [Output("json", r"C:\x.json")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sarfi", "did you mean sarif"),
        ("", "there are text"),
        ("text,json", "two formats on standard output"),
        ("sarif:", "no file after"),
        ("sarif:out,json:out,text", "two formats into out: give each a file of its own"),
    ],
)
def test_formats_that_cannot_be_had(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        outputs(text)


def test_concise_is_one_line_a_finding() -> None:
    lines = rendered("concise", report()).splitlines()
    assert lines[0].startswith("train.py:2:19: TLL101 [error] cross-entropy gets probabilities")
    assert lines[1].startswith("train.py:1:13: TLL118 [warning] no dim is given")
    assert "1 error, 1 warning" in lines[-1]
    assert len(lines) == 3


def test_statistics_count_rules() -> None:
    many = replace(report(), findings=[*report().findings, report().findings[0]])
    text = rendered("text", many, statistics=True)
    assert re.search(r"^2  TLL101  softmax-before-cross-entropy\n1  TLL118", text, re.MULTILINE)
    assert "2  TLL101" not in rendered("text", many)


def test_json_lines() -> None:
    first, second, last = (json.loads(line) for line in rendered("jsonl", report()).splitlines())
    assert (first["type"], first["code"], first["flow"][0]["path"]) == ("finding", "TLL101", "model.py")
    assert second["code"] == "TLL118"
    assert last["type"] == "summary"
    assert last["by_code"] == {"TLL101": 1, "TLL118": 1}


def test_github_annotations() -> None:
    first, second = rendered("github", report()).splitlines()
    assert first.startswith("::error title=TLL101 softmax-before-cross-entropy,file=train.py,line=2,")
    assert "col=19" in first
    assert "%0A1. model.py:3: softmax over dim 1" in first
    assert second.startswith("::warning title=TLL118")
    note = Report(findings=[finding(at("a.py", 1, 1, 2), severity="note")])
    assert rendered("github", note).startswith("::notice ")


def test_github_commands_cannot_be_forged() -> None:
    lines = rendered("github", hostile()).splitlines()
    assert len(lines) == 1
    head, _, _ = lines[0].removeprefix("::error ").partition("::")
    assert "," not in re.sub(r"(title|file|line|endLine|col|endColumn)=[^,]*,?", "", head)


def test_gitlab_report() -> None:
    first, second = json.loads(rendered("gitlab", report()))
    assert first["severity"] == "major"
    assert first["location"]["positions"]["begin"] == {"line": 2, "column": 19}
    assert second["check_name"] == "softmax-implicit-dim"
    assert first["fingerprint"] != second["fingerprint"]


def test_junit_cases() -> None:
    suite = ET.fromstring(rendered("junit", report()))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "1. model.py:3:16: softmax over dim 1" in failure.text
    clean = ET.fromstring(rendered("junit", Report(files_checked=3)))[0]
    assert (clean.get("tests"), clean.get("failures")) == ("1", "0")
    advice = Report(findings=[finding(at("a.py", 1, 1, 2), severity="note")])
    assert ET.fromstring(rendered("junit", advice))[0].get("failures") == "0"


def test_sarif_is_valid_and_complete() -> None:
    document = json.loads(rendered("sarif", report()))
    jsonschema.validate(document, SCHEMA)
    run = document["runs"][0]
    result = run["results"][0]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "TLL101"
    assert "Why it is bad" in rule["help"]["text"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "train.py"
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert steps[0]["location"]["message"]["text"].startswith("softmax over dim 1")
    assert steps[0]["location"]["physicalLocation"]["region"]["startLine"] == 3
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == "build: build output"


def test_sarif_of_a_notebook_names_the_cell() -> None:
    place = replace(at("train.ipynb", 2, 1, 5), cell=7)
    document = json.loads(rendered("sarif", Report(findings=[finding(place)])))
    jsonschema.validate(document, SCHEMA)
    location = document["runs"][0]["results"][0]["locations"][0]
    assert "region" not in location["physicalLocation"]
    assert location["logicalLocations"][0]["name"] == "cell 7, line 2"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_which_cell(name: str) -> None:
    place = replace(at("train.ipynb", 22, 1, 5), cell=77)
    step = FlowStep(replace(at("train.ipynb", 33, 1, 5), cell=66), "softmax")
    text = rendered(name, Report([finding(place, step)], files_checked=1))
    assert re.search(r"cell\W{1,3}77\W", text)
    assert "22" in text
    # The steps too, where the format has them.
    assert name in ("concise", "gitlab") or re.search(r"cell\W{1,3}66\W", text)


def test_sarif_paths_are_uris() -> None:
    findings = [finding(at("a b/ü#.py", 1, 1, 2)), finding(at("/abs/c.py", 1, 1, 2))]
    document = json.loads(rendered("sarif", Report(findings=findings)))
    jsonschema.validate(document, SCHEMA, format_checker=jsonschema.FormatChecker())
    results = document["runs"][0]["results"]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results]
    assert uris == ["a%20b/%C3%BC%23.py", "file:///abs/c.py"]


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_lets_anything_through(name: str) -> None:
    text = rendered(name, hostile())
    assert "\x1b" not in text
    assert "\x00" not in text
    if name in ("json", "sarif", "gitlab"):
        json.loads(text)
    elif name == "junit":
        ET.fromstring(text)


def test_a_fingerprint_outlives_a_moved_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    Path("train.py").write_text(TRAIN)
    before = json.loads(rendered("gitlab", report()))[0]["fingerprint"]
    Path("train.py").write_text("# a new line\n" + TRAIN)
    moved = report()
    first, step = moved.findings[0], moved.findings[0].flow[1]
    lower = FlowStep(replace(step.location, line=3, end_line=3), step.note)
    place = replace(first.location, line=3, end_line=3)
    moved.findings[0] = replace(first, location=place, flow=(first.flow[0], lower))
    assert json.loads(rendered("gitlab", moved))[0]["fingerprint"] == before
    Path("model.py").write_text(MODEL.replace("dim=1", "dim=-1"))
    assert json.loads(rendered("gitlab", moved))[0]["fingerprint"] != before


def test_equal_findings_have_different_fingerprints() -> None:
    twice = Report(findings=[report().findings[0], report().findings[0]])
    first, second = json.loads(rendered("gitlab", twice))
    assert first["fingerprint"] != second["fingerprint"]
