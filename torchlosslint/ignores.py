"""Writes suppressions for what was found: `--add-ignores "reason"`."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from torchlosslint.finding import Finding, Location
from torchlosslint.sources.cells import Change, OddLayoutError, changed, code_cells
from torchlosslint.sources.comments import open_lines
from torchlosslint.sources.decode import SourceError, decode, encoding_of, read_bytes
from torchlosslint.sources.notebook import is_notebook, notebook
from torchlosslint.sources.suppressions import suppressions
from torchlosslint.sources.write import write_atomically

# What a comment in the code cannot answer: files that cannot be read, and what is said of suppressions.
NOT_HERE = ("TLL001", "TLL002")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_LIST = re.compile(r"(#\s*torchlosslint\s*:\s*ignore\s*\[[^\]#]*?),?\s*\]", re.IGNORECASE)


@dataclass(slots=True)
class Added:
    """How many findings are suppressed now, in how many files; left: those that are not, and why."""

    findings: int = 0
    files: int = 0
    left: list[tuple[Location, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    """What is to be done in one text. lines: of it, each with its end; comments: by line, where the line
    is to stay and a comment to come above it; placed, left: findings that have a place, and the others."""

    lines: list[tuple[str, str]]
    bodies: dict[int, str] = field(default_factory=dict)
    above: dict[int, str] = field(default_factory=dict)
    placed: list[Finding] = field(default_factory=list)
    left: list[tuple[Location, str]] = field(default_factory=list)


def add(findings: Iterable[Finding], reason: str) -> Added:
    """Put `# torchlosslint: ignore[CODE] reason` in the lines of the findings. A file keeps its line
    ends, its encoding and its permissions, a notebook all that is not in these lines; it is written
    whole or not at all."""
    out = Added()
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.code in NOT_HERE:
            out.left.append((finding.location, f"{finding.code} is nothing that a comment can settle"))
        else:
            by_file[finding.location.path].append(finding)
    for path, group in by_file.items():
        data = read_bytes(path)
        if isinstance(data, SourceError):
            problem = "it cannot be read"
        else:
            problem = (_notebook if is_notebook(path) else _file)(path, data, group, reason, out)
        if problem:
            out.left.extend((finding.location, problem) for finding in group)
    return out


def _file(path: str, data: bytes, findings: list[Finding], reason: str, out: Added) -> str:
    """Write one file; why that cannot be done, "" if it was."""
    text = decode(data, path)
    if isinstance(text, SourceError):
        return text.message
    encoding, mark = encoding_of(data)
    if mark + text.encode(encoding, "replace") != data:
        return f"its encoding, {encoding}, would not survive"
    work = _work(text, text, findings, reason)
    parts = []
    for number, (body, end) in enumerate(work.lines, 1):
        parts += [work.above.get(number, ""), work.bodies.get(number, body), end]
    try:
        new = mark + "".join(parts).encode(encoding)
    except UnicodeEncodeError:
        return f"the reason cannot be written in its encoding, {encoding}"
    return _write(path, new, [work], out)


def _notebook(path: str, data: bytes, findings: list[Finding], reason: str, out: Added) -> str:
    """The same for a notebook, in its cells."""
    source = notebook(data, path)
    if isinstance(source, SourceError):
        return source.message
    encoding = json.detect_encoding(data)
    text = data.decode(encoding, "surrogatepass")
    if text.encode(encoding, "surrogatepass") != data:
        return f"its encoding, {encoding}, would not survive"
    cells = code_cells(text)
    odd = "its cells are laid out so that no line of them can be changed alone"
    works: dict[int, _Work] = {}
    changes: list[Change] = []
    for number in dict.fromkeys(finding.location.cell or 0 for finding in findings):
        group = [finding for finding in findings if (finding.location.cell or 0) == number]
        if number not in cells:
            return odd
        cell = cells[number].text
        # What IPython alone understands is harmless in the source, and its lines are the same.
        work = works[number] = _work(cell, source.cell(number), group, reason)
        changes += _changes(number, work)
    try:
        new = changed(text, cells, changes)
    except OddLayoutError:
        return odd
    return _write(path, new.encode(encoding, "surrogatepass"), works.values(), out)


def _changes(cell: int, work: _Work) -> Iterator[Change]:
    """The changes of a cell's text, each as small as can be."""
    at = 0
    for number, (body, end) in enumerate(work.lines, 1):
        if number in work.above:
            yield Change(cell, at, at, work.above[number])
        new = work.bodies.get(number, body)
        if new != body:
            head = _alike(body, new)
            tail = _alike(body[head:][::-1], new[head:][::-1])
            yield Change(cell, at + head, at + len(body) - tail, new[head : len(new) - tail])
        at += len(body) + len(end)


def _alike(left: str, right: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = zip(left, right, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _work(text: str, python: str, findings: list[Finding], reason: str) -> _Work:
    """What is to be done in a text for the findings in it. python: the same lines as Python reads them."""
    work = _Work([(found[1], found[2]) for found in _LINE.finditer(text)])
    free = open_lines(python)
    codes: dict[tuple[int, bool], list[str]] = defaultdict(list)  # (line, above it) -> codes
    for finding in findings:
        place = _place(finding.location, free)
        if place is None or place[0] > len(work.lines):
            work.left.append((finding.location, "no comment can stand in or above its lines"))
            continue
        work.placed.append(finding)
        if finding.code not in codes[place]:
            codes[place].append(finding.code)
    for (line, above), listed in codes.items():
        body, end = work.lines[line - 1]
        if above:
            indent = body[: len(body) - len(body.lstrip())]
            comment = f"{indent}# torchlosslint: ignore-next-line[{', '.join(listed)}] {reason}"
            work.above[line] = comment + (end or "\n")
        else:
            work.bodies[line] = _extended(body, listed, reason)
    return work


def _write(path: str, data: bytes, works: Collection[_Work], out: Added) -> str:
    """Put the new bytes in the place of a file, and count; why that cannot be done, "" if it was."""
    placed = [finding for work in works for finding in work.placed]
    try:
        if placed:
            write_atomically(path, data)
    except OSError as error:
        return f"it cannot be written: {error.strerror or error}"
    out.findings += len(placed)
    out.files += bool(placed)
    for work in works:
        out.left.extend(work.left)
    return ""


def _place(where: Location, free: set[int]) -> tuple[int, bool] | None:
    """The line for the comment, and whether it stands above that line."""
    for line in (where.line, where.end_line, *range(where.line + 1, where.end_line)):
        if line in free:
            return line, False
    above = where.line == 1 or where.line - 1 in free
    return (where.line, True) if above else None


def _extended(body: str, codes: list[str], reason: str) -> str:
    """The line with the comment; one that is there already takes the codes in."""
    own = [s for s in suppressions(body) if s.own and s.codes and not s.wrong and s.target == 1]
    if own:
        listed = "".join(f", {code}" for code in codes if code not in own[0].codes)
        return _LIST.sub(lambda found: f"{found[1]}{listed}]", body, count=1)
    return f"{body.rstrip()}  # torchlosslint: ignore[{', '.join(codes)}] {reason}"
