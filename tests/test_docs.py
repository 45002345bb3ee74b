"""The documentation: it builds, its commands and files are real, every rule has a page."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from torchlosslint.cli.main import cli
from torchlosslint.rule import load_rules, summary

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:\s*- (?:script: )?|\s*)(torchlosslint(?: .*)?)$", re.MULTILINE)


def code(page: Path, *languages: str) -> list[str]:
    """The blocks of code of a page in these languages."""
    found = re.findall(r"^\s*```(\w*)\n(.*?)^\s*```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [text for language, text in found if language in languages]


def commands() -> list[str]:
    """Every command line of the tool that the documentation shows."""
    shown = []
    for page in PAGES:
        for block in code(page, "bash", "yaml", "console"):
            shown += COMMAND.findall(block)
    return shown


def test_commands_are_accepted() -> None:
    shown = commands()
    assert len(shown) > 5
    for line in shown:
        words = shlex.split(line.replace(" < ", " # < "), comments=True)[1:]
        context = cli.make_context("torchlosslint", list(words))
        name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
        assert isinstance(command, click.Command), line
        command.make_context(name, rest, parent=context)


def test_yaml_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    for page in PAGES:
        for block in code(page, "yaml"):
            assert yaml.safe_load(block), block


def test_what_the_recipes_name_is_there() -> None:
    yaml = pytest.importorskip("yaml")
    blocks: list[Any] = [yaml.safe_load(block) for block in code(ROOT / "docs" / "ci.md", "yaml")]
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert {hook["id"] for hook in blocks[0]["repos"][0]["hooks"]} == hooks
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    used = [s for b in blocks if isinstance(b, dict) and "jobs" in b for s in b["jobs"]["lint"]["steps"]]
    (step,) = [step for step in used if "torchlosslint@" in step.get("uses", "")]
    assert set(step["with"]) <= set(action["inputs"])


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").split("nav:")[1]
    missing = [page.name for page in PAGES if page.parent.name == "docs" and page.name not in nav]
    assert not missing, f"name them in mkdocs.yml: {missing}"


def test_the_site_builds_with_a_page_for_every_rule(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in load_rules():
        if type(rule).__module__.startswith("torchlosslint."):
            page = (tmp_path / "rule" / rule.code.lower() / "index.html").read_text("utf-8")
            words = re.sub(r"<[^>]+>", "", page)
            assert f"{rule.code} {rule.name}" in words
            assert summary(rule).split(":")[0].split("'")[0].split("<")[0] in words
    drawing = (tmp_path / "how-it-works" / "index.html").read_text("utf-8")
    assert drawing.count('class="mermaid"') == 2
