"""The source lines that a report quotes, and fingerprints that outlive a moved line."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from torchlosslint.finding import Finding, Location
from torchlosslint.sources.decode import SourceError, decode, read_bytes, split_lines
from torchlosslint.sources.notebook import read


class Sources:
    """The lines of source files, each file read once."""

    def __init__(self) -> None:
        self.cache: dict[tuple[str, int | None], list[str]] = {}

    def lines(self, place: Location) -> list[str]:
        """All lines of the file (or of the notebook's cell) of `place`; none if it cannot be read."""
        key = (place.path, place.cell)
        if key not in self.cache:
            if place.cell is not None:
                source = read(place.path)
                text = "" if isinstance(source, SourceError) else source.cell(place.cell)
            elif isinstance(data := read_bytes(place.path), SourceError):
                text = ""
            else:
                decoded = decode(data, place.path)
                # A finding may be about the encoding itself: show what can be shown.
                text = data.decode("utf-8", "replace") if isinstance(decoded, SourceError) else decoded
            self.cache[key] = split_lines(text)
        return self.cache[key]

    def line(self, place: Location) -> str:
        """The first line of a span, without blanks around it; "" if the file has changed or vanished."""
        lines = self.lines(place)
        return lines[place.line - 1].strip() if 0 < place.line <= len(lines) else ""


def fingerprints(findings: Iterable[Finding]) -> Iterator[str]:
    """A stable name for each finding: the same as long as its rule, its file and the text of its lines are.

    Lines may move, and findings elsewhere may come and go. Findings that are equal in all this are numbered.
    """
    sources = Sources()
    seen: Counter[str] = Counter()
    for finding in findings:
        where = finding.location
        parts = [finding.code, where.path, str(where.cell or ""), sources.line(where)]
        for step in finding.flow:
            parts += [step.location.path, sources.line(step.location)]
        text = "\0".join(parts)
        seen[text] += 1
        yield hashlib.sha256(f"{text}\0{seen[text]}".encode("utf-8", "surrogatepass")).hexdigest()
