"""The rules that come with torchlosslint: one folder a family, one file a rule.

Nothing is registered anywhere: `rules()` finds what is there, so a new rule is one new file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from torchlosslint.rule import Rule


def rules() -> list[Rule]:
    """One instance of every rule in the subpackages. The entry point `builtin` names this function."""
    found: dict[str, Rule] = {}
    for module in pkgutil.walk_packages(__path__, __name__ + "."):
        for thing in vars(import_module(module.name)).values():
            # A helper base without a code of its own is no rule; an imported rule is found where it lives.
            if (
                isinstance(thing, type)
                and issubclass(thing, Rule)
                and thing.__module__ == module.name
                and "code" in vars(thing)
            ):
                twin = found.setdefault(thing.code, rule := thing())
                if twin is not rule:
                    raise ValueError(f"{thing.__name__} and {type(twin).__name__} share a code: {thing.code}")
    return [found[code] for code in sorted(found)]
