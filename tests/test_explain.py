"""What `explain` and `rules` print, in each format."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from torchlosslint.cli.main import cli
from torchlosslint.report.base import Options
from torchlosslint.report.explain import markdown, record, text
from torchlosslint.report.guarded import of_the_guard
from torchlosslint.rule import Rule, load_rules, summary

RULES = load_rules()
each = pytest.mark.parametrize("rule", [*RULES, *of_the_guard()], ids=lambda rule: rule.code)


def said(*args: str) -> str:
    """What the command line prints."""
    done = CliRunner().invoke(cli, list(args))
    assert done.exit_code == 0, done.output
    return done.output


@each
@pytest.mark.parametrize("width", [80, 160])
def test_text_fits_the_terminal_and_says_all(rule: Rule, width: int) -> None:
    shown = list(text(rule, Options(width=width)))
    code = [line for line in shown if line.startswith("        ")]
    assert all(len(line) <= min(width, 100) for line in shown if line not in code)
    words = " ".join(shown).split()
    missing = set((rule.__doc__ or "").replace("::", ":").split()) - set(words)
    assert not missing


def test_comments_beside_code_come_closer_where_there_is_no_room() -> None:
    rule = next(r for r in RULES if r.code == "TLL110")
    line = "        loss = F.cross_entropy(scores, y)"
    mark = "# the same in one step"
    assert f"{line}  {mark}" in list(text(rule, Options(width=80)))
    assert f"{line}                     {mark}" in list(text(rule, Options(width=100)))


def test_colors_change_nothing_else() -> None:
    rule = next(r for r in RULES if r.code == "TLL101")
    colored = list(text(rule, Options(color=True, width=100)))
    assert colored[0].startswith("\x1b[1mTLL101\x1b[0m")
    assert any(re.search(r"\x1b\[31mWrong:", line) for line in colored)
    assert any(re.search(r"\x1b\[32mRight:", line) for line in colored)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in colored] == list(text(rule, Options(width=100)))


@each
def test_json_has_every_section_and_label(rule: Rule) -> None:
    data = record(rule)
    assert set(data["sections"]) == {"What it does", "Why it is bad", "Example", "When it is wrong to fix"}
    assert [part["label"] for part in data["sections"]["Example"]] == ["Wrong", "Right"]
    assert all(part["code"] for part in data["sections"]["Example"])


def test_json_of_the_command_is_the_record() -> None:
    rule = next(r for r in RULES if r.code == "TLL117")
    assert json.loads(said("explain", "softmax-wrong-dim", "--format", "json")) == record(rule)
    assert said("explain", "tll117", "--format", "markdown") == markdown(rule, level=1) + "\n"


def test_markdown_shows_code_as_python() -> None:
    shown = said("explain", "TLL101", "--format", "markdown")
    assert shown.startswith("# TLL101 softmax-before-cross-entropy\n\n*error.* Cross-entropy")
    assert "**Wrong**\n\n```python\nreturn F.softmax(" in shown


def test_rules_as_json_and_as_a_table() -> None:
    listed = json.loads(said("rules", "--format", "json"))
    assert [one["code"] for one in listed] == [rule.code for rule in RULES]
    assert {"code", "name", "severity", "default", "family", "summary"} == set(listed[0])
    assert [one["default"] for one in listed] == [rule.default for rule in RULES]
    rows = said("rules", "--format", "markdown").splitlines()
    assert rows[:2] == ["| code | name | severity | what it finds |", "| --- | --- | --- | --- |"]
    assert len(rows) == len(RULES) + 2
    assert rows[2] == f"| TLL001 | unreadable-source | error | {summary(RULES[0])} |"


class Bare(Rule):
    code, name = "XYZ100", "of-a-plugin"


class OneLine(Rule):
    """Only a summary."""

    code, name, severity, default = "XYZ101", "short", "warning", False


@pytest.mark.parametrize("rule", [Bare(), OneLine()])
def test_a_rule_without_sections_is_explained_all_the_same(rule: Rule) -> None:
    assert next(text(rule, Options())).startswith(rule.code)
    assert record(rule)["family"] == "Other rules"
    assert markdown(rule).startswith(f"## {rule.code}")


def test_a_rule_that_is_off_says_so() -> None:
    assert "(warning, off unless selected)" in next(text(OneLine(), Options()))
    assert record(OneLine())["default"] is False


def test_codes_that_only_the_guard_gives_are_explained_by_code_and_name() -> None:
    assert said("explain", "TLL703") == said("explain", "ctc-lengths")
    shown = said("explain", "TLL701")
    assert shown.startswith("TLL701 non-finite-values (error)")
    assert "torchlosslint.runtime" in shown
    assert "TLL701" not in said("rules")
