"""docs/rules.md from the docstrings of the rules."""

from __future__ import annotations

from torchlosslint.report.explain import FAMILIES, markdown
from torchlosslint.rule import load_rules, summary

SECTIONS = ("What it does", "Why it is bad", "Example", "When it is wrong to fix")
HEAD = """\
# The rules

What `torchlosslint explain CODE` says, on one page. Written by `python tests/test_readme.py` from the rules
themselves: change a rule's docstring, not this page.

An `error` is a wrong result, silent damage to training, or an exception; a `warning` works but is fragile,
redundant or deprecated; a `note` is advice and never changes the exit status."""


def page() -> str:
    """The whole page."""
    rules = load_rules()
    out = [HEAD]
    for prefix, family in FAMILIES.items():
        of_family = [rule for rule in rules if rule.code.startswith(prefix)]
        if of_family:
            rows = [f"- [{r.code} {r.name}](#{r.code.lower()}-{r.name}): {summary(r)}" for r in of_family]
            out.append("\n".join([f"**{family}**", "", *rows]))
    for rule in rules:
        out.append(markdown(rule))
    return "\n\n".join(out) + "\n"
