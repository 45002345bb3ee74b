"""What the interpreter starts from: module top levels, then functions that nothing called."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.flow.relevance import Relevance
from torchlosslint.flow.values import ClassV, Func
from torchlosslint.syntax import ir


def run_program(interpreter: Interpreter, files: Iterable[str]) -> None:
    """Run every module, then every function and method that no run so far has called."""
    modules = [interpreter.program.file(path) for path in files]
    relevance = Relevance(info.body for info in modules)
    for info in modules:
        interpreter.run_module(info)
    done: set[int] = set()
    while True:
        pending = [
            f
            for f in interpreter.functions
            if id(f.node) not in interpreter.called
            and id(f.node) not in done
            and isinstance(f.node, ir.FuncDef)
        ]
        if not pending:
            return
        done.update(id(f.node) for f in pending)
        pending = [f for f in pending if relevance.of(f.node)]
        # Callers first: what another pending function mentions is likely to be called by it.
        mentioned: set[str] = set()
        for func in pending:
            mentioned |= relevance.mentions(func.node)
        pending.sort(key=lambda f: (_rank(f), f.qualname.rsplit(".", 1)[-1] in mentioned))
        for func in pending:
            if id(func.node) not in interpreter.called:
                interpreter.run_function(func)


def _rank(func: Func) -> int:
    """Steps of a training before the parts of models, constructors last."""
    name = func.qualname.rsplit(".", 1)[-1]
    if isinstance(func.owner, ClassV):
        if name == "__init__":
            return 3
        return 2 if name in ("forward", "__call__") else 1
    return 0
