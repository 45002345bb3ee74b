"""Neither names nor order nor files nor formatting change what is found: fixtures, written in other ways."""

from __future__ import annotations

import ast
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from rewriting import renamed, reordered, split, spread, statement_at

from torchlosslint.config import Settings
from torchlosslint.engine import lint

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
PROGRAMS = sorted(
    path
    for path in FIXTURES.glob("*/*.py")
    if path.parent.name not in ("demo_project", "tll001_unreadable_source", "tll002_unused_suppression")
)
Verdict = list[tuple[str, int]]


def verdict(files: dict[str, str], folder: Path) -> tuple[Verdict, int]:
    """Codes with the numbers of their statements, and how many losses were judged."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    report = lint([folder], Settings(no_cache=True, select=("ALL",), confidence="possible"))
    assert not report.skipped
    found = []
    for f in report.findings:
        text = files[Path(f.location.path).name]
        found.append((f.code, statement_at(text, f.location.line, f.location.column)))
    return sorted(found), report.loss_calls.judged


def same_order(rewrite: Callable[[str, int], str]) -> Callable[[str, Path], None]:
    def check(text: str, folder: Path) -> None:
        seed = zlib.crc32(text.encode())
        first = verdict({"program.py": text}, folder / "first")
        for number in range(2):
            other = rewrite(text, seed + number)
            assert verdict({"program.py": other}, folder / f"other{number}") == first, other

    return check


def check_order(text: str, folder: Path) -> None:
    """Statements have other numbers then: codes are compared."""
    first, judged = verdict({"program.py": text}, folder / "first")
    other = ast.unparse(reordered(ast.parse(text), zlib.crc32(text.encode())))
    second, judged_then = verdict({"program.py": other}, folder / "other")
    assert (sorted(code for code, _ in second), judged_then) == (sorted(code for code, _ in first), judged), (
        other
    )


def check_split(text: str, folder: Path) -> None:
    files = split(ast.parse(text))
    if files is None:
        return
    first, judged = verdict({"program.py": text}, folder / "first")
    second, judged_then = verdict(files, folder / "other")
    assert (sorted(code for code, _ in second), judged_then) == (sorted(code for code, _ in first), judged), (
        files
    )


WAYS: dict[str, Callable[[str, Path], None]] = {
    "unparsed": same_order(lambda text, seed: ast.unparse(ast.parse(text)) + "\n"),
    "spread out": same_order(spread),
    "renamed": same_order(lambda text, seed: ast.unparse(renamed(ast.parse(text), seed))),
    "reordered": check_order,
    "split": check_split,
}


def sampled(way: str) -> list[Path]:
    """One program in so many, others for each way: all of them take minutes."""
    return PROGRAMS[5 * list(WAYS).index(way) :: 16]


@pytest.mark.parametrize(
    ("way", "path"),
    [pytest.param(way, p, id=f"{way}: {p.parent.name[:6]} {p.stem}") for way in WAYS for p in sampled(way)],
)
def test_a_program_written_in_another_way(way: str, path: Path, tmp_path: Path) -> None:
    WAYS[way](path.read_text(encoding="utf-8"), tmp_path)
