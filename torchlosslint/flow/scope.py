"""Scopes of names and frames of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlosslint.flow.state import Diff
from torchlosslint.flow.values import ClassV, Guard, Place, Value

if TYPE_CHECKING:
    from torchlosslint.program.module import ModuleInfo


class Scope:
    """Names of one function body, comprehension or class body; `parent` encloses it lexically."""

    __slots__ = ("names", "parent")

    def __init__(self, names: dict[str, Value], parent: Scope | None) -> None:
        self.names = names
        self.parent = parent


class Frame:
    """One running body. `entered` maps the identity of tensors that came in as arguments to
    nothing; `caller` and `place` say who called and where."""

    __slots__ = (
        "autocast",
        "caller",
        "depth",
        "entered",
        "func_node",
        "globals_",
        "klass",
        "loop_exits",
        "module",
        "no_grad",
        "nonlocals",
        "passes",
        "place",
        "return_diffs",
        "returns",
        "scope",
        "self_value",
        "yields",
    )

    def __init__(
        self, module: ModuleInfo, scope: Scope, caller: Frame | None = None, place: Place | None = None
    ) -> None:
        self.module = module
        self.scope = scope
        self.caller = caller
        self.place = place
        self.depth: int = caller.depth + 1 if caller else 0
        self.func_node: Any = None
        self.self_value: Value | None = None
        self.klass: ClassV | None = None
        self.globals_: set[str] = set()
        self.nonlocals: set[str] = set()
        self.entered: dict[int, None] = {}
        self.returns: list[tuple[Guard, Value]] = []
        self.return_diffs: list[tuple[Guard, Diff]] = []
        self.loop_exits: list[tuple[Guard, Diff]] = []
        self.yields: list[Value] = []
        self.passes = 1  # that the loops which are running take together
        self.no_grad: bool = caller.no_grad if caller else False
        self.autocast: str | None = caller.autocast if caller else None
