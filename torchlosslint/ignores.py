"""Writes suppressions for what was found: `--add-ignores "reason"`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from torchlosslint.finding import Finding, Location
from torchlosslint.sources.comments import open_lines
from torchlosslint.sources.decode import SourceError, decode, encoding_of, read_bytes
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


def add(findings: Iterable[Finding], reason: str) -> Added:
    """Put `# torchlosslint: ignore[CODE] reason` in the lines of the findings. A file keeps its line
    ends, its encoding and its permissions; it is written whole or not at all."""
    out = Added()
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.code in NOT_HERE:
            out.left.append((finding.location, f"{finding.code} is nothing that a comment can settle"))
        elif finding.location.cell is not None:
            out.left.append((finding.location, "notebooks are not written"))
        else:
            by_file[finding.location.path].append(finding)
    for path, group in by_file.items():
        problem = _file(path, group, reason, out)
        if problem:
            out.left.extend((finding.location, problem) for finding in group)
    return out


def _file(path: str, findings: list[Finding], reason: str, out: Added) -> str:
    """Write one file; why that cannot be done, "" if it was."""
    data = read_bytes(path)
    text = data if isinstance(data, SourceError) else decode(data, path)
    if isinstance(text, SourceError) or isinstance(data, SourceError):
        return text.message if isinstance(text, SourceError) else "it cannot be read"
    encoding, mark = encoding_of(data)
    if mark + text.encode(encoding, "replace") != data:
        return f"its encoding, {encoding}, would not survive"
    lines = [list(found.groups()) for found in _LINE.finditer(text)]
    free = open_lines(text)
    codes: dict[tuple[int, bool], list[str]] = defaultdict(list)  # (line, above it) -> codes
    placed: list[Finding] = []
    left: list[tuple[Location, str]] = []
    for finding in findings:
        place = _place(finding.location, free)
        if place is None:
            left.append((finding.location, "no comment can stand in or above its lines"))
            continue
        placed.append(finding)
        if finding.code not in codes[place]:
            codes[place].append(finding.code)
    for (line, above), listed in codes.items():
        body = lines[line - 1][0]
        if above:
            indent = body[: len(body) - len(body.lstrip())]
            end = lines[line - 1][1] or "\n"
            comment = f"{indent}# torchlosslint: ignore-next-line[{', '.join(listed)}] {reason}{end}"
            lines[line - 1][0] = comment + body
        else:
            lines[line - 1][0] = _extended(body, listed, reason)
    try:
        new = mark + "".join(body + end for body, end in lines).encode(encoding)
    except UnicodeEncodeError:
        return f"the reason cannot be written in its encoding, {encoding}"
    try:
        if placed:
            write_atomically(path, new)
    except OSError as error:
        return f"it cannot be written: {error.strerror or error}"
    out.findings += len(placed)
    out.files += bool(placed)
    out.left.extend(left)
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
