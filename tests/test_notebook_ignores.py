"""`--add-ignores` in notebooks: the comment goes into the cell, and every other byte of the file stays."""

from __future__ import annotations

import difflib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from adoption import Project, project_
from hypothesis import given, strategies as st

from torchlosslint.sources.cells import Change, changed, code_cells

__all__ = ["project_"]

SETUP = ["import torch\n", "from torch import nn\n", "layer = nn.Linear(4, 3)\n", "%matplotlib inline"]
LOSS = "nn.CrossEntropyLoss()(layer(torch.rand(2, 4)).softmax(1), torch.tensor([0, 1]))"
IGNORE = "# torchlosslint: ignore[TLL101] known"


def code(source: str | list[str]) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": [], "source": source}


def document(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": [code(SETUP), *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def added(before: str, after: str) -> list[str]:
    """The lines that are new or changed in a text, and nothing but these is: "-" and "+" lines."""
    found = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in found if line[:1] in "+-"]


def test_the_comment_is_all_that_changes(project: Project) -> None:
    markdown = {"cell_type": "markdown", "metadata": {}, "source": [f"loss = {LOSS}\n"]}
    output = {"output_type": "stream", "name": "stdout", "text": ["Größe \u2028 \U0001f525\n"]}
    cell = {**code(["%%time\n", "x = 'Größe'\n", f"loss = {LOSS}\n", "loss"]), "outputs": [output]}
    # As Jupyter writes it: one space, non-ASCII as it is, a line end at the end.
    before = json.dumps(document(markdown, cell), indent=1, ensure_ascii=False) + "\n"
    project.put("n.ipynb", before)
    os.chmod("n.ipynb", 0o640)
    assert project.run("--add-ignores", "known – Größe") == (0, "suppressed 1 finding in 1 file\n", "")
    after = Path("n.ipynb").read_text("utf-8")
    assert added(before, after) == [
        f'-     "loss = {LOSS}\\n",',
        f'+     "loss = {LOSS}  {IGNORE} – Größe\\n",',
    ]
    assert stat.S_IMODE(os.stat("n.ipynb").st_mode) == 0o640
    assert project.found("--require-reason") == []
    assert project.run("--add-ignores", "again").out == "suppressed 0 findings in 0 files\n"


@pytest.mark.parametrize(("indent", "ending"), [(None, ""), (1, "\r\n"), ("\t", "\n")])
def test_any_layout_of_the_file(project: Project, indent: int | str | None, ending: str) -> None:
    """Sources that are one string; files without line ends, or with others; escapes in front of the line."""
    source = f"{''.join(SETUP[:3])}s = '\\u00e9\U0001f525\"\\\\ \u2028'\nloss = {LOSS}\nloss"
    only = {"worksheets": [{"cells": [{"cell_type": "code", "input": source, "outputs": []}]}]}
    for name, made in (("new", {**document(), "cells": [code(source)]}), ("old", only)):
        for ascii_only in (True, False):
            before = json.dumps(made, indent=indent, ensure_ascii=ascii_only).replace("\n", ending).encode()
            project.put(f"{name}.ipynb", before)
            assert project.run("--add-ignores", "known é").status == 0
            after = Path(f"{name}.ipynb").read_bytes()
            written = "known \\u00e9" if ascii_only else "known é"
            comment = f"  # torchlosslint: ignore[TLL101] {written}".encode()
            assert after.replace(comment, b"", 1) == before
            assert project.found() == []


def test_lines_that_take_no_comment(project: Project) -> None:
    """A string that goes on over the line's end: the comment is a string of its own above it."""
    cell = code(["if True:\n", f"    a = ({LOSS}, '''\n", "''')"])
    whole = code(f"if True:\n    a = ({LOSS}, '''\n''')")
    before = json.dumps(document(cell, whole), indent=1)
    project.put("n.ipynb", before)
    assert project.run("--add-ignores", "known").out == "suppressed 2 findings in 1 file\n"
    after = Path("n.ipynb").read_text()
    above = IGNORE.replace("ignore", "ignore-next-line")
    first, *rest = added(before, after)
    assert first == f'+     "    {above}\\n",'
    assert rest == [line for line in rest if "if True:" in line]
    assert project.found() == []


