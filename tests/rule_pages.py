"""docs/rules.md from the docstrings of the rules."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

from torchlosslint.rule import Rule, lines, load_rules, summary

SECTIONS = ("What it does", "Why it is bad", "Example", "When it is wrong to fix")
FAMILIES = {
    "TLL0": "The tool itself",
    "TLL1": "Activation against loss",
    "TLL2": "Loss against task",
    "TLL3": "Targets",
    "TLL4": "Imbalance and weights",
    "TLL5": "Calls and the training step",
    "TLL6": "After the loss",
}
HEAD = """\
# The rules

What `torchlosslint explain CODE` says, on one page. Written by `python tests/test_readme.py` from the rules
themselves: change a rule's docstring, not this page.

An `error` is a wrong result, silent damage to training, or an exception; a `warning` works but is fragile,
redundant or deprecated; a `note` is advice and never changes the exit status."""


def sections(rule: Rule) -> dict[str, str]:
    """The docstring's sections by their headings, dedented; the summary is not among them."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in list(lines(rule))[1:]:
        if line and not line.startswith(" "):
            current = found.setdefault(line.strip(), [])
        else:
            current.append(line)
    return {heading: dedent("\n".join(body)).strip("\n") for heading, body in found.items()}


def examples(text: str) -> Iterator[tuple[str, str]]:
    """("Wrong", code) and ("Right", code) of an Example section, in order."""
    label, body = "", list[str]()
    for line in [*text.splitlines(), "End::"]:
        if line.endswith("::") and not line.startswith(" "):
            if label:
                yield label, dedent("\n".join(body)).strip("\n")
            label, body = line.removesuffix("::"), []
        else:
            body.append(line)


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
        out.append(_one(rule))
    return "\n\n".join(out) + "\n"


def _one(rule: Rule) -> str:
    off = "" if rule.default else ", off unless selected"
    parts = [f"## {rule.code} {rule.name}", f"*{rule.severity}{off}.* {summary(rule)}"]
    for heading, text in sections(rule).items():
        if heading == "Example":
            parts += [f"**{label}**\n\n```python\n{code}\n```" for label, code in examples(text)]
        else:
            parts.append(f"**{heading}.** {text}")
    return "\n\n".join(parts)
