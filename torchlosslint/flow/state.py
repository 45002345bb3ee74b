"""The mutable state under analysis and its journal, so that branches can be tried and joined.

All state lies in dicts: variables of scopes, attributes of heap objects, globals of modules.
Every write goes through the journal. A branch is run, taken back, and leaves a diff; the
diffs of all branches are then joined under the guards of the branches.
"""

from __future__ import annotations

from typing import Any

from torchlosslint.flow.facts import choose
from torchlosslint.flow.memo import Clock
from torchlosslint.flow.values import TRUE, Attrs, Guard, Unknown, Value


class _Missing:
    __slots__ = ()


MISSING = _Missing()
NEVER = Unknown("an attribute that was never assigned", ("never",))
# id of the dict and key -> (dict, key, value)
Diff = dict[tuple[int, Any], tuple[dict[Any, Any], Any, Any]]


class Journal:
    """Writes with undo. `layers` holds, per open branch, the old value of what was written."""

    __slots__ = ("clock", "layers")

    def __init__(self) -> None:
        self.layers: list[Diff] = []
        self.clock = Clock()

    def write(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        """Set (or, for MISSING, delete) one key of one dict."""
        self.clock.tick(target)
        self.bind(target, key, value)

    def bind(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        """The same for a name of a scope, whose readers look at the name itself."""
        if self.layers:
            top = self.layers[-1]
            ident = (id(target), key)
            if ident not in top:
                top[ident] = (target, key, target.get(key, MISSING))
        if value is MISSING:
            target.pop(key, None)
        else:
            target[key] = value

    def branch(self) -> None:
        """Begin a branch."""
        self.layers.append({})

    def rollback(self) -> Diff:
        """Take the branch back; return what it had written."""
        top = self.layers.pop()
        diff: Diff = {}
        for ident, (target, key, old) in top.items():
            diff[ident] = (target, key, target.get(key, MISSING))
            if type(target) is Attrs:
                self.clock.tick(target)
            if old is MISSING:
                target.pop(key, None)
            else:
                target[key] = old
        return diff

    def commit(self) -> Diff:
        """Keep the branch's writes as the parent's; return the old values it had noted."""
        top = self.layers.pop()
        if self.layers:
            parent = self.layers[-1]
            for ident, entry in top.items():
                if ident not in parent:
                    parent[ident] = entry
        return top

    def apply(self, diff: Diff) -> None:
        """Write a diff."""
        for target, key, new in diff.values():
            self._again(target, key, new)

    def join(self, branches: list[tuple[Guard, Diff]]) -> None:
        """Join the diffs of branches that all start from the present state."""
        if len(branches) == 1:
            self.apply(branches[0][1])
            return
        idents: dict[tuple[int, Any], tuple[dict[Any, Any], Any]] = {}
        for _, diff in branches:
            for ident, (target, key, _new) in diff.items():
                idents.setdefault(ident, (target, key))
        for ident, (target, key) in idents.items():
            old = target.get(key, MISSING)
            options: list[tuple[Guard, Value]] = []
            for guard, diff in branches:
                entry = diff.get(ident)
                value = old if entry is None else entry[2]
                if value is MISSING and isinstance(target, Attrs) and target:
                    # An object that was there before: on this way it has no such attribute.
                    value = TRUE if key == "training" else NEVER
                if value is not MISSING:
                    options.append((guard, value))
            if not options:
                self._again(target, key, MISSING)
            elif len(options) == 1 or all(v is options[0][1] for _, v in options):
                self._again(target, key, options[0][1])
            else:
                self._again(target, key, choose(options))

    def _again(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        """Write what a branch had written: the clock knows already of names that are not its own."""
        if type(target) is Attrs:
            self.clock.tick(target)
        self.bind(target, key, value)
