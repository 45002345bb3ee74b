"""Jupyter notebooks as Python: the code cells in order, as one program.

What only IPython understands (magics, shell lines, help) is replaced by `pass`, line for line, so that
positions stay. Cells are counted from 1 over all cells of the notebook, as its file has them.
Source: https://nbformat.readthedocs.io/en/latest/format_description.html.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from typing import Any

from torchlosslint.sources.decode import SourceError, decode, read_bytes, split_lines

SUFFIX = ".ipynb"
MAX_BYTES = 100_000_000
# Cell magics whose cell is Python all the same.
_PYTHON = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "memit"})
_MAGIC = re.compile(r"\s*[%!?]|\s*[\w.\[\]'\"]+\s*\?{1,2}\s*$|[\w.,\s]+=\s*[%!]\s*\w")


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the lines of the program came from: for each one its cell, and its line in that cell."""

    places: tuple[tuple[int, int], ...]

    def place(self, line: int) -> tuple[int, int]:
        """Cell and line of a line of the program; all count from 1."""
        return self.places[min(max(line, 1), len(self.places)) - 1] if self.places else (1, 1)

    def first(self, cell: int) -> int:
        """The first line of the program that is in a cell."""
        return next((i for i, (number, _) in enumerate(self.places, 1) if number == cell), 1)


@dataclass(frozen=True, slots=True)
class Source:
    """The Python text of a file; `cells` for a notebook."""

    text: str
    cells: Cells | None = None

    def without(self, cells: set[int]) -> Source:
        """The program without some cells: their lines are empty."""
        if self.cells is None:
            return self
        lines = split_lines(self.text)
        kept = [
            "" if cell in cells else line for line, (cell, _) in zip(lines, self.cells.places, strict=False)
        ]
        return Source("\n".join(kept) + "\n", self.cells)

    def by_cell(self) -> dict[int, str]:
        """The texts of the cells that have lines."""
        lines: dict[int, list[str]] = {}
        places = self.cells.places if self.cells is not None else ()
        for line, (cell, _) in zip(split_lines(self.text), places, strict=False):
            lines.setdefault(cell, []).append(line)
        return {cell: "\n".join(found) + "\n" for cell, found in lines.items()}

    def cell(self, number: int) -> str:
        """The text of one cell."""
        return self.by_cell().get(number, "\n")


def is_notebook(path: str) -> bool:
    """Whether a path is that of a notebook."""
    return path.lower().endswith(SUFFIX)


def read(path: str) -> Source | SourceError:
    """The Python text of a file or a notebook, or a clear reason why there is none."""
    data = read_bytes(path)
    return data if isinstance(data, SourceError) else text_of(data, path)


def text_of(data: bytes, path: str) -> Source | SourceError:
    """The Python text in the bytes of a file or a notebook."""
    if is_notebook(path):
        return notebook(data, path)
    text = decode(data, path)
    return text if isinstance(text, SourceError) else Source(text)


def raw_bytes(path: str) -> bytes | SourceError:
    """The bytes of a file or a notebook as they are."""
    return read_bytes(path)


def python_bytes(data: bytes, path: str) -> bytes | SourceError:
    """What the screen looks at: a file's bytes, or the Python text of a notebook as bytes."""
    if not is_notebook(path):
        return data
    source = notebook(data, path)
    return source if isinstance(source, SourceError) else source.text.encode("utf-8", "replace")


def notebook(data: bytes, path: str) -> Source | SourceError:
    """The program in a notebook's bytes."""
    if len(data) > MAX_BYTES:
        return SourceError(path, 1, 1, f"the notebook is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        why = "it is nested too deep" if isinstance(error, RecursionError) else getattr(error, "msg", error)
        return SourceError(path, line, column, f"not a notebook: {why}")
    cells = _cells(document)
    if cells is None:
        return SourceError(path, 1, 1, "not a notebook: it has no list of cells")
    if not _is_python(document):
        return Source("", Cells(()))
    lines: list[str] = []
    places: list[tuple[int, int]] = []
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        for at, line in enumerate(plain(split_lines(_source(cell))), 1):
            lines.append(line)
            places.append((number, at))
    text = "\n".join(lines) + "\n" if lines else ""
    return Source(text.replace("\0", "\ufffd"), Cells(tuple(places)))


def _cells(document: Any) -> list[Any] | None:
    if not isinstance(document, dict):
        return None
    cells = document.get("cells")
    if cells is None and isinstance(sheets := document.get("worksheets"), list):  # nbformat 3
        held = [s.get("cells") for s in sheets if isinstance(s, dict)]
        cells = [c for part in held if isinstance(part, list) for c in part]
    return cells if isinstance(cells, list) else None


def _is_python(document: dict[str, Any]) -> bool:
    metadata = document.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    name = name or (kernel.get("language") if isinstance(kernel, dict) else None)
    return not isinstance(name, str) or "python" in name.lower()


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


MAX_ASKED = 2_000_000  # characters of a cell that are parsed, again and again, to see where a magic may be


def plain(lines: list[str]) -> list[str]:
    """The lines of a cell with what only IPython understands made harmless, each in its place."""
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return lines
    out = list(lines)
    if lines[first].startswith("%%"):
        words = lines[first][2:].split(maxsplit=1)
        if not words or words[0] not in _PYTHON:
            return ["" for _ in lines]
        out[first] = ""
    if not any(_MAGIC.match(line) for line in out) or _parses("\n".join(out)):
        return out
    begin, asked = 0, 0
    for i, line in enumerate(out):
        if _MAGIC.match(line):
            indent = line[: len(line) - len(line.lstrip())]
            # Only where a statement can begin: not in a string or an expression that goes on.
            before = "\n".join([*out[begin:i], indent + "pass"]) if asked < MAX_ASKED else ""
            asked += len(before)
            if _parses(before):
                out[i] = indent + "pass"
                begin = begin if indent else i  # what stands above is complete
                follow = i
                while lines[follow].rstrip().endswith("\\") and follow + 1 < len(lines):
                    follow += 1
                    out[follow] = ""
    return out


def _parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True
