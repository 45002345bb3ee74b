"""Text for people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace
from reports import MODEL, TRAIN, at, finding, report

from torchlosslint.finding import IN_PART, FlowStep, Location, LossCalls, Report, Skipped
from torchlosslint.report.base import Options, renderer
from torchlosslint.report.display import excerpt, safe, width


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    Path("train.py").write_text(TRAIN)
    return tmp_path


def rendered(what: Report, verbose: bool = False, color: bool = False, width: int = 100) -> str:
    return "".join(renderer("text")(what, Options(verbose, color, width)))


def one(location: Location, *flow: FlowStep, **changes: str) -> list[str]:
    """The lines of a report with one finding, without the summary."""
    return rendered(Report([finding(location, *flow, **changes)], files_checked=1)).splitlines()[:-2]


def test_the_whole_text() -> None:
    assert (
        rendered(report())
        == """\
train.py:2:19: TLL101 softmax-before-cross-entropy [error]
  cross-entropy gets probabilities, it applies log_softmax itself
  2 |     loss = criterion(net(x), y)
    |                      ^^^^^^
  how the value gets there:
  1. model.py:3:16: softmax over dim 1 makes probabilities
     3 |         return F.softmax(self.fc(x), dim=1)
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  2. train.py:2:9: criterion is nn.CrossEntropyLoss
     2 |     loss = criterion(net(x), y)
       |            ^^^^^^^^^^^^^^^^^^^^
  help: return the scores of the last layer

train.py:1:13: TLL118 softmax-implicit-dim [warning] (likely)
  no dim is given
  1 | for x, y in loader:
    |             ^^^^^^

1 error, 1 warning; 3 files checked; 3 loss calls: 2 judged, 1 unknown; 1 skipped (--verbose lists them)
"""
    )


def test_verbose_lists_what_the_summary_counts() -> None:
    assert (
        rendered(replace(report(), findings=[]), verbose=True)
        == """\
losses that could not be judged (1):
  train.py:9: module not found: secrets

skipped (1):
  build: build output

no findings; 3 files checked; 3 loss calls: 2 judged, 1 unknown; 1 skipped
"""
    )


def test_files_that_were_followed_in_part_are_not_called_skipped() -> None:
    skipped = [Skipped("a.py", IN_PART), Skipped("build", "build output"), Skipped("b.py", IN_PART)]
    whole = replace(report(), findings=[], skipped=skipped)
    assert (
        rendered(whole, verbose=True).split("secrets\n\n")[1]
        == """\
followed in part, for their size (2): losses may be missing
  a.py
  b.py

skipped (1):
  build: build output

no findings; 3 files checked; 3 loss calls: 2 judged, 1 unknown; 2 followed in part; 1 skipped
"""
    )
    assert rendered(whole).endswith("; 2 followed in part; 1 skipped (--verbose lists them)\n")


def test_nothing_to_check_is_not_a_success() -> None:
    text = rendered(Report(skipped=[Skipped("p", "no Python files in this folder")]))
    assert (
        text
        == """\
skipped (1):
  p: no Python files in this folder

