"""Selectors (codes, prefixes, names, ALL) to the rules that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from torchlosslint.config.errors import ConfigError, did_you_mean
from torchlosslint.config.settings import Settings
from torchlosslint.finding import Severity

# A file that could not be read was not checked. That must not vanish because somebody selected
# other rules; it takes an explicit --ignore.
ALWAYS = "TLL001"


class RuleLike(Protocol):
    """What selection needs to know of a rule."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def default(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen codes. `explicit`: those asked for by code, name or ALL, which may say
    more than they say by default."""

    codes: frozenset[str]
    explicit: frozenset[str]

    def __contains__(self, code: str) -> bool:
        return code in self.codes


def selection(settings: Settings, rules: Iterable[RuleLike]) -> Selection:
    """Which of the rules run. The more specific selector wins (`--ignore TLL1 --select TLL101`
    runs TLL101); between equals, `ignore` does. A selector that matches nothing is an error."""
    rules = list(rules)
    select = [_Selector(text, rules) for text in split(settings.select)]
    extend = [_Selector(text, rules) for text in split(settings.extend_select)]
    ignore = [_Selector(text, rules) for text in split(settings.ignore)]
    denied = matching(settings.deny, rules)
    codes, explicit = set(), set()
    for rule in rules:
        wanted = max((s.weight(rule) for s in (*select, *extend)), default=_NO)
        if not select or rule.code == ALWAYS:
            wanted = max(wanted, _DEFAULT if rule.default else _NO)
        unwanted = max((s.weight(rule) for s in ignore), default=_NO)
        if rule.code not in denied and wanted > unwanted and (rule.default or wanted in (_ALL, _EXACT)):
            codes.add(rule.code)
            if wanted in (_ALL, _EXACT):
                explicit.add(rule.code)
    return Selection(frozenset(codes), frozenset(explicit))


def matching(selectors: Iterable[str], rules: Iterable[RuleLike]) -> frozenset[str]:
    """The codes of the rules that any of the selectors means."""
    rules = list(rules)
    parsed = [_Selector(text, rules) for text in split(selectors)]
    return frozenset(rule.code for rule in rules if any(s.weight(rule) > _NO for s in parsed))


def severities(pairs: Iterable[tuple[str, Severity]], rules: Iterable[RuleLike]) -> dict[str, Severity]:
    """The severity of each rule that is given one; the most specific selector decides."""
    rules = list(rules)
    parsed = [(_Selector(text, rules), severity) for text, severity in pairs]
    out: dict[str, Severity] = {}
    for rule in rules:
        best = max(parsed, key=lambda pair: pair[0].weight(rule), default=None)
        if best is not None and best[0].weight(rule) > _NO:
            out[rule.code] = best[1]
    return out


def find_rule(text: str, rules: Iterable[RuleLike]) -> str:
    """The code of the one rule called `text`, which is a code or a name."""
    rules = list(rules)
    for rule in rules:
        if text.strip().lower() in (rule.code.lower(), rule.name.lower()):
            return rule.code
    raise ConfigError(_unknown("rule", text, [t for rule in rules for t in (rule.code, rule.name)]))


def split(selectors: Iterable[str]) -> Iterator[str]:
    """Each selector of `--select A,B --select C`."""
    for text in selectors:
        yield from filter(None, (part.strip() for part in text.split(",")))


# How specific a match is. Between _ALL and _EXACT lie prefixes, by their length.
_NO, _DEFAULT, _ALL, _EXACT = -2, -1, 0, 1000


class _Selector:
    """One selector, checked against the rules that exist."""

    def __init__(self, text: str, rules: list[RuleLike]) -> None:
        self.text = text.lower()
        self.is_prefix = re.fullmatch(r"[a-z]+\d*", self.text) is not None
        if self.text != "all" and all(self.weight(rule) == _NO for rule in rules):
            choices = ["ALL", *(t for rule in rules for t in (rule.code, rule.name))]
            raise ConfigError(_unknown("selector", text, choices))

    def weight(self, rule: RuleLike) -> int:
        """How specifically this selects `rule`; `_NO` if it does not."""
        code = rule.code.lower()
        if self.text == "all":
            return _ALL
        if self.text in (code, rule.name.lower()):
            return _EXACT
        # "T" or "TL" is more likely a slip than a wish: a prefix has all the letters of a code.
        if self.is_prefix and code.startswith(self.text) and len(self.text) >= len(code.rstrip("0123456789")):
            return len(self.text)
        return _NO


def _unknown(kind: str, text: str, choices: list[str]) -> str:
    hint = did_you_mean(text, choices, "`torchlosslint rules` lists the rules")
    return f"unknown {kind} {text!r}; {hint}"
