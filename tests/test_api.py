"""`torchlosslint.lint` as a program uses it, and the examples of docs/api.md."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import torchlosslint
from torchlosslint import ConfigError, DiscoveryError, Finding, Report, Settings

ROOT = Path(__file__).resolve().parent.parent
WRONG = """\
import torch
import torch.nn as nn

net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
loss = nn.CrossEntropyLoss()(net(torch.randn(2, 4)), torch.tensor([0, 1]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "one" / "train.py"
    path.parent.mkdir()
    path.write_text(WRONG)
    return path


def process(code: str, cwd: Path | None = None) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_findings_of_a_file_a_folder_and_several_paths(program: Path) -> None:
    for paths in (program, str(program), program.parent, [program], (str(program.parent),)):
        report = torchlosslint.lint(paths)
        assert isinstance(report, Report)
        (finding,) = report.findings
        assert isinstance(finding, Finding)
        assert (finding.code, finding.location.line) == ("TLL101", 5)
        assert finding.location.path == program.as_posix()
        assert finding.flow[0].location.line == 4
        assert report.loss_calls.judged == 1


def test_settings_decide(program: Path) -> None:
    assert not torchlosslint.lint(program, Settings(ignore=("TLL1",))).findings
    assert torchlosslint.lint(program, Settings(select=("TLL101",))).findings


def test_what_cannot_be_done_is_an_exception(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match="no such file or folder"):
        torchlosslint.lint(tmp_path / "missing")
    with pytest.raises(ConfigError, match="unknown selector 'TLL1O1'"):
        torchlosslint.lint(tmp_path, Settings(select=("TLL1O1",)))


def test_a_broken_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text('print "loss"\n')
    assert [finding.code for finding in torchlosslint.lint(tmp_path / "old.py").findings] == ["TLL001"]


def test_a_report_can_be_pickled(program: Path) -> None:
    report = torchlosslint.lint(program)
    assert pickle.loads(pickle.dumps(report)) == report


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nimport torchlosslint\n"
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "print(sorted(loaded), 'torchlosslint.finding' in sys.modules)\n"
        "torchlosslint.Finding, torchlosslint.Report, torchlosslint.Settings\n"
        "print(sorted({'libcst', 'click', 'torch', 'torchlosslint.engine'} & set(sys.modules)))\n"
        "torchlosslint.lint\n"
        "print(sorted({'libcst', 'click', 'torch'} & set(sys.modules)))\n"
    )
    first, second, third = process(code).splitlines()
    assert first == "['torchlosslint'] False"
    assert second == "[]"
    assert third == "[]"


def test_a_run_loads_no_second_parser(program: Path) -> None:
    code = (
        "import sys, torchlosslint\n"
        "report = torchlosslint.lint('.')\n"
        "print(len(report.findings) > 0, sorted({'libcst', 'torch'} & set(sys.modules)))\n"
    )
    assert process(code, program.parent) == "True []\n"


def test_every_name_is_there_and_no_other() -> None:
    for name in torchlosslint.__all__:
        assert getattr(torchlosslint, name).__name__ == name
        assert name in dir(torchlosslint)
    assert re.fullmatch(r"\d+\.\d+.*", torchlosslint.__version__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = torchlosslint.nothing


def blocks() -> list[str]:
    """The Python of docs/api.md."""
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_first_example_prints_findings(program: Path) -> None:
    out = process(blocks()[0].replace('"src"', '"one"'), program.parent.parent)
    assert out.startswith("one/train.py:5: TLL101 CrossEntropyLoss applies log_softmax itself")


def test_the_map_over_repositories(program: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "fine.py").write_text("x = 1\n")
    (tmp_path / "survey.py").write_text(
        f"{blocks()[1]}\n\nif __name__ == '__main__':\n"
        "    found = survey(Path('.'), 2)\n"
        "    print({name: [f.code for f in each] for name, each in found.items()})\n"
    )
    done = subprocess.run(
        [sys.executable, "survey.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "{'one': ['TLL101'], 'two': []}\n", done.stderr


def test_the_document_names_every_field() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    for kind, skip in (
        (Finding, {"fix"}),
        (Report, {"quiet", "suppressed", "baselined", "fails", "times", "notes"}),
    ):
        fields = set(kind.__struct_fields__) - skip
        assert {name for name in fields if f"`{name}`" not in text} == set()