nothing was checked: no Python files found
"""
    )


def test_a_clean_run() -> None:
    text = rendered(Report(files_checked=1, files_parsed=1, loss_calls=LossCalls(1, 1, 0)))
    assert text == "no findings; 1 file checked; 1 loss call: 1 judged, 0 unknown\n"


def test_colors_only_add_escapes() -> None:
    colored = rendered(report(), color=True)
    assert "\x1b[31m^^^^^^\x1b[0m" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == rendered(report())


def test_line_numbers_stand_in_one_gutter() -> None:
    Path("model.py").write_text("\n" * 119 + "y = x\n")
    lines = one(at("train.py", 1, 1, 4), FlowStep(at("model.py", 120, 1, 2), "x"))
    assert lines[2:4] == ["    1 | for x, y in loader:", "      | ^^^"]
    assert lines[6:8] == ["     120 | y = x", "         | ^"]


def test_a_span_of_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    Path("train.py").write_text("loss = criterion(\n    out,\n)\n")
    assert one(at("train.py", 1, 8, 2, end_line=3))[3] == "    |        ^^^^^^^^^^"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\xef\xbb\xbfx = bad\r\n", 1),
        (b"\x0c\r\nx = bad\r\n", 2),
        (b"a = '\x0c \x1c'\nx = bad", 2),
        (b"#\rx = bad\r", 2),
        (b"# coding: latin-1\n'\xe9'; x = bad\n", 2),
        (b"'\xe9'; x = bad\n", 1),  # cannot be decoded: shown as well as can be
    ],
)
def test_lines_come_from_the_file_however_it_is_written(data: bytes, line: int) -> None:
    Path("odd.py").write_bytes(data)
    column = 10 if b"\xe9" in data else 5
    shown = one(at("odd.py", line, column, column + 3))
    assert shown[2].endswith("x = bad")
    assert shown[3].index("^^^") == shown[2].index("bad")


@pytest.mark.parametrize("place", [at("gone.py", 1, 1, 2), at(".", 1, 1, 2), at("train.py", 99, 1, 2)])
def test_a_source_that_vanished_leaves_the_rest(place: Location) -> None:
    lines = one(place)
    assert lines[0].startswith(f"{place.path}:{place.line}:1: TLL101")
    assert lines[-1] == "  help: return the scores of the last layer"
    assert not any("|" in line for line in lines)


def test_a_notebook_cell_is_named() -> None:
    lines = one(replace(at("a.ipynb", 3, 1, 2), cell=7))
    assert lines[0].startswith("a.ipynb:cell 7:3:1: TLL101")


def test_nothing_raw_reaches_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\u202e\x9b31m\ud800"
    Path("evil.py").write_text(f"x = '{evil[:-1]}'; bad\n", encoding="utf-8")
    what = finding(
        at("evil.py", 1, 24, 27),
        FlowStep(at("evil.py", 1, 1, 2), evil),
        message=evil,
        help=evil,
        code=evil,
        name=evil,
    )
    text = rendered(
        Report(
            [what, finding(at(evil, 1, 1, 1))],
            skipped=[Skipped(evil, evil)],
            files_checked=1,
            loss_calls=LossCalls(1, 0, 1, [(evil, 1, evil)]),
        ),
        verbose=True,
    )
    assert set(re.findall(r"[^\x20-\x7e\n]", text)) == set()
    lines = text.splitlines()
    assert lines[3].index("^^^") == lines[2].index("bad")


def test_messages_are_wrapped_and_code_in_help_is_not() -> None:
    help_text = (
        "write:\n    loss = F.cross_entropy(model(inputs), targets)  # a long line of code\nand be done"
    )
    report = Report([finding(at("train.py", 1, 1, 4), message="many words " * 20, help=help_text)], 1)
    lines = rendered(report, width=50).splitlines()
    assert all(len(line) <= 50 for line in lines[1:-2] if "F.cross_entropy" not in line)
    assert lines[-5:-2] == [
        "  help: write:",
        "            loss = F.cross_entropy(model(inputs), targets)  # a long line of code",
        "        and be done",
    ]


@pytest.mark.parametrize(
    ("line", "start", "end", "expected"),
    [
        ("\tbad", 1, 4, ("    bad", "    ^^^")),
        ("ab\tbad", 3, 6, ("ab  bad", "    ^^^")),
        ("'漢字' bad", 5, 8, ("'漢字' bad", "       ^^^")),
        ("漢字", 1, 2, ("漢字", "  ^^")),
        ("e\u0301 bad", 3, 6, ("e\u0301 bad", "  ^^^")),
        ("\x1b bad", 2, 5, ("\\x1b bad", "     ^^^")),
        ("bad   ", 0, 99, ("bad", "^^^")),
        ("bad", 3, 3, ("bad", "   ^")),
        ("bad", 50, 60, ("bad", "   ^")),
        ("a" * 30 + "bad" + "c" * 30, 30, 33, ("…aaaaaaaabadccccccc…", "         ^^^")),
        ("bad" + "c" * 60, 0, 3, ("bad" + "c" * 15 + "…", "^^^")),
        ("a" * 60 + "bad", 60, 63, ("…" + "a" * 15 + "bad", " " * 16 + "^^^")),
        ("b" * 60, 0, 60, ("b" * 18 + "…", "^" * 18)),
    ],
)
def test_excerpts(line: str, start: int, end: int, expected: tuple[str, str]) -> None:
    assert excerpt(line, start, end, 20) == expected


@given(st.text(max_size=60), st.integers(-3, 70), st.integers(-3, 70), st.integers(20, 60))
def test_excerpts_fit_and_are_safe(line: str, start: int, end: int, columns: int) -> None:
    text, carets = excerpt(line, start, end, columns)
    assert safe(text) == text
    assert width(text) <= columns
    assert len(carets) <= width(text) + 1
    assert re.fullmatch(r" *\^+", carets)
