"""One cheap look at the bytes of every file: what it imports, and whether it may hold a loss.

Parsing costs a hundred times more than this, and most files of a project have nothing
to do with losses. Needed are

- the files with a *trigger*, a word that says that a loss may be computed here;
- the files that import one of those, and the files that import these, up to the scripts:
  a criterion built in utils.py is called in train.py, which need not name a loss itself;
- everything that those import, and that imports: the models, and what they are made of.

The look is textual. A word in a comment or an import in a docstring makes a file more
needed than it is, which costs a little time and is never wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple


class ImportEdge(NamedTuple):
    """One import: `import module`, or `from <level dots>module import names`.

    `names` is empty for a plain import and for import_module; ("*",) for a star."""

    module: str
    level: int
    names: tuple[str, ...]


class Screened(NamedTuple):
    """What one file's bytes tell."""

    imports: tuple[ImportEdge, ...]
    triggers: bool


# ---- triggers ----------------------------------------------------------------------

_WORDS = (
    b"Loss(",  # CrossEntropyLoss(, DiceLoss(
    b"_loss",  # mse_loss, compute_loss, self._loss
    b"CrossEntropy",
    b"ross_entropy",
    b"kl_div",
    b".backward(",
    b"training_step",
    b"validation_step",
    b"torch.distributions",
    b"import distributions",
    b".log_prob(",
    b"log_softmax",
    b"LogSoftmax",
    b"logsigmoid",
    b"LogSigmoid",
)
"""Any of these is a trigger. Searches for plain bytes cost next to nothing."""

_LOSS = re.compile(rb"oss(?:(?<=\wLoss)(?:2d|Fn)?\b|(?<=\bloss)\w*\s*(?:[(=]|\+=))")
"""The names of losses (`DiceLoss`), and names that start with `loss` where they are
called or given a value (`loss_fn(`, `loss = ...`)."""

_NEAR = re.compile(
    rb"(?<!math\.)(?<!np\.)\blog(?:1p|2|10)?\s*\((?:.|\n){0,120}?(?:softmax|sigmoid)\w*\s*\("
    rb"|(?:softmax|sigmoid)\w*\s*\((?:.|\n){0,160}?(?<!math)(?<!np)(?:\.log(?:1p|2|10)?|\blog)\s*\("
)
"""A logarithm next to a softmax or a sigmoid: a cross-entropy written by hand."""


def has_trigger(data: bytes, words: tuple[bytes, ...] = ()) -> bool:
    """Whether the file has a word that says that a loss may be here.

    `words`: further triggers, the names of losses that a configuration declares."""
    if any(word in data for word in _WORDS) or any(word in data for word in words):
        return True
    if b"oss" in data and _LOSS.search(data) is not None:
        return True
    return b"log" in data and (b"softmax" in data or b"sigmoid" in data) and _NEAR.search(data) is not None


# ---- imports -----------------------------------------------------------------------

_W = rb"[\w\x80-\xff]"
_GAP = rb"(?:[. \t]|\\\r?\n)"
_BEFORE = re.compile(
    rb"(?:^|[;:])[ \t\f]*(?:from(?=[ \t.\\])(?P<dots>%b*)(?P<module>(?:%b|%b)*))?$" % (_GAP, _W, _GAP)
)
"""What stands on the line before the word `import`, if it is an import."""

_LONGEST = 1_000
"""Bytes before the word `import` on its line: in more, none is looked for."""

_CONTINUED = 5
"""Lines that end in a backslash between the start of a statement and `import`."""

_AFTER = re.compile(
    rb"(?:\s|\\\r?\n)*(?:\((?P<many>(?:[\w\x80-\xff\s,.*\\]|#[^\r\n]*)*)\)?|(?P<few>(?:[^\r\n;#\\(]|\\\r?\n)+))"
)
_COMMENT = re.compile(rb"#[^\r\n]*")
_NAME = re.compile(rb"(\*|%b[\w\x80-\xff.]*)" % _W)
_CALL = re.compile(rb"(?:_module|__)\s*\(\s*(?:name\s*=\s*)?['\"](\.*)([\w.\x80-\xff]+)['\"]")


def imports(data: bytes) -> tuple[ImportEdge, ...]:
    """The import edges of a file, each once, in the order of their first places."""
    edges: dict[ImportEdge, None] = {}
    at = data.find(b"import")
    while at >= 0:
        after = at + 6
        following = data[after : after + 1]
        if following == b"_":
            call = _CALL.match(data, after)
            if call is not None:
                edges[ImportEdge(_text(call[2]), len(call[1]), ())] = None
        elif following in b" \t*(\\":
            for edge in _statement(data, at, after):
                edges[edge] = None
        at = data.find(b"import", after)
    return tuple(edges)


def _statement(data: bytes, at: int, after: int) -> Iterable[ImportEdge]:
    floor = max(0, at - _LONGEST)
    start = _line_start(data, floor, at)
    for _ in range(_CONTINUED):
        if start - floor < 2 or not data[start - 3 : start].rstrip(b"\r\n").endswith(b"\\"):
            break
        start = _line_start(data, floor, start - 2)
    else:
        return
    if start == floor > 0:
        return
    before = _BEFORE.search(data[start:at])
    names = None if before is None else _AFTER.match(data, after)
    if before is None or names is None:
        return
    listed = _COMMENT.sub(b"", names["many"] or names["few"] or b"").split(b",")
    found = [
        _text(m[1]) for m in (_NAME.match(name.strip(b" \t\r\n\f\\")) for name in listed) if m is not None
    ]
    if before["dots"] is None:
        for name in found:
            yield ImportEdge(name, 0, ())
    elif found:
        path = re.sub(rb"[ \t\\\r\n]", b"", before["dots"] + before["module"])
        module = path.lstrip(b".")
        yield ImportEdge(_text(module), len(path) - len(module), tuple(found))


def _line_start(data: bytes, floor: int, at: int) -> int:
    """Where the line of `at` starts, or `floor` where it starts before that."""
    newline = data.rfind(b"\n", floor, at)
    if newline < 0:
        newline = floor - 1
    return 1 + max(newline, data.rfind(b"\r", newline + 1, at))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def screen(data: bytes, words: tuple[bytes, ...] = ()) -> Screened:
    """The import edges of a file's bytes, and whether it has a trigger."""
    return Screened(imports(data.removeprefix(b"\xef\xbb\xbf")), has_trigger(data, words))


# ---- what is needed ----------------------------------------------------------------


def needed(files: Mapping[str, Screened], resolve: Callable[[str, ImportEdge], Iterable[str]]) -> set[str]:
    """The files to parse: see the module's docstring.

    `resolve(path, edge)` gives the files that an import in the file `path` reads; those
    that are not in `files` are passed over."""
    imported = {
        path: {other for edge in screened.imports for other in resolve(path, edge)}
        for path, screened in files.items()
    }
    return reached(files, imported)


def reached(files: Mapping[str, Screened], imported: Mapping[str, set[str]]) -> set[str]:
    """The same, where it is known what each file imports."""
    importers: dict[str, set[str]] = {path: set() for path in files}
    inside: dict[str, set[str]] = {}
    for path in files:
        inside[path] = imported[path] & importers.keys()
        for other in inside[path]:
            importers[other].add(path)
    triggers = {path for path, screened in files.items() if screened.triggers}
    return _reach(_reach(triggers, importers), inside)


def _reach(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    reached, todo = set(start), list(start)
    while todo:
        for path in edges[todo.pop()] - reached:
            reached.add(path)
            todo.append(path)
    return reached
