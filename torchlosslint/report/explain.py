"""What a rule says of itself, as text for a terminal, Markdown for a page, and plain data."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from torchlosslint.report.base import Options
from torchlosslint.report.display import safe, wrap
from torchlosslint.rule import Rule, lines, summary

FAMILIES = {
    "TLL0": "The tool itself",
    "TLL1": "Activation against loss",
    "TLL2": "Loss against task",
    "TLL3": "Targets",
    "TLL4": "Imbalance and weights",
    "TLL5": "Calls and the training step",
    "TLL6": "After the loss",
    "TLL7": "Seen by the runtime guard alone",
}
OTHER = "Other rules"
WIDEST = 100  # prose in longer lines is hard to read
_COLORS = {"error": "31", "warning": "33", "note": "36"}
_BOLD, _DIM, _GREEN, _RED = "1", "2", "32", "31"


def family(rule: Rule) -> str:
    """The heading under which a rule is listed."""
    return FAMILIES.get(rule.code[:4], OTHER)


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


def record(rule: Rule, full: bool = True) -> dict[str, Any]:
    """A rule as plain data; with its sections where `full`. An Example is a list of labelled code."""
    data: dict[str, Any] = {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "default": rule.default,
        "family": family(rule),
        "summary": summary(rule),
    }
    if full:
        data["sections"] = {
            heading: [{"label": label, "code": code} for label, code in examples(text)]
            if heading == "Example"
            else text
            for heading, text in sections(rule).items()
        }
    return data


def markdown(rule: Rule, level: int = 2) -> str:
    """A rule as a part of a page, below a heading of this level."""
    parts = [f"{'#' * level} {rule.code} {rule.name}", f"*{rule.severity}{_off(rule)}.* {summary(rule)}"]
    for heading, text in sections(rule).items():
        if heading == "Example":
            parts += [f"**{label}**\n\n```python\n{code}\n```" for label, code in examples(text)]
        else:
            parts.append(f"**{heading}.** {text}")
    return "\n\n".join(parts)


def text(rule: Rule, options: Options) -> Iterator[str]:
    """Lines for a terminal: headings and labels stand out, prose fits the width, code stays as it is."""

    def paint(what: str, style: str) -> str:
        return f"\x1b[{style}m{what}\x1b[0m" if options.color else what

    width = max(min(options.width, WIDEST), 40)
    kind = paint(f"({rule.severity}{_off(rule)})", _COLORS[rule.severity])
    yield f"{paint(safe(rule.code), _BOLD)} {paint(safe(rule.name), _BOLD)} {kind}"
    yield ""
    yield from wrap(summary(rule), width, "")
    for heading, body in sections(rule).items():
        yield ""
        yield paint(safe(heading), _BOLD)
        for line in _filled(body):
            if line.endswith("::") and not line.startswith(" "):
                label = line.removesuffix("::")
                yield "    " + paint(safe(label) + ":", _GREEN if label == "Right" else _RED)
            elif not line.startswith(" "):
                yield from wrap(line, width, "    ") if line else [""]
            else:
                code, mark, comment = line.partition("  #")
                if len(line) + 4 > width:
                    code = code.rstrip()  # comments that stand in one column come closer
                yield "    " + safe(code) + (paint(safe(mark + comment), _DIM) if mark else "")


def _filled(body: str) -> Iterator[str]:
    """The lines of a section with each paragraph of prose on one; code, labels and lists stay apart."""
    prose: list[str] = []
    for line in body.splitlines():
        if line and not line.startswith((" ", "- ", "* ")) and not line.endswith("::"):
            prose.append(line)
            continue
        if prose:
            yield " ".join(prose)
            prose = []
        yield line
    if prose:
        yield " ".join(prose)


def _off(rule: Rule) -> str:
    return "" if rule.default else ", off unless selected"