def test_comments_that_are_there_take_the_code_in(project: Project) -> None:
    cell = code([f"loss = {LOSS}  # torchlosslint: ignore[TLL104] why\n", "\n"])
    project.put("n.ipynb", json.dumps(document(cell)))
    assert project.run("--add-ignores", "known", "--ignore", "TLL002").status == 0
    assert "ignore[TLL104, TLL101] why\\n" in Path("n.ipynb").read_text()


def test_several_cells_and_lines(project: Project) -> None:
    cells = [code([f"a = {LOSS}\n", f"b = {LOSS}"]), code([f"c = {LOSS}"])]
    project.put("n.ipynb", json.dumps(document(*cells), indent=2))
    assert project.run("--add-ignores", "known").out == "suppressed 3 findings in 1 file\n"
    sources = [cell["source"] for cell in json.loads(Path("n.ipynb").read_text())["cells"]]
    assert sources == [
        SETUP,
        [f"a = {LOSS}  {IGNORE}\n", f"b = {LOSS}  {IGNORE}"],
        [f"c = {LOSS}  {IGNORE}"],
    ]


def test_what_is_left_names_the_cell(project: Project) -> None:
    cell = code(["loss = 1 + \\\n", f"    {LOSS} + \\\n", "    1"])
    before = json.dumps(document(cell))
    project.put("n.ipynb", before)
    outcome = project.run("--add-ignores", "known")
    assert outcome.status == 1
    assert "left: n.ipynb:cell 2:2: no comment can stand in or above its lines" in outcome.out
    assert Path("n.ipynb").read_text() == before


def test_lines_that_are_cut_in_two(project: Project) -> None:
    """A comment whose list stands in two strings is no line that could be changed alone."""
    cell = code([f"loss = {LOSS}  # torchlosslint: ignore[TLL1", "04] why"])
    before = json.dumps(document(cell))
    project.put("n.ipynb", before)
    outcome = project.run("--add-ignores", "known", "--ignore", "TLL002")
    assert outcome.status in (0, 1)
    after = Path("n.ipynb").read_text()
    text = "".join(json.loads(after)["cells"][1]["source"])
    assert "ignore[TLL104, TLL101] why" in text or after == before


def test_keys_that_are_there_twice(project: Project) -> None:
    """The last one counts, for us as for everybody who reads JSON."""
    first, last = (json.dumps(code([*SETUP, f"\n{name} = {LOSS}"])) for name in "ab")
    cell = last.replace(
        '"source": ', '"cell_type": "markdown", "source": "x", "cell_type": "code", "source": '
    )
    project.put(
        "n.ipynb", f'{{"cells": [{first}, {first}], "cells": [{{"a": 1}}, {cell}], "metadata": {{}}}}'
    )
    before = Path("n.ipynb").read_text()
    assert project.run("--add-ignores", "known").out == "suppressed 1 finding in 1 file\n"
    assert Path("n.ipynb").read_text() == before.replace(f"b = {LOSS}", f"b = {LOSS}  {IGNORE}")


_TEXT = st.text(alphabet='ab\\"/\né\U0001f525\ud83d\udd25\u2028 ', max_size=12)


@given(st.lists(_TEXT, max_size=4), st.booleans(), st.booleans(), st.data())
def test_a_change_is_what_was_asked_for(parts: list[str], listed: bool, plain: bool, data: Any) -> None:
    """Whatever the strings and their escapes: the JSON stays sound, and only that place is another."""
    source: Any = parts if listed else "".join(parts)
    text = json.dumps({"cells": [{"x": 1}, code(source), code("untouched")]}, ensure_ascii=plain)
    cells = code_cells(text)
    whole = cells[2].text
    assert whole == "".join(json.loads(text)["cells"][1]["source"])
    at = data.draw(st.integers(0, len(whole)))
    if not cells[2].parts:
        return
    new = data.draw(st.sampled_from(["  # é\U0001f525", "# above\n", ""]))
    after = json.loads(changed(text, cells, [Change(2, at, at, new)]))
    assert "".join(after["cells"][1]["source"]) == whole[:at] + new + whole[at:]
    assert after["cells"][2] == code("untouched")
