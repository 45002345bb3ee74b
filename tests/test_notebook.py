"""Notebooks: the code cells as one program, magics made harmless, positions by cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.finding import Report
from torchlosslint.report.base import Options, renderer
from torchlosslint.sources.decode import SourceError
from torchlosslint.sources.notebook import Source, notebook, plain

IMPORTS = "import torch\nfrom torch import nn\n%matplotlib inline\n!pip install torch\n"
MODEL = "net = nn.Sequential(\n    nn.Linear(6, 3),\n    nn.Softmax(dim=1),\n)\n"
TRAIN = (
    "%%time\nx, y = torch.randn(4, 6), torch.randint(0, 3, (4,))\nloss = nn.CrossEntropyLoss()(net(x), y)\n"
)


def document(*cells: str | dict[str, Any], **metadata: Any) -> dict[str, Any]:
    made = [
        {"cell_type": "code", "source": cell.splitlines(keepends=True)} if isinstance(cell, str) else cell
        for cell in cells
    ]
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


MARKDOWN = {"cell_type": "markdown", "source": ["# nn.CrossEntropyLoss()(x.softmax(1), y)"]}


def linted(path: Path, *cells: str | dict[str, Any]) -> Report:
    path.write_text(json.dumps(document(*cells)))
    return lint([str(path)], Settings(no_cache=True))


def text_of(*cells: str | dict[str, Any], **metadata: Any) -> str:
    source = notebook(json.dumps(document(*cells, **metadata)).encode(), "n.ipynb")
    assert isinstance(source, Source)
    return source.text


def test_a_finding_names_cell_and_line(tmp_path: Path) -> None:
    report = linted(tmp_path / "n.ipynb", MARKDOWN, IMPORTS, MODEL, TRAIN)
    (finding,) = report.findings
    assert finding.code == "TLL101"
    assert (finding.location.cell, finding.location.line) == (4, 3)
    assert (finding.flow[0].location.cell, finding.flow[0].location.line) == (3, 3)
    text = "".join(renderer("text")(report, Options()))
    assert "n.ipynb:cell 4:3:8: TLL101" in text
    assert "loss = nn.CrossEntropyLoss()(net(x), y)" in text
    assert "nn.Softmax(dim=1)," in text


def test_one_bad_cell_does_not_lose_the_rest(tmp_path: Path) -> None:
    report = linted(tmp_path / "n.ipynb", IMPORTS, "def broken(:\n", MODEL, TRAIN)
    assert [(f.code, f.location.cell, f.location.line) for f in report.findings] == [
        ("TLL001", 2, 1),
        ("TLL101", 4, 3),
    ]


def test_a_module_beside_the_notebook_is_followed(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import torch\nfrom torch import nn\n" + MODEL)
    report = linted(
        tmp_path / "n.ipynb", "from model import net\nimport torch\nfrom torch import nn\n", TRAIN
    )
    assert [(f.code, f.location.cell) for f in report.findings] == [("TLL101", 2)]
    assert report.findings[0].flow[0].location.path.endswith("model.py")


def test_a_folder_has_its_notebooks_linted(tmp_path: Path) -> None:
    linted(tmp_path / "n.ipynb", IMPORTS, MODEL, TRAIN)
    assert [f.code for f in lint([str(tmp_path)], Settings(no_cache=True)).findings] == ["TLL101"]


@pytest.mark.parametrize(
    ("cell", "plain_text"),
    [
        ("%time loss = f()\nx = 1", "pass\nx = 1"),
        ("for i in y:\n    !ls {i}\n    g(i)", "for i in y:\n    pass\n    g(i)"),
        ("files = !ls\nx = 1", "pass\nx = 1"),
        ("net?\nx = 1", "pass\nx = 1"),
        ("print('%d'\n      % x)", "print('%d'\n      % x)"),
        ('s = """\n%matplotlib\n!ls\n"""\n!ls', 's = """\n%matplotlib\n!ls\n"""\npass'),
        ("!pip install \\\n  torch\nx = 1", "pass\n\nx = 1"),
        ("%%bash\nrm -rf x\n", "\n\n"),
        ("\n%%timeit\nx = 1", "\n\nx = 1"),
        ("x = a if b else c", "x = a if b else c"),
    ],
)
def test_what_only_ipython_understands_becomes_pass(cell: str, plain_text: str) -> None:
    assert "\n".join(plain(cell.split("\n"))) == plain_text


def test_cells_of_other_languages_are_left_out() -> None:
    assert text_of("library(torch)", kernelspec={"language": "R"}) == ""
    assert text_of("x = 1", language_info={"name": "ipython"}) == "x = 1\n"


def test_old_notebooks_and_plain_sources() -> None:
    cell = {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "language": "python"}
    source = notebook(json.dumps({"worksheets": [{"cells": [cell]}]}).encode(), "n.ipynb")
    assert isinstance(source, Source)
    assert source.text == "x = 1\ny = 2\n"
    assert text_of({"cell_type": "code", "source": "a = 1\nb = 2"}) == "a = 1\nb = 2\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not a notebook: Expecting property name"),
        (b"[]", "it has no list of cells"),
        (b'{"cells": 3}', "it has no list of cells"),
        (b"\xff\xfe", "not a notebook"),
        (b"[" * 100_000, "not a notebook: it is nested too deep"),
    ],
)
def test_what_is_no_notebook_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(data)
    report = lint([str(path)], Settings(no_cache=True))
    assert [f.code for f in report.findings] == ["TLL001"]
    assert said in report.findings[0].message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["cells", "source", "cell_type"]), inner)
        ),
        max_leaves=20,
    )
)
def test_no_document_is_too_odd(value: Any) -> None:
    source = notebook(
        json.dumps({"cells": [value, {"cell_type": "code", "source": value}]}).encode(), "n.ipynb"
    )
    assert isinstance(source, (Source, SourceError))


@given(st.lists(st.text(alphabet="%!?x=1 \\'\"():\n", max_size=20), max_size=8))
def test_lines_stay_where_they_are(lines: list[str]) -> None:
    lines = [line.replace("\n", "") for line in lines]
    assert len(plain(lines)) == len(lines)


def test_percent_scripts_are_programs_as_they_are(tmp_path: Path) -> None:
    """As jupytext writes them: cells are comments, and magics too."""
    script = tmp_path / "n.py"
    script.write_text(
        "# %% [markdown]\n# # nn.CrossEntropyLoss()(x.softmax(1), y)\n# %%\n"
        "import torch\nfrom torch import nn\n"
        f"# %matplotlib inline\n# %%\n{MODEL}# %% the loss\n# !nvidia-smi\n"
        + TRAIN.replace("%%time", "# %%time")
    )
    (finding,) = lint([str(script)], Settings(no_cache=True)).findings
    assert (finding.code, finding.location.line, finding.location.cell) == ("TLL101", 16, None)
