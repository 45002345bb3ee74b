"""The arrows of the architecture, held over the imports of every file, and the package list."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "torchlosslint": "torchlosslint",
    "torchlosslint.rules": "rules",
    "torchlosslint.runtime": "runtime",
}

# What a layer may import of the package besides itself; layers that are not named are free.
LEAVES = ("finding", "patterns")
VOCABULARY = ("flow.values", "flow.domain", "flow.origins")
ARROWS: dict[str, tuple[str, ...]] = {
    "finding": (),
    "patterns": (),
    "contracts": (),
    "config": ("contracts", *LEAVES),
    "sources": LEAVES,
    "syntax": ("sources", *LEAVES),
    "program": ("syntax", "sources", *LEAVES),
    "flow": ("program", "syntax", "sources", "contracts", "rule", *LEAVES),
    "rule": ("contracts", *VOCABULARY, *LEAVES),
    "rules": ("rule", "contracts", *VOCABULARY, *LEAVES),
    "report": ("rule", "sources", *LEAVES),
    "runtime": ("rule", "contracts", *VOCABULARY, *LEAVES),
}
# Libraries that parts of the package never import, not even through others.
WITHOUT = {
    "": ("torch",),
    "contracts": ("libcst", "click", "msgspec"),
    "rules": ("libcst", "click"),
    "runtime": ("libcst", "click"),
    "sources": ("libcst", "click"),
    "report": ("libcst", "click"),
}


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(name: str, of_types: bool = True) -> Iterator[tuple[str, int]]:
    """Absolute names that a module imports, with the line. Those under TYPE_CHECKING count as
    dependencies, but are never loaded."""
    path = MODULES[name]
    for node in _nodes(ast.parse(path.read_text("utf-8")), of_types):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                base = ".".join(filter(None, (*parts[: len(parts) - node.level + 1], base)))
            for alias in node.names:
                longer = f"{base}.{alias.name}"
                yield longer if longer in MODULES else base, node.lineno


def _nodes(tree: ast.AST, of_types: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not of_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _nodes(node, of_types)


def inside(name: str, layer: str) -> bool:
    """Whether a module belongs to a part of the package ("" is the whole of it, less the runtime half)."""
    if not layer:
        return not inside(name, "runtime")
    return f"{name}.".startswith(f"torchlosslint.{layer}.")


@pytest.mark.parametrize("layer", ARROWS)
def test_imports_follow_the_arrows(layer: str) -> None:
    allowed = (layer, *ARROWS[layer])
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line} imports {target}"
        for name in MODULES
        if inside(name, layer)
        for target, line in imports(name)
        if target.startswith("torchlosslint.") and not any(inside(target, each) for each in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_engine_never_imports_the_rules() -> None:
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line}"
        for name in MODULES
        if not inside(name, "rules")
        for target, line in imports(name)
        if inside(target, "rules")
    ]
    assert not wrong


@pytest.mark.parametrize("layer", WITHOUT)
def test_libraries_are_not_reached(layer: str) -> None:
    stack = [name for name in MODULES if inside(name, layer)]
    via = {name: name for name in stack}
    wrong = []
    while stack:
        name = stack.pop()
        for target, line in imports(name, of_types=False):
            if target.split(".")[0] in WITHOUT[layer]:
                wrong.append(f"{via[name]}: {MODULES[name].relative_to(ROOT)}:{line} imports {target}")
            parts = target.split(".")
            for length in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b as well
                package = ".".join(parts[:length])
                if package in MODULES and package not in via:
                    via[package] = via[name]
                    stack.append(package)
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
def test_every_package_is_listed_for_the_wheel() -> None:
    import tomllib

    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert table["package-dir"] == FOLDERS
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert sorted(table["packages"]) == sorted(packages)
    folders = {path.parent for path in MODULES.values()}
    bare = [folder for folder in folders if not (folder / "__init__.py").is_file()]
    assert not bare, "folders without __init__.py are no part of the wheel"


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = [block.split("```")[0].strip().splitlines() for block in readme.split("```bash\n")[1:]]
    commands = blocks[-1]
    assert commands[-1].startswith("python -m pytest")
    assert commands[-1] in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
def test_what_tests_cannot_do_without_comes_with_the_test_extra() -> None:
    """Otherwise the tests of the hook, the site and the like would be skipped, and nobody would know."""
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    listed = {
        re.split(r"[<>=\[;]", each)[0]
        for name in ("runtime", "watch", "docs", "test")
        for each in extras[name]
    }
    assert "torchlosslint[runtime,watch,docs]" in extras["test"]
    known_as = {"pre_commit": "pre-commit", "material": "mkdocs-material", "yaml": "mkdocs"}
    # Two large libraries that only add to what is shown otherwise; a part of Python; a part of this package.
    further = {"accelerate", "transformers", "tomllib", "torchlosslint"}
    wanted = {
        module.split(".")[0]
        for path in (ROOT / "tests").glob("test_*.py")
        for module in re.findall(r'importorskip\("([\w.]+)"', path.read_text("utf-8"))
    }
    assert {"pre_commit", "mkdocs", "watchfiles"} <= wanted
    assert {known_as.get(module, module) for module in wanted - further} <= listed
