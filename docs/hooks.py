"""What mkdocs does besides turning pages into HTML: a page a rule, made from the rule itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

from torchlosslint.report.explain import FAMILIES, OTHER, family, markdown
from torchlosslint.rule import load_rules

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

FOLDER = "rule"  # beside rules.md, which has all of them on one page


def _builtin() -> list[Any]:
    """The rules that come with torchlosslint: an installed plugin has its own documentation."""
    return [rule for rule in load_rules() if type(rule).__module__.startswith("torchlosslint.")]


def on_config(config: MkDocsConfig) -> None:
    """The pages of the rules into the navigation, family by family."""
    below = next(entry["Rules"] for entry in config.nav or [] if "Rules" in entry)
    for name in (*FAMILIES.values(), OTHER):
        pages = [{f"{r.code} {r.name}": page(r.code)} for r in _builtin() if family(r) == name]
        if pages:
            below.append({name: pages})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages themselves."""
    for rule in _builtin():
        files.append(File.generated(config, page(rule.code), content=markdown(rule, level=1) + "\n"))
    return files


def page(code: str) -> str:
    """The path of a rule's page."""
    return f"{FOLDER}/{code.lower()}.md"
