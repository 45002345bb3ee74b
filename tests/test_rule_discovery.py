"""A rule is found because its file is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from torchlosslint.rule import load_rules

RULE = """
from torchlosslint.rule import Rule

class Base(Rule):
    pass

class Mine(Base):
    code, name = "{code}", "a-test"
"""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A further folder of rules."""
    folder = tmp_path / "of_tests"
    folder.mkdir()
    (folder / "__init__.py").touch()
    package = import_module("torchlosslint.rules")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if ".of_tests" in name]:
        del sys.modules[name]


def test_a_new_file_is_a_new_rule(family: Path) -> None:
    (family / "tll999_mine.py").write_text(RULE.format(code="TLL999"))
    # Using a rule in another file does not make a second one of it.
    (family / "other.py").write_text("from torchlosslint.rules.of_tests.tll999_mine import Mine\n")
    codes = [rule.code for rule in load_rules()]
    assert codes.count("TLL999") == 1
    assert codes == sorted(codes)


def test_two_rules_with_one_code_are_a_mistake(family: Path) -> None:
    (family / "one.py").write_text(RULE.format(code="TLL999"))
    (family / "two.py").write_text(RULE.format(code="TLL999"))
    with pytest.raises(ValueError, match="share a code: TLL999"):
        load_rules()
