"""The JSON schema and the table of keys are those of the program.

`python tests/test_config_schema.py` writes them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from torchlosslint.config import keys
from torchlosslint.config.schema import schema

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCHEMA = DOCS / "torchlosslint.schema.json"
PAGE = DOCS / "configuration.md"


def schema_text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


def page_text(text: str) -> str:
    """docs/configuration.md with the table of keys as it is today."""
    rows = ["| key | default | what it says |", "| --- | --- | --- |"]
    for key in keys.KEYS:
        default = "" if key.default in (None, "", {}) else f"`{json.dumps(key.default)}`"
        choices = f" One of {', '.join(f'`{c}`' for c in key.choices)}." if key.choices else ""
        rows.append(f"| `{key.name}` | {default} | {key.doc}{choices} |")
    start, end = "<!-- keys -->\n", "\n<!-- end keys -->"
    before, rest = text.split(start)
    return before + start + "\n".join(rows) + end + rest.split(end)[1]


def test_schema_is_up_to_date() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run: python tests/test_config_schema.py"


def test_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page_text(text) == text, "run: python tests/test_config_schema.py"


def valid(value: Any, rule: dict[str, Any]) -> bool:
    """Whether a value is what this (small) part of JSON Schema says."""
    if "anyOf" in rule:
        return any(valid(value, each) for each in rule["anyOf"])
    if "enum" in rule:
        return value in rule["enum"]
    types: dict[str, Any] = {"string": str, "boolean": bool, "array": list, "object": dict, "integer": int}
    types["number"] = (int, float)
    is_bool = isinstance(value, bool)
    if not isinstance(value, types[rule["type"]]) or (rule["type"] in ("integer", "number") and is_bool):
        return False
    if isinstance(value, dict) and len(value) < rule.get("minProperties", 0):
        return False
    if isinstance(value, str) and "pattern" in rule:
        return re.search(rule["pattern"], value) is not None
    if isinstance(value, list):
        return all(valid(each, rule["items"]) for each in value)
    if not isinstance(value, dict):
        return True
    if any(name not in value for name in rule.get("required", ())):
        return False
    for name, inner in value.items():
        patterns = [r for p, r in rule.get("patternProperties", {}).items() if re.search(p, name)]
        below = rule.get("properties", {}).get(name) or (patterns or [rule["additionalProperties"]])[0]
        if below is False or (below is not True and not valid(inner, below)):
            return False
    return True


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"select": "TLL1"},
        {"select": ["TLL1"], "ignore": []},
        {"select": 1},
        {"selct": []},
        {"confidence": "sure"},
        {"torch": "2.4.1"},
        {"torch": "two"},
        {"torch": 2.4},
        {"exclude": ["a", 1]},
        {"exclude": "a"},
        {"require-reason": True},
        {"require-reason": "yes"},
        {"severity": {"TLL101": "note"}},
        {"severity": {"TLL101": "off"}},
        {"per-file-ignores": {"a.py": ["TLL1"]}},
        {"per-file-ignores": ["a.py"]},
        {"losses": {"p.Focal": {"input": "logits"}}},
        {"losses": {"p.Focal": {"input": "logits", "arguments": ["a", "b"], "argument": "b"}}},
        {"losses": {"Focal": {"input": "logits"}}},
        {"losses": {"p.Focal": {}}},
        {"losses": {"p.Focal": {"input": "logit"}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {"a": 1, "b": "x"}, "input": "logits"}]}}},
        {"losses": {"p.F": {"input": "any", "switches": []}}},
        {"losses": {"p.F": {"input": "any", "switches": {"when": {"a": True}, "input": "logits"}}}},
        {"losses": {"p.F": {"input": "any", "switches": ["a"]}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {"a": True}}]}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {}, "input": "logits"}]}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {"a": []}, "input": "logits"}]}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {"a-b": 1}, "input": "logits"}]}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {"a": 1}, "input": "scores"}]}}},
        {"losses": {"p.F": {"input": "any", "switches": [{"when": {"a": 1}, "input": "any", "x": 1}]}}},
        {"losses": {"p.F": {"input": "any", "parameters": ["a"]}}},
        {"models": {"p.net": {"output": "logits", "dim": 1}}},
        {"models": {"p.net": {"output": "logits", "dim": True}}},
        {"activations": {"p.net": {"output": "logits", "input": "x"}}},
    ],
)
def test_schema_and_program_accept_the_same(table: dict[str, Any]) -> None:
    try:
        keys.check(table)
        accepted = True
    except keys.Bad:
        accepted = False
    assert valid(table, schema()) is accepted


def test_examples_of_the_page_are_valid() -> None:
    if sys.version_info < (3, 11):
        pytest.skip("needs tomllib")
    import tomllib

    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        keys.check(tomllib.loads(block)["tool"]["torchlosslint"])


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
