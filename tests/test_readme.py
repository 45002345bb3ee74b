"""README and docs/rules.md show what the program says. `python tests/test_readme.py` writes them anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import rule_pages

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RULES = ROOT / "docs" / "rules.md"


def demo_output() -> str:
    """What linting the demonstration project prints, at 100 columns and without colours."""
    env = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "torchlosslint", "fixtures/demo_project"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 1, run.stderr
    return run.stdout.strip()


def rules_table() -> str:
    """The catalogue as a Markdown table."""
    from torchlosslint.rule import load_rules, summary

    rows = ["| code | name | severity | what it finds |", "| --- | --- | --- | --- |"]
    rows += [f"| {r.code} | {r.name} | {r.severity} | {summary(r)} |" for r in load_rules()]
    return "\n".join(rows)


def written(text: str) -> str:
    """The README with both parts as they are today."""
    for name, body in (("demo", f"```text\n{demo_output()}\n```"), ("rules", rules_table())):
        start, end = f"<!-- {name} -->\n", f"\n<!-- end {name} -->"
        before, rest = text.split(start)
        text = before + start + body + end + rest.split(end)[1]
    return text


def test_readme_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert written(text) == text, "run: python tests/test_readme.py"


def test_page_of_the_rules_is_up_to_date() -> None:
    assert rule_pages.page() == RULES.read_text(encoding="utf-8"), "run: python tests/test_readme.py"


if __name__ == "__main__":
    RULES.write_text(rule_pages.page(), encoding="utf-8")
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
