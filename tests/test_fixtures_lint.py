"""Every fixture is linted alone: the findings are those of its `# expect:` comments, no more, no fewer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.rule import Rule, load_rules

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
EXPECT = re.compile(r"# expect: (TLL\d{3}(?:, TLL\d{3})*)$")
CODES = tuple(rule.code for rule in load_rules())
LEAST = 3  # wrong and right programs for each rule

FOLDERS = sorted(path for path in FIXTURES.iterdir() if re.match(r"tll\d{3}_", path.name))
PROGRAMS = [
    path
    for folder in FOLDERS
    for path in sorted(folder.iterdir())
    if path.name.startswith(("wrong_", "right_")) and (path.is_dir() or path.suffix == ".py")
]
PROGRAMS.append(FIXTURES / "demo_project")


def name(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


def expected(program: Path) -> set[tuple[str, int, str]]:
    """(file, line, code) of each comment. Files that Python cannot read are among them."""
    found = set()
    for path in sorted(program.rglob("*.py")) if program.is_dir() else [program]:
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if b"# expect:" not in line:
                continue
            match = EXPECT.search(line.decode("latin-1").rstrip())
            assert match, f"{name(path)}:{number}: cannot read this comment"
            found |= {(name(path), number, code) for code in match[1].split(", ")}
    return found


def shown(rule: Rule) -> bool:
    """Whether the rule says something unless it is asked by name."""
    return rule.default and not rule.quiet_notes


def selected(program: Path) -> tuple[str, ...]:
    """The rules that are on by default, and the one that the fixture is about."""
    mine = program.parent.name[:6].upper()
    return tuple(rule.code for rule in load_rules() if shown(rule) or rule.code == mine)


@pytest.mark.parametrize("program", PROGRAMS, ids=name)
def test_fixture_findings(program: Path) -> None:
    report = lint([str(program)], Settings(no_cache=True, select=selected(program)))
    found = {(name(Path(f.location.path).resolve()), f.location.line, f.code) for f in report.findings}
    wanted = expected(program)
    assert found == wanted, f"missing {sorted(wanted - found)}, too many {sorted(found - wanted)}"
    assert len(report.findings) == len(found), "one finding for a code and a place"


@pytest.mark.parametrize("program", PROGRAMS, ids=name)
def test_fixture_is_named_after_what_it_shows(program: Path) -> None:
    codes = {code for _, _, code in expected(program)}
    if program.name.startswith("right_"):
        assert not codes
    elif program.name.startswith("wrong_"):
        assert program.parent.name[:6].upper() in codes


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_folder_is_named_after_its_rule(folder: Path) -> None:
    names = {f"{rule.code.lower()}_{rule.name.replace('-', '_')}" for rule in load_rules()}
    assert folder.name in names


@pytest.mark.parametrize("code", CODES)
def test_each_rule_has_fixtures_of_both_kinds(code: str) -> None:
    of_rule = [program for program in PROGRAMS if program.parent.name.startswith(f"{code.lower()}_")]
    for kind in ("wrong_", "right_"):
        assert sum(program.name.startswith(kind) for program in of_rule) >= LEAST


def test_demo_project_shows_three_rules_in_two_files() -> None:
    findings = expected(FIXTURES / "demo_project")
    assert len(findings) == 3
    assert len({code for _, _, code in findings}) == 3
    assert len({file for file, _, _ in findings}) == 2
