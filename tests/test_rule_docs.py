"""Every rule explains itself: what, why it hurts, wrong and right code, when to leave it alone."""

from __future__ import annotations

import ast
import re

import pytest
from rule_pages import SECTIONS, page

from torchlosslint.report.explain import FAMILIES, examples, sections
from torchlosslint.rule import Rule, load_rules, summary

RULES = load_rules()
each = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
# Its example is a file that Python cannot read.
UNREADABLE = "TLL001"


@each
def test_docstring_has_every_section(rule: Rule) -> None:
    found = sections(rule)
    assert tuple(found) == SECTIONS
    assert all(found.values())
    first = summary(rule)
    assert first.endswith(".")
    assert len(first) <= 100


@each
def test_example_shows_wrong_and_right_code(rule: Rule) -> None:
    shown = list(examples(sections(rule)["Example"]))
    assert [label for label, _ in shown] == ["Wrong", "Right"]
    for _, code in shown:
        assert code
        if rule.code != UNREADABLE:
            ast.parse(code)
    assert shown[0][1] != shown[1][1]


@each
def test_code_and_name(rule: Rule) -> None:
    assert re.fullmatch(r"TLL\d{3}", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.code[:4] in FAMILIES
    assert rule.severity in ("error", "warning", "note")


def test_page_names_every_rule_once() -> None:
    text = page()
    for rule in RULES:
        assert text.count(f"\n## {rule.code} {rule.name}\n") == 1
        assert f"](#{rule.code.lower()}-{rule.name})" in text
    assert "::\n" not in text
