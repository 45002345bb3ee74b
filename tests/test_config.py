"""Selection of rules, and the settings."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass

import pytest

from torchlosslint.config import ConfigError, Settings, find_rule, selection


@dataclass
class FakeRule:
    code: str
    name: str
    default: bool = True


RULES = [
    FakeRule("TLL001", "unreadable-source"),
    FakeRule("TLL101", "softmax-before-cross-entropy"),
    FakeRule("TLL103", "sigmoid-before-cross-entropy"),
    FakeRule("TLL204", "bce-for-multi-class", default=False),
    FakeRule("XY12", "of-another-package"),
]


def codes(select: str = "", ignore: str = "") -> str:
    chosen = selection(Settings(select=tuple(select.split()), ignore=tuple(ignore.split())), RULES)
    return " ".join(sorted(chosen.codes))


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        ("", "", "TLL001 TLL101 TLL103 XY12"),
        ("ALL", "", "TLL001 TLL101 TLL103 TLL204 XY12"),
        ("all", "tll1", "TLL001 TLL204 XY12"),
        ("TLL101", "", "TLL001 TLL101"),
        ("softmax-before-cross-entropy,TLL204", "", "TLL001 TLL101 TLL204"),
        ("TLL101 TLL103", "", "TLL001 TLL101 TLL103"),
        ("TLL2", "", "TLL001"),  # off by default: a prefix is not enough
        ("bce-for-multi-class", "", "TLL001 TLL204"),
        ("XY", "", "TLL001 XY12"),
        ("", "TLL1", "TLL001 XY12"),
        ("", "Sigmoid-Before-Cross-Entropy", "TLL001 TLL101 XY12"),
        ("TLL101", "TLL1", "TLL001 TLL101"),  # the more specific one wins
        ("TLL1", "TLL101", "TLL001 TLL103"),
        ("TLL101", "TLL101", "TLL001"),  # between equals, ignore
        ("TLL1", "ALL", "TLL101 TLL103"),
        ("", "ALL", ""),
        ("TLL101", "TLL001", "TLL101"),  # unreadable files vanish only when told to
    ],
)
def test_selection(select: str, ignore: str, expected: str) -> None:
    assert codes(select, ignore) == expected


def test_what_was_asked_for_by_name_is_explicit() -> None:
    assert selection(Settings(select=("TLL1", "TLL204")), RULES).explicit == {"TLL204"}
    assert "TLL101" in selection(Settings(select=("ALL",)), RULES).explicit
    assert not selection(Settings(), RULES).explicit


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("TLL1O1", "did you mean TLL101?"),
        ("softmax-before-crossentropy", "did you mean softmax-before-cross-entropy?"),
        ("al", "did you mean ALL?"),
        ("TL", "unknown selector 'TL'"),
        ("TLL9", "unknown selector 'TLL9'"),
        ("nonsense words", "`torchlosslint rules` lists the rules"),
    ],
)
def test_unknown_selectors_are_errors(selector: str, hint: str) -> None:
    for settings in (Settings(select=(selector,)), Settings(ignore=("TLL101", selector))):
        with pytest.raises(ConfigError) as caught:
            selection(settings, RULES)
        assert hint in str(caught.value)


def test_find_rule() -> None:
    assert find_rule("tll101", RULES) == find_rule("Softmax-before-cross-entropy", RULES) == "TLL101"
    with pytest.raises(ConfigError, match="did you mean TLL103"):
        find_rule("TLL1O3", RULES)


def test_confidence() -> None:
    shown = {
        level: [c for c in ("possible", "likely", "certain") if Settings(confidence=level).shows(c)]
        for level in ("possible", "likely", "certain")
    }
    assert shown == {
        "possible": ["possible", "likely", "certain"],
        "likely": ["likely", "certain"],
        "certain": ["certain"],
    }


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().format = "json"  # type: ignore[misc]
