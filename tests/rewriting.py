"""The same program written down in another way: for tests that verdicts do not depend on it."""

from __future__ import annotations

import ast
import bisect
import builtins
import io
import random
import re
import tokenize
from collections.abc import Iterator
from functools import cache

FIXED = frozenset(
    "forward training_step validation_step configure_optimizers compute_loss model inputs return_outputs "
    "input target args kwargs self cls super".split()
)


@cache
def libraries() -> frozenset[str]:
    """Words that mean something to Python or torch, so that no program may give them up."""
    import torch
    import torch.nn.functional
    import torch.utils.data

    words = set(dir(builtins)) | FIXED
    for thing in (
        *(torch, torch.nn, torch.nn.functional, torch.Tensor, torch.nn.Module, torch.utils.data, torch.optim),
        *(torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Conv2d, torch.nn.LSTM),
        *(
            dict,
            list,
            str,
            tuple,
            set,
            torch.nn.CrossEntropyLoss,
            torch.distributions.Categorical,
            torch.cuda,
        ),
    ):
        words |= set(dir(thing))
    return frozenset(words)


def renamed(tree: ast.Module, seed: int) -> ast.Module:
    """Everything that the program itself names, with another name; words in strings stay, and keywords, and
    what a library may know as well."""
    bound: set[str] = set()
    foreign: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Store()):
                bound.add(node.id)
            case ast.arg():
                bound.add(node.arg)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Store()):
                bound.add(node.attr)
            case ast.Constant(value=str() as words):
                foreign |= set(re.findall(r"\w+", words))
            case ast.keyword():
                foreign.add(node.arg or "")
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    foreign |= set(f"{alias.name}.{alias.asname or ''}".split("."))
            case ast.Global() | ast.Nonlocal() | ast.MatchAs() | ast.MatchStar() | ast.ExceptHandler():
                foreign |= {str(name) for name in getattr(node, "names", [getattr(node, "name", "")])}
    own = sorted(n for n in bound - foreign - libraries() if not n.startswith("_"))
    dice = random.Random(seed)
    new = {name: f"{dice.choice('pqrstuvw')}{i}_{dice.randrange(90)}" for i, name in enumerate(own)}
    for node in ast.walk(tree):
        for field in ("id", "arg", "name", "attr"):
            word = getattr(node, field, None)
            if isinstance(word, str) and word in new and not isinstance(node, ast.alias):
                setattr(node, field, new[word])
    return tree


def mentions(node: ast.AST) -> set[str]:
    """The names that a statement mentions anywhere."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def reordered(tree: ast.Module, seed: int) -> ast.Module:
    """Functions and classes without decorators at other places among their like: each still stands after
    what it is made of and before what runs."""
    dice = random.Random(seed)
    body: list[ast.stmt] = []
    for group in _runs(tree.body):
        if isinstance(group[0], (ast.FunctionDef, ast.ClassDef)):
            done: list[ast.stmt] = []
            left = list(group)
            while left:
                ready = [s for s in left if not _needed_at_once(s) & {_name(o) for o in left if o is not s}]
                chosen = dice.choice(ready or left[:1])
                left.remove(chosen)
                done.append(chosen)
            group = done
        body += group
    tree.body = body
    return tree


def _runs(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Definitions that stand side by side, and the statements between them. Names that are defined twice
    keep their order."""
    names = [_name(s) for s in body]
    twice = {n for n in names if n and names.count(n) > 1}
    run: list[ast.stmt] = []
    for stmt in body:
        movable = bool(_name(stmt)) and _name(stmt) not in twice
        if run and (not movable or not _name(run[-1]) or _name(run[-1]) in twice):
            yield run
            run = []
        run.append(stmt)
    if run:
        yield run


def _name(stmt: ast.stmt) -> str:
    return stmt.name if isinstance(stmt, (ast.FunctionDef, ast.ClassDef)) else ""


def _needed_at_once(stmt: ast.stmt) -> set[str]:
    """What must be there when a definition is run: all but the bodies of its functions."""
    if isinstance(stmt, ast.FunctionDef):
        return mentions(stmt.args) | {n for d in stmt.decorator_list for n in mentions(d)}
    out: set[str] = set()
    for child in ast.iter_child_nodes(stmt):
        if isinstance(child, ast.FunctionDef):
            out |= _needed_at_once(child)
        else:
            out |= mentions(child)
    return out


def split(tree: ast.Module) -> dict[str, str] | None:
    """Its definitions in a module of their own, which the rest imports; None where they need more than
    each other and what was imported before them."""
    imports: list[ast.stmt] = [s for s in tree.body if isinstance(s, (ast.Import, ast.ImportFrom))]
    definitions = [s for s in tree.body if _name(s)]
    rest = [s for s in tree.body if s not in imports and s not in definitions]
    assigned = {
        n.id for s in rest for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    names = {_name(s) for s in definitions}
    used = {n for s in definitions for n in mentions(s)}
    if not definitions or not rest or used & assigned or names & assigned:
        return None
    if any(isinstance(n, (ast.Global, ast.Await)) for n in ast.walk(tree)):
        return None
    head = ast.unparse(ast.Module(imports, []))
    future = [s for s in imports if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
    if future:
        return None
    parts = ast.unparse(ast.Module(definitions, []))
    main = ast.unparse(ast.Module(rest, []))
    bring = f"from parts_of_it import {', '.join(sorted(names))}"
    return {"parts_of_it.py": f"{head}\n{parts}\n", "main_part.py": f"{head}\n{bring}\n{main}\n"}


def spread(text: str, seed: int) -> str:
    """The same text with other line ends, indentation, blank lines, comments and breaks inside brackets."""
    dice = random.Random(seed)
    step = dice.choice(["  ", "    ", "\t", "       "])
    out: list[str] = []
    depth = level = 0
    before = "\n"
    for kind, word in _tokens(text):
        if kind == tokenize.INDENT:
            level += 1
        elif kind == tokenize.DEDENT:
            level -= 1
        elif kind == tokenize.NEWLINE:
            out.append(dice.choice(["\n", "\n", "\n\n", "  # softmax\n", "\n# cross_entropy(x)\n", " \n"]))
            before = "\n"
        else:
            if before == "\n":
                out.append(step * level)
            elif depth and dice.random() < 0.2:
                out.append(dice.choice(["\n", "\n" + step * (level + 2), "  # (\n", "  "]))
            elif dice.random() < 0.5 or not {before, word} & set("()[]{},"):
                out.append(" ")
            depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
            out.append(word)
            before = word
    return "".join(out).replace("\n", dice.choice(["\n", "\r\n"]))


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Kinds and words of the tokens that count; a formatted string is one."""
    lines = text.splitlines(keepends=True)
    inside, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        if name.endswith("STRING_START"):
            start = start if inside else token.start
            inside += 1
        elif name.endswith("STRING_END"):
            inside -= 1
            if not inside:
                (row, column), (last, end) = start, token.end
                whole = [*lines[row - 1 : last - 1], lines[last - 1][:end]]
                yield tokenize.STRING, "".join([whole[0][column:], *whole[1:]])
        elif not inside and token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER):
            yield token.type, token.string


def statement_at(text: str, line: int, column: int) -> int:
    """The number of the statement in which a place is, in the order of the text."""
    starts = sorted(
        (n.lineno, n.col_offset + 1) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt)
    )
    return bisect.bisect_right(starts, (line, column))
