"""What the interpreter starts from: module top levels, then functions that nothing called."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable

from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.flow.machine import MAX_STEPS, METHOD_STEPS, Share
from torchlosslint.flow.relevance import Relevance
from torchlosslint.flow.values import ClassV, Func
from torchlosslint.program.module import ModuleInfo
from torchlosslint.syntax import ir

# The steps of all module top levels, and again those of all functions that nothing calls, together:
# linear in the lines, whatever the library.
STEPS_PER_LINE = 6
FURTHER_STEPS = 16_000
MANY_MODULES = 200
COLLECT_EVERY = 400_000  # objects that came and did not go: scopes and instances have cycles
MAX_REMEMBERED = 20_000  # calls; more only cost memory


def run_program(interpreter: Interpreter, files: Iterable[str]) -> None:
    """Run every module, then every function and method that no run so far has called."""
    modules = [interpreter.program.file(path) for path in files]
    total = FURTHER_STEPS + STEPS_PER_LINE * sum(info.lines for info in modules)
    interpreter.module_share = Share(total, len(modules))
    further = interpreter.declared.losses if interpreter.declared is not None else frozenset[str]()
    relevance = Relevance((info.body for info in modules), further)
    if len(modules) < MANY_MODULES:
        _run_entries(interpreter, modules, relevance, total)
        return
    gc.freeze()  # the statements of a large library stay to the end: no collection need walk them
    try:
        _run_entries(interpreter, modules, relevance, total)
    finally:
        gc.unfreeze()


def forget(interpreter: Interpreter) -> None:
    """Let go of the objects of a program that is done: what holds itself would wait for a collection."""
    for info in interpreter.program.modules.values():
        info.globals.clear()
        info.scope = None
        info.body = []
    for cls in interpreter.classes:
        cls.attrs.clear()
        cls.mro.clear()
    interpreter.classes.clear()
    interpreter.functions.clear()
    interpreter.instances.clear()
    interpreter.memory.clear()
    interpreter.frame = None


def _collect(interpreter: Interpreter) -> None:
    """Give memory back from time to time; automatic collection is off."""
    if gc.get_count()[0] > COLLECT_EVERY:
        if len(interpreter.memory.calls) > MAX_REMEMBERED:
            interpreter.memory.clear()
        gc.collect()


def _run_entries(
    interpreter: Interpreter, modules: list[ModuleInfo], relevance: Relevance, total: int
) -> None:
    for info in modules:
        guarded(interpreter, info.path, lambda info=info: interpreter.run_module(info))  # type: ignore[misc]
        _collect(interpreter)
    done: set[int] = set()
    own = {info.path for info in modules}
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
        pending = [f for f in pending if relevance.of(f.node) and not _outdated(f, relevance)]
        # Callers first: what another pending function mentions is likely to be called by it.
        mentioned: set[str] = set()
        for func in pending:
            mentioned |= relevance.mentions(func.node)
        pending.sort(key=lambda f: (_rank(f), f.qualname.rsplit(".", 1)[-1] in mentioned))
        # The files that were asked about before those that they import, which may be far more.
        left = total
        for group in ([f for f in pending if (f.module.path in own) is mine] for mine in (True, False)):
            share = Share(left, len(group))
            for func in group:
                limit = share.next(METHOD_STEPS if func.owner is not None else MAX_STEPS)
                if id(func.node) not in interpreter.called:
                    guarded(
                        interpreter,
                        func.module.path,
                        lambda func=func, limit=limit: interpreter.run_function(func, limit),  # type: ignore[misc]
                    )
                    share.left -= interpreter.steps
                _collect(interpreter)
            left = share.left


def guarded(interpreter: Interpreter, path: str, run: Callable[[], None]) -> None:
    """Run one entry; a mistake of the interpreter's own costs that entry, not the run, and is told."""
    try:
        run()
    except Exception as error:
        interpreter.journal.layers.clear()
        interpreter.outside = None
        interpreter.failures.setdefault(
            path, f"internal error, please report it: {type(error).__name__}: {error}"
        )


def _outdated(func: Func, relevance: Relevance) -> bool:
    """Whether a function that nothing calls speaks of a function or class that was replaced by a later
    definition of the same name, and may have been in use before that."""
    if func.scope is not func.module.scope:
        return False
    own = func.owner.node.o if func.owner is not None else func.node.o
    seen: set[str] = set()
    replaced: set[str] = set()  # after the definition of the function
    for stmt in func.module.body:
        if isinstance(stmt, (ir.ClassDef, ir.FuncDef)):
            if stmt.name in seen and stmt.o > own:
                replaced.add(stmt.name)
            seen.add(stmt.name)
    if not replaced:
        return False
    name = func.owner.name if func.owner is not None else func.qualname
    return not (relevance.around(func.node) - {name}).isdisjoint(replaced)


def _rank(func: Func) -> int:
    """Steps of a training before the parts of models, constructors last."""
    name = func.qualname.rsplit(".", 1)[-1]
    if isinstance(func.owner, ClassV):
        if name == "__init__":
            return 3
        return 2 if name in ("forward", "__call__") else 1
    return 0
