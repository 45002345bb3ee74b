"""What the interpreter starts from: module top levels, then functions that nothing called."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.flow.values import ClassV, Func
from torchlosslint.syntax import ir


def run_program(interpreter: Interpreter, files: Iterable[str]) -> None:
    """Run every module, then every function and method that no run so far has called."""
    for path in files:
        interpreter.run_module(interpreter.program.file(path))
    while True:
        pending = [
            f
            for f in interpreter.functions
            if id(f.node) not in interpreter.called and isinstance(f.node, ir.FuncDef)
        ]
        if not pending:
            return
        # Callers first: what another pending function mentions is likely to be called by it.
        mentioned: set[str] = set()
        for func in pending:
            mentioned |= _mentions(func)
        pending.sort(key=lambda f: (_rank(f), f.node.name in mentioned))
        for func in pending:
            if id(func.node) not in interpreter.called:
                interpreter.run_function(func)
                interpreter.called.add(id(func.node))


def _rank(func: Func) -> int:
    """Steps of a training before the parts of models, constructors last."""
    name = func.qualname.rsplit(".", 1)[-1]
    if isinstance(func.owner, ClassV):
        if name == "__init__":
            return 3
        return 2 if name in ("forward", "__call__") else 1
    return 0


def _mentions(func: Func) -> frozenset[str]:
    """Names that the body of a function calls, by name or as an attribute."""
    out: set[str] = set()
    stack: list[object] = list(func.node.body) if isinstance(func.node, ir.FuncDef) else []
    while stack:
        node = stack.pop()
        if isinstance(node, ir.Call):
            if isinstance(node.func, ir.Name):
                out.add(node.func.id)
            elif isinstance(node.func, ir.Attr):
                out.add(node.func.attr)
        if isinstance(node, (list, tuple)):
            stack.extend(node)
        elif hasattr(node, "__struct_fields__"):
            stack.extend(getattr(node, f) for f in node.__struct_fields__)
    return frozenset(out)
